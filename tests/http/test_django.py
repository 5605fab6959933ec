"""Django behind a real server, both ways."""

from __future__ import annotations

import json

from tests.http.live import LiveCase

SITE = "tests.http.guests.django_site"


class DjangoTests(LiveCase):
    """A small project."""

    async def test_site(self) -> None:
        """Pages, links that know the mount, redirections, forms with files."""
        await self.serve(f"/w wsgi:{SITE}:wsgi", f"/a asgi:{SITE}:asgi")
        content = (
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n'
            b"Content-Type: text/plain\r\n\r\n" + b"x" * 600_000 + b"\r\n--b--\r\n"
        )
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        for mount in ("/w", "/a"):
            reply = await self.ask(f"{mount}/page/J%C3%BCrgen/", "POST", content, kind)
            self.assertEqual(
                {
                    "name": "Jürgen",
                    "here": f"{mount}/page/Jürgen/",
                    "link": f"{mount}/page/x/",
                    "file": ["x", 600_000],
                    "fields": {"a": "1"},
                },
                json.loads(reply.content),
            )
            reply = await self.ask(f"{mount}/page/x")
            self.assertEqual(
                (301, f"{mount}/page/x/"), (reply.status, reply.fields["Location"])
            )
            self.assertEqual(404, (await self.ask(f"{mount}/nothing")).status)
            self.assertEqual(100_000, len((await self.ask(f"{mount}/stream")).content))
