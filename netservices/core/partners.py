"""What parts of the process offer each other without knowing each other.

A provider is offered under an interface of ``netservices.interfaces`` while the parts
are made, and looked for when it is needed: a protocol that does not run offers
nothing::

    services.partners.offer(INameAnswers, authority)
    answers = services.partners.find(INameAnswers)  # None without --dns
"""

from __future__ import annotations

from typing import Any


class Partners:
    """Providers by interface; one each."""

    def __init__(self) -> None:
        self._providers: dict[Any, Any] = {}

    def offer(self, interface: Any, provider: Any) -> None:
        """``provider`` is what others find under ``interface`` from now on.  ValueError
        where there is one already, or it does not provide the interface."""
        if interface in self._providers:
            raise ValueError(f"{interface.__name__} is offered twice")
        if not interface.providedBy(provider):
            raise ValueError(f"{provider!r} is no {interface.__name__}")
        self._providers[interface] = provider

    def find(self, interface: Any) -> Any:
        """The provider; None where nobody offers it."""
        return self._providers.get(interface)
