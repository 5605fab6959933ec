"""A Django project in one file, as WSGI and as ASGI application."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not secret",  # noqa: S106
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)

from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path, reverse  # noqa: E402


def page(request: HttpRequest, name: str) -> HttpResponse:
    """Says what it was asked."""
    file: Any = request.FILES.get("file")
    told = {
        "name": name,
        "here": request.path,
        "link": reverse(page, args=["x"]),
        "file": [file.name, file.size] if file else None,
        "fields": request.POST.dict(),
    }
    return HttpResponse(json.dumps(told), content_type="application/json")


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    """Content in pieces."""
    return StreamingHttpResponse(b"x" * 1000 for _ in range(100))


urlpatterns = [path("page/<name>/", page), path("stream", streamed)]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
