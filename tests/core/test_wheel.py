"""Tests for ``netservices.core.wheel``."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.wheel import Deadline, Wheel


class Patient:
    """Something watched that notes when it was told."""

    def __init__(
        self,
        clock: Clock,
        deadline: float,
        then: Callable[[Patient], None] | None = None,
    ) -> None:
        self.clock = clock
        self.deadline = deadline
        self.then = then
        self.told_at: list[float] = []

    def expired(self) -> None:
        """Note the time."""
        self.told_at.append(self.clock.seconds())
        if self.then is not None:
            self.then(self)


class WheelTests(SynchronousTestCase):
    """A wheel of one second on a deterministic clock, started off the full second."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.3)
        self.wheel = Wheel(self.clock)

    def patient(
        self, seconds: float, then: Callable[[Patient], None] | None = None
    ) -> Patient:
        """A watched thing that expires ``seconds`` from now."""
        patient = Patient(self.clock, self.clock.seconds() + seconds, then)
        self.wheel.watch(patient)
        return patient

    def run_for(self, seconds: float) -> None:
        """Let time pass in steps of a tenth of a second."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def test_told_once(self) -> None:
        """A thing is told once, not before its deadline, within a granule of it."""
        patients = [self.patient(tenths / 10) for tenths in range(1, 60)]
        self.run_for(20)
        for patient in patients:
            self.assertEqual(1, len(patient.told_at))
            late = patient.told_at[0] - patient.deadline
            self.assertTrue(0 <= late < 1.11, late)

    def test_touch(self) -> None:
        """A deadline that moves on postpones the telling and costs no timer."""
        patient = self.patient(5)
        for _ in range(10):
            self.run_for(3)
            patient.deadline = self.clock.seconds() + 5
        self.assertEqual([], patient.told_at)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.run_for(7)
        self.assertEqual(1, len(patient.told_at))

    def test_earlier(self) -> None:
        """Watching again notes that the deadline has moved to an earlier time."""
        patient = self.patient(500)
        patient.deadline = self.clock.seconds() + 2
        self.wheel.watch(patient)
        self.run_for(4)
        self.assertEqual(1, len(patient.told_at))

    def test_nothing_pending_when_empty(self) -> None:
        """Without anything to watch no timer is left, whichever way it got empty."""
        patient = self.patient(3)
        self.patient(3)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.wheel.unwatch(patient)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.run_for(5)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.patient(3)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        other = self.patient(3)
        self.wheel.unwatch(other)
        self.wheel.unwatch(other)
        self.run_for(5)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.wheel.unwatch(self.patient(3))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual([], patient.told_at)
        self.assertEqual(0, len(self.wheel))

    def test_moved_on_when_told(self) -> None:
        """A thing that moves its deadline on when it is told stays watched."""

        def go_on(patient: Patient) -> None:
            patient.deadline = self.clock.seconds() + 10

        patient = self.patient(5, go_on)
        self.run_for(30)
        self.assertEqual(3, len(patient.told_at))
        self.assertEqual(1, len(self.wheel))

    def test_unwatched_when_told(self) -> None:
        """A thing that is unwatched while it is told is forgotten, even with a later
        deadline."""

        def leave(patient: Patient) -> None:
            patient.deadline = self.clock.seconds() + 10
            self.wheel.unwatch(patient)

        patient = self.patient(5, leave)
        self.run_for(30)
        self.assertEqual(1, len(patient.told_at))
        self.assertEqual(0, len(self.wheel))

    def test_one_tells_another(self) -> None:
        """A thing unwatched by another one of its slot is not told."""
        both: list[Patient] = []

        def unwatch_all(_patient: Patient) -> None:
            for patient in both:
                self.wheel.unwatch(patient)

        both += [self.patient(5, unwatch_all), self.patient(5, unwatch_all)]
        self.run_for(10)
        self.assertEqual(1, len(both[0].told_at) + len(both[1].told_at))

    def test_failure(self) -> None:
        """A thing that raises is logged; the others are told."""

        def fail(_patient: Patient) -> None:
            raise ValueError("no")

        failing = self.patient(5, fail)
        fine = self.patient(5)
        self.run_for(10)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertEqual(1, len(failing.told_at))
        self.assertEqual(1, len(fine.told_at))
        self.assertEqual(0, len(self.wheel))

    def test_late_reactor(self) -> None:
        """After a long standstill everything that is due is told, in order."""
        order: list[float] = []
        for seconds in (30, 10, 20):
            self.patient(seconds, lambda patient: order.append(patient.deadline))
        self.clock.advance(100000)
        self.assertEqual(sorted(order), order)
        self.assertEqual(3, len(order))

    def test_soon(self) -> None:
        """``soon`` is the next turn of the reactor."""
        called: list[None] = []
        self.wheel.soon(lambda: called.append(None))
        self.assertEqual([], called)
        self.clock.advance(0)
        self.assertEqual([None], called)


class DeadlineTests(SynchronousTestCase):
    """A function with a deadline."""

    def test_touch_and_call(self) -> None:
        """The function is called when the deadline was not touched for long enough."""
        clock = Clock()
        called: list[float] = []
        deadline = Deadline(Wheel(clock), 5, lambda: called.append(clock.seconds()))
        clock.pump([1] * 4)
        deadline.touch()
        clock.pump([1] * 4)
        self.assertEqual([], called)
        clock.pump([1] * 4)
        self.assertEqual(1, len(called))
        self.assertEqual([], clock.getDelayedCalls())

    def test_cancel(self) -> None:
        """A cancelled deadline calls nothing and leaves no timer."""
        clock = Clock()
        called: list[None] = []
        deadline = Deadline(Wheel(clock), 5, lambda: called.append(None))
        deadline.cancel()
        deadline.cancel()
        self.assertEqual([], clock.getDelayedCalls())
        clock.pump([1] * 10)
        self.assertEqual([], called)
