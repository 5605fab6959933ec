"""Options of the HTTP server."""

from __future__ import annotations

from netservices.core.settings import Duration, Size, setting, settings


@settings
class HTTPSettings:
    """How HTTP is served: sites, patience, limits."""

    # --- connections ---
    longest_request_line: Size = setting(
        "8K", "A longer request line is answered with 414."
    )
    longest_head: Size = setting(
        "32K", "Request line and fields together; a longer head gets 431."
    )
    keep_alive: Duration = setting(
        "75s", "How long a connection may be idle between requests.", minimum=1
    )
    head_deadline: Duration = setting(
        "30s", "In this time a head that has begun must be complete.", minimum=1
    )
