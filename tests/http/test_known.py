"""Answers that are known by heart."""

from __future__ import annotations

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.limits import Limits, LimitsSettings
from netservices.core.settings import with_values
from netservices.http.layers.rates import RequestRates
from netservices.http.server.connection import HANDLER_STEPS, STEPS_A_TURN
from netservices.http.server.known import LONGEST_ANSWER, Finished, Known
from netservices.http.settings import HTTPSettings
from netservices.http.wire.head import parse_head
from netservices.web.request import Request
from netservices.web.response import Answer, Response
from tests.http.talk import DATE, Talk

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
MUCH = 1_000_000


@define
class Holds:
    """A handler whose answers last while ``is_true``, and the requests it was asked."""

    body: bytes = b"hello"
    status: int = 200
    is_true: bool = True
    asked: list[str] = field(factory=list)

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request.path)
        return Response(self.status, [("X", "y")], self.body, lasting=self)

    def is_current(self, now: float) -> bool:
        """Part of ``Lasting``."""
        return self.is_true


def finished(content: bytes, handler: Holds) -> Finished:
    """An answer to ``GET``."""
    return Finished(parse_head(GET), 200, handler, True, (b"A\r\n", DATE, content))


class RepeatTests(SynchronousTestCase):
    """Requests that come again."""

    def test_answered_without_the_handler(self) -> None:
        """From the third time on, an answer that lasts is sent as it was."""
        handler = Holds()
        talk = Talk(handler, known=Known(MUCH))
        answers = {talk.send(GET) for _ in range(5)}

        self.assertEqual(
            {b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"}, answers
        )
        self.assertEqual(["/a", "/a"], handler.asked)

    def test_asked_once_is_not_kept(self) -> None:
        """What is asked for once takes no room."""
        known = Known(MUCH)
        Talk(Holds(), known=known).send(GET)

        self.assertEqual((0, {}), (known.octets, known.answers))

    def test_only_while_it_holds(self) -> None:
        """An answer that is not current is forgotten, and its handler asked."""
        handler = Holds()
        known = Known(MUCH)
        talk = Talk(handler, known=known)
        for _ in range(3):
            talk.send(GET)
        handler.is_true, handler.body = False, b"other"

        self.assertTrue(talk.send(GET).endswith(b"other"))
        self.assertEqual(3, len(handler.asked))

    def test_date_is_of_now(self) -> None:
        """Date tells the second in which the answer was sent.  RFC 9110 6.6.1."""
        talk = Talk(Holds(), known=Known(MUCH))
        for _ in range(3):
            talk.send(GET)
        talk.shared.time = lambda: 784111777.0
        talk.send(GET)

        self.assertIn(
            b"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nhello", talk.wire.value()
        )

    def test_pipeline(self) -> None:
        """Known and unknown requests that come together are answered in order."""
        handler = Holds()
        talk = Talk(handler, known=Known(MUCH))
        one = talk.send(GET)
        talk.send(GET)
        other = GET.replace(b"/a", b"/b")

        self.assertEqual(one * 6, talk.send(GET + other + GET * 4))
        self.assertEqual(["/a", "/a", "/b"], handler.asked)

    def test_others_have_their_turn(self) -> None:
        """A long pipeline is answered bit by bit; others are heard between, and sooner
        where a handler has to be asked."""
        talk = Talk(Holds(), known=Known(MUCH))
        one = talk.send(GET)
        talk.send(GET)
        talk.send(GET * 1000)
        self.assertEqual(STEPS_A_TURN, talk.said().count(one))
        while talk.clock.getDelayedCalls():
            seen = len(talk.said())
            talk.clock.advance(0)
            if len(talk.said()) == seen:
                break
        self.assertEqual(one * 1000, talk.said())

        unknown = Talk(Holds())
        unknown.send(GET * 1000)
        self.assertEqual(STEPS_A_TURN // HANDLER_STEPS, unknown.said().count(one))

    def test_pieces(self) -> None:
        """A head that comes in pieces is known as well."""
        handler = Holds()
        talk = Talk(handler, known=Known(MUCH))
        one = talk.send(GET)
        for split in range(1, len(GET)):
            self.assertEqual(b"", talk.send(GET[:split]))
            self.assertEqual(one, talk.send(GET[split:]))
        self.assertEqual(2, len(handler.asked))

    def test_close(self) -> None:
        """Who asks for the end of the connection gets it each time."""
        handler = Holds()
        known = Known(MUCH)
        ask = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        answers = set()
        for _ in range(4):
            talk = Talk(handler, known=known)
            answers.add(talk.send(ask))
            self.assertTrue(talk.is_closed)
        self.assertEqual(2, len(handler.asked))
        self.assertEqual(1, len(answers))

    def test_head(self) -> None:
        """The answer to HEAD is kept without content, beside that to GET."""
        talk = Talk(Holds(), known=Known(MUCH))
        ask = GET.replace(b"GET", b"HEAD")
        for _ in range(4):
            answer = talk.send(ask)
            self.assertTrue(answer.endswith(b"Content-Length: 5\r\n\r\n"))
            self.assertTrue(talk.send(GET).endswith(b"\r\n\r\nhello"))

    def test_not_modified(self) -> None:
        """304 is kept like any other answer."""
        handler = Holds(b"", 304)
        talk = Talk(handler, known=Known(MUCH))
        answers = {talk.send(GET) for _ in range(4)}

        self.assertEqual({b"HTTP/1.1 304 Not Modified\r\nX: y\r\n\r\n"}, answers)
        self.assertEqual(2, len(handler.asked))

    def test_requests_are_counted(self) -> None:
        """The last request of a connection gets an answer that says so."""
        talk = Talk(Holds(), known=Known(MUCH), requests_per_connection=4)
        answers = [talk.send(GET) for _ in range(4)]

        self.assertNotIn(b"Connection: close", answers[2])
        self.assertIn(b"Connection: close", answers[3])
        self.assertTrue(talk.is_closed)

    def test_rates_are_kept(self) -> None:
        """An address that asks too often is refused, whatever is known."""
        handler = Holds()
        settings = with_values(HTTPSettings, requests_per_second=1, request_burst=6)
        rates = RequestRates(settings, Limits(LimitsSettings(), lambda: 0.0))
        talk = Talk(lambda request: rates(request, handler), known=Known(MUCH))
        talk.shared.rates = rates
        answers = [talk.send(GET)[9:12] for _ in range(8)]

        self.assertEqual([b"200"] * 6 + [b"429"] * 2, answers)
        self.assertEqual(2, len(handler.asked))

    def test_other_server_names(self) -> None:
        """On a TLS connection that was made for another host the handler is asked: it
        may refuse there."""
        handler = Holds()
        known = Known(MUCH)
        for name in ("a.example", "a.example", "a.example", "b.example"):
            talk = Talk(handler, known=known)
            talk.connection.server_name = name
            talk.send(GET)

        self.assertEqual(3, len(handler.asked))

    def test_counted_and_logged(self) -> None:
        """An answer from memory is an answer like any other."""
        talk = Talk(Holds(), known=Known(MUCH))
        for _ in range(5):
            talk.send(GET)

        status = talk.shared.access.status()
        self.assertEqual((5, 25), (status["answers_2xx"], status["sent_octets"]))


class NotKeptTests(SynchronousTestCase):
    """What is never known by heart."""

    def assert_asked(self, ask: bytes, handler: Holds | None = None) -> None:
        """Each such request goes to the handler."""
        handler = handler or Holds()
        talk = Talk(handler, known=Known(MUCH))
        for _ in range(4):
            talk.send(ask)
        self.assertEqual(4, len(handler.asked))

    def test_credentials(self) -> None:
        """Heads with credentials are not kept, nor the answers to them."""
        for name in (b"Authorization", b"Cookie", b"Proxy-Authorization"):
            self.assert_asked(GET[:-2] + name + b": x\r\n\r\n")

    def test_content(self) -> None:
        """A request with content is asked anew."""
        ask = GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: 1\r\n\r\nx"
        self.assert_asked(ask)

    def test_long_heads(self) -> None:
        """Long heads are hardly repeated."""
        self.assert_asked(GET[:-2] + b"X: " + b"x" * 3000 + b"\r\n\r\n")

    def test_long_answers(self) -> None:
        """Long answers take too much room."""
        self.assert_asked(GET, Holds(bytes(LONGEST_ANSWER + 1)))

    def test_not_lasting(self) -> None:
        """A handler that does not say that its answer lasts is asked each time."""
        asked = []

        def answer(request: Request) -> Answer:
            asked.append(request)
            return Response(body=b"x")

        talk = Talk(answer, known=Known(MUCH))
        for _ in range(4):
            talk.send(GET)
        self.assertEqual(4, len(asked))


class RoomTests(SynchronousTestCase):
    """What is kept is bounded."""

    def test_octets(self) -> None:
        """More octets than allowed are never kept; what was used lately stays."""
        known, handler = Known(100_000), Holds()
        date = DATE + b"\r\n"
        for number in range(100):
            raw = b"%d" % number
            known.learn_answer(raw, finished(bytes(10_000), handler), date)
            self.assertLessEqual(known.octets, 100_000)
            if b"0" in known.answers:
                known.answers[b"0"].octets(date)

        self.assertIn(b"99", known.answers)
        self.assertIn(b"0", known.answers)

    def test_all_is_given_back(self) -> None:
        """Nothing is counted that is not there."""
        known, handler = Known(MUCH), Holds()
        for content in (b"1", b"22"):
            known.learn_answer(b"x", finished(content, handler), DATE)
        known.forget(b"x")
        known.forget(b"x")

        self.assertEqual(0, known.octets)

    def test_heads(self) -> None:
        """So many heads are kept, and no more."""
        known = Known(MUCH)
        head = parse_head(GET)
        for number in range(3000):
            known.learn_head(b"%d" % number, head)

        self.assertIsNone(known.head(b"0"))
        self.assertIs(head, known.head(b"2999"))
