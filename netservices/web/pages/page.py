"""HTML documents from the templates beside this file."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from netservices.web.response import Response

_DIRECTORY = Path(__file__).parent


@cache
def _environment() -> Any:
    """The templates.  Jinja2 takes 30 ms to import: only who shows pages pays."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_DIRECTORY / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    from markupsafe import Markup

    # The one thing that is not escaped: our own style sheet.
    environment.globals["style"] = Markup(_style())  # noqa: S704
    return environment


@cache
def _style() -> str:
    """The style of all pages."""
    return (_DIRECTORY / "style.css").read_text(encoding="utf-8")


@cache
def policy(form_action: str = "'self'") -> str:
    """The Content-Security-Policy of a page (CSP level 3)."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:;"
        f" form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )


def page(template: str, status: int = 200, **values: Any) -> Response:
    """The document that ``templates/<template>.html`` makes of ``values`` and
    ``status``."""
    document = (
        _environment().get_template(f"{template}.html").render(values, status=status)
    )
    return Response(
        status,
        [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", policy()),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ],
        document.encode(),
    )
