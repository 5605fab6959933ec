"""Pages that people see: templates, one look, and the policy that guards them.

A page is one HTML document without scripts.  Its style stands in it, and the
Content-Security-Policy names the hash of that style: nothing else is loaded or run,
whatever a file name or an error text tries to be.
"""

from netservices.web.pages.page import page, policy

__all__ = ["page", "policy"]
