"""Resources of twisted.web, and a klein application."""

from __future__ import annotations

import json
from typing import Any

from klein import Klein
from twisted.internet import reactor as the_reactor
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

reactor: Any = the_reactor
noted: list[Any] = []


class Echo(Resource):
    """Says what it was asked."""

    isLeaf = True  # noqa: N815

    def render(self, request: Any) -> bytes:
        """All of it."""
        request.setHeader(b"X-One", b"1")
        request.addCookie(b"a", b"b")
        told = {
            "method": request.method.decode(),
            "path": request.path.decode(),
            "prepath": [word.decode("latin-1") for word in request.prepath],
            "postpath": [word.decode("latin-1") for word in request.postpath],
            "args": {
                key.decode(): [value.decode() for value in values]
                for key, values in request.args.items()
            },
            "url": request.prePathURL().decode(),
            "client": request.getClientAddress().host,
            "content": len(request.content.read()),
            "secure": request.isSecure(),
        }
        return json.dumps(told).encode()


class Later(Resource):
    """Answers in a later turn."""

    isLeaf = True  # noqa: N815

    def render_GET(self, request: Any) -> Any:
        """In two pieces."""

        def write(_: object) -> None:
            request.write(b"first ")
            reactor.callLater(0, finish)

        def finish() -> None:
            request.write(b"last")
            request.finish()

        deferLater(reactor, 0, lambda: None).addCallback(write)
        return NOT_DONE_YET


class Never(Resource):
    """Does not answer, and notes how it ends."""

    isLeaf = True  # noqa: N815

    def render_GET(self, request: Any) -> Any:
        """Nothing."""
        request.notifyFinish().addErrback(lambda failure: noted.append(failure.type))
        return NOT_DONE_YET


class Failing(Resource):
    """Fails."""

    isLeaf = True  # noqa: N815

    def render_GET(self, request: Any) -> bytes:
        """On purpose."""
        raise ZeroDivisionError("on purpose")


class Session(Resource):
    """Counts visits in a session of twisted.web."""

    isLeaf = True  # noqa: N815

    def render_GET(self, request: Any) -> bytes:
        """The count."""
        session = request.getSession()
        session.visits = getattr(session, "visits", 0) + 1
        return str(session.visits).encode()


@implementer(IPullProducer)
class Pulled:
    """Writes a piece each time it is asked."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.left = 100

    def resumeProducing(self) -> None:
        """One more."""
        self.request.write(b"x" * 10000)
        self.left -= 1
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        """The end."""
        noted.append("stopped")


@implementer(IPushProducer)
class Pushed:
    """Writes a piece a turn, unless it is paused."""

    def __init__(self, request: Any, pieces: int) -> None:
        self.request = request
        self.left = pieces
        self.is_paused = False
        self.most = 0
        self.turn()

    def turn(self) -> None:
        """One more."""
        if self.is_paused or not self.left:
            return
        self.request.write(b"x" * 65536)
        self.left -= 1
        if self.left:
            reactor.callLater(0, self.turn)
        else:
            self.request.unregisterProducer()
            self.request.finish()

    def pauseProducing(self) -> None:
        """Enough for now."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self.is_paused = False
        self.turn()

    def stopProducing(self) -> None:
        """The end."""
        noted.append(self.left)
        self.left = 0


class Produced(Resource):
    """Content from a producer."""

    isLeaf = True  # noqa: N815

    def render_GET(self, request: Any) -> Any:
        """Pulled or pushed."""
        if b"pull" in request.args:
            request.registerProducer(Pulled(request), False)
        else:
            pieces = int(request.args[b"push"][0])
            producer = Pushed(request, pieces)
            request.registerProducer(producer, True)
        return NOT_DONE_YET


def tree() -> Resource:
    """All of them."""
    root = Resource()
    for name, kind in (
        (b"echo", Echo),
        (b"later", Later),
        (b"never", Never),
        (b"failing", Failing),
        (b"session", Session),
        (b"produced", Produced),
    ):
        root.putChild(name, kind())
    return root


leaf = Echo()
app = Klein()


@app.route("/")
def root_page(request: Any) -> str:
    """The first page."""
    return "root"


@app.route("/hello/<name>")
async def hello(request: Any, name: str) -> str:
    """A page."""
    await deferLater(reactor, 0, lambda: None)
    return f"Hello, {name}!"


@app.route("/in/", branch=True)
def branch(request: Any) -> Resource:
    """A resource below."""
    return Echo()
