"""Interfaces say what their implementations do: every class, every method."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementedBy
from zope.interface.exceptions import Invalid
from zope.interface.interface import InterfaceClass, Method
from zope.interface.verify import verifyClass

import netservices
from netservices import interfaces, plugin

OURS = {interfaces.__name__, plugin.__name__}


def classes() -> Iterator[type]:
    """Every class of the package, each once."""
    for found in pkgutil.walk_packages(netservices.__path__, "netservices."):
        if found.name.endswith("__main__"):
            continue
        for one in vars(import_module(found.name)).values():
            if inspect.isclass(one) and one.__module__ == found.name:
                yield one


def seams() -> Iterator[InterfaceClass]:
    """Every interface of ours."""
    for module in (interfaces, plugin):
        for one in vars(module).values():
            if isinstance(one, InterfaceClass) and one.__module__ in OURS:
                yield one


class InterfaceTests(SynchronousTestCase):
    """All that is declared with ``implementer``."""

    def test_classes(self) -> None:
        """Every class has the methods of the interfaces that it declares, Twisted's
        included, with arguments that fit."""
        problems, count = [], 0
        for one in classes():
            for interface in implementedBy(one).flattened():
                if interface is Interface:
                    continue
                count += 1
                try:
                    verifyClass(interface, one)
                except Invalid as problem:
                    problems.append(f"{one.__module__}.{one.__name__}: {problem}")
        self.assertEqual([], problems)
        self.assertGreater(count, 20)

    def test_arguments(self) -> None:
        """Our classes take the arguments of our interfaces by the same names, in the
        same order, with the same defaults; what they take beyond that is optional."""
        differences = []
        for one in classes():
            for interface in implementedBy(one):
                if interface.__module__ in OURS:
                    differences += self.differences(interface, one)
        self.assertEqual([], differences)

    def differences(self, interface: Any, one: type) -> list[str]:
        """The methods whose arguments are others than the interface says."""
        found = []
        for name, method in interface.namesAndDescriptions(all=True):
            if not isinstance(method, Method):
                continue
            wanted = method.getSignatureInfo()
            parameters = list(
                inspect.signature(getattr(one, name)).parameters.values()
            )[1:]
            named = [each for each in parameters if each.kind is not each.VAR_KEYWORD]
            count = len(wanted["positional"])
            defaults = {
                each.name: each.default
                for each in named[:count]
                if each.default is not each.empty
            }
            if (
                [each.name for each in named[:count]] != list(wanted["positional"])
                or defaults != wanted["optional"]
                or any(each.default is each.empty for each in named[count:])
            ):
                names = [each.name for each in named]
                found.append(f"{one.__module__}.{one.__name__}.{name}: {names}")
        return found

    def test_implemented(self) -> None:
        """Every interface of ours is implemented by something here."""
        implemented = {each for one in classes() for each in implementedBy(one)}
        self.assertEqual(
            [], [one.__name__ for one in seams() if one not in implemented]
        )

    def test_documented(self) -> None:
        """Every method and attribute of an interface says what it is."""
        for interface in seams():
            for name, described in interface.namesAndDescriptions():
                self.assertTrue(described.__doc__, f"{interface.__name__}.{name}")
