"""Pages that people see."""

from __future__ import annotations

import base64
import hashlib
import re

from twisted.trial.unittest import SynchronousTestCase

from netservices.web.pages import page


class PageTests(SynchronousTestCase):
    """Documents from templates."""

    def test_escaped(self) -> None:
        """What a page is told is shown as text, never run."""
        evil = "<script>alert('1')</script>"
        made = page("error", 404, reason="Not Found", detail=evil, home=False)
        assert isinstance(made.body, bytes)

        self.assertEqual(404, made.status)
        self.assertNotIn(b"<script", made.body)
        self.assertIn(b"&lt;script&gt;", made.body)

    def test_policy(self) -> None:
        """The policy names the hash of the very style that stands in the page."""
        made = page("error", 404, reason="Not Found", detail="", home=False)
        assert isinstance(made.body, bytes)
        style = re.search(b"<style>(.*?)</style>", made.body, re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()

        self.assertIn(f"'sha256-{digest}'", made.get("Content-Security-Policy"))
        self.assertNotIn("unsafe", made.get("Content-Security-Policy"))
