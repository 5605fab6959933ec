"""What parts of the process offer each other."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer

from netservices.core.partners import Partners


class IAnswers(Interface):
    """Something that is offered."""


@implementer(IAnswers)
class Answers:
    """Somebody who offers it."""


class PartnersTests(SynchronousTestCase):
    """Offering and finding."""

    def test_found(self) -> None:
        """What is offered is found under its interface; nothing else is."""
        partners, answers = Partners(), Answers()
        self.assertIsNone(partners.find(IAnswers))
        partners.offer(IAnswers, answers)

        self.assertIs(answers, partners.find(IAnswers))

    def test_refused(self) -> None:
        """There is one provider of an interface, and it is one indeed."""
        partners = Partners()
        with self.assertRaises(ValueError):
            partners.offer(IAnswers, object())
        partners.offer(IAnswers, Answers())
        with self.assertRaises(ValueError):
            partners.offer(IAnswers, Answers())
