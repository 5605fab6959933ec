"""XML as clients send it: a small tree of elements, and back.

The parser is expat, which knows namespaces.  What could cost more than its octets is
refused: a document type with its entities at all, and too much depth, too many elements
or attributes.  What clients note about files is kept as it was written, prefixes and
languages included (RFC 4918 4.3 and 4.4).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import define, field

from netservices.web.problems import Problem

MAX_DEPTH = 40
MAX_ELEMENTS = 1000
MAX_ATTRIBUTES = 64

DAV = "DAV:"
_XML = "http://www.w3.org/XML/1998/namespace"
_LANGUAGE = f"{{{_XML}}}lang"
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_SPACES = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
_QUOTED = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", **_SPACES})

Name: TypeAlias = str
"""``{namespace}local``; the local name alone where there is no namespace."""


@define
class Element:
    """An element, with what is in it."""

    name: Name
    prefix: str = ""
    attributes: dict[Name, tuple[str, str]] = field(factory=dict)
    """Prefix and value by name."""
    parts: list[Element | str] = field(factory=list)
    language: str = ""
    """That of the text in it, as far as elements around it say."""

    @property
    def elements(self) -> list[Element]:
        """The elements in it, text left out."""
        return [part for part in self.parts if isinstance(part, Element)]

    def find(self, name: Name) -> Element | None:
        """The first element in it of that name."""
        return next((one for one in self.elements if one.name == name), None)

    @property
    def text(self) -> str:
        """The text directly in it."""
        return "".join(part for part in self.parts if isinstance(part, str))


def dav(local: str) -> Name:
    """A name of WebDAV itself."""
    return f"{{{DAV}}}{local}"


def split_name(name: Name) -> tuple[str, str]:
    """Namespace and local name."""
    if name.startswith("{"):
        namespace, _, local = name[1:].rpartition("}")
        return namespace, local
    return "", name


def escaped(text: str) -> str:
    """Text as it stands in XML."""
    return text.translate(_TEXT)


# --- reading ------------------------------------------------------------------------


class _Reader:
    """Takes what expat finds."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: list[str]) -> None:
        self._count += 1
        pairs = [*zip(attributes[::2], attributes[1::2], strict=True)]
        if (
            len(self._open) >= MAX_DEPTH
            or self._count > MAX_ELEMENTS
            or len(pairs) > MAX_ATTRIBUTES
        ):
            raise Problem(413, "The XML holds too much.")
        clark, prefix = _named(name)
        element = Element(clark, prefix)
        for written, value in pairs:
            clark, prefix = _named(written)
            element.attributes[clark] = prefix, value
        around = self._open[-1] if self._open else None
        said = element.attributes.get(_LANGUAGE)
        if said is not None:
            element.language = said[1]
        elif around is not None:
            element.language = around.language
        if around is None:
            self.root = element
        else:
            around.parts.append(element)
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].parts.append(text)

    def refuse(self, *_: Any) -> None:
        raise Problem(400, "XML with a document type is not taken.")


def _named(written: str) -> tuple[Name, str]:
    """The name that expat tells as namespace, local name and prefix."""
    words = written.split(" ")
    if len(words) == 1:
        return words[0], ""
    return f"{{{words[0]}}}{words[1]}", words[2] if len(words) > 2 else ""


def parse(data: bytes) -> Element:
    """The root of a document.  Problem 400 for what is no XML, 413 for too much."""
    # Only here: a server that nobody asks for WebDAV does without.
    from xml.parsers import expat

    reader = _Reader()
    parser = expat.ParserCreate(None, " ")
    parser.namespace_prefixes = True
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Problem(400, f"That is no XML: {error}.") from None
    if reader.root is None:
        raise Problem(400, "That is no XML.")
    return reader.root


# --- writing ------------------------------------------------------------------------


def written(element: Element, keeps_language: bool = False) -> str:
    """The element as text that stands for itself: all that it needs is declared in it;
    with ``keeps_language``, what elements around it said of its language, too."""
    out: list[str] = []
    language = element.language if keeps_language else ""
    if language and _LANGUAGE not in element.attributes:
        attributes = {**element.attributes, _LANGUAGE: ("xml", language)}
        element = Element(element.name, element.prefix, attributes, element.parts)
    _write(element, {"xml": _XML, "": ""}, out)
    return "".join(out)


def _write(element: Element, scope: dict[str, str], out: list[str]) -> None:
    declared: dict[str, str] = {}
    tag = _qualified(element.name, element.prefix, scope, declared)
    words = [tag]
    for name, (prefix, value) in element.attributes.items():
        qualified = name
        if name.startswith("{"):
            qualified = _qualified(name, prefix or "a", scope, declared)
        words.append(f'{qualified}="{value.translate(_QUOTED)}"')
    for prefix, namespace in declared.items():
        xmlns = f"xmlns:{prefix}" if prefix else "xmlns"
        words.append(f'{xmlns}="{namespace.translate(_QUOTED)}"')
    if not element.parts:
        out.append(f"<{' '.join(words)}/>")
        return
    out.append(f"<{' '.join(words)}>")
    inner = {**scope, **declared}
    for part in element.parts:
        if isinstance(part, str):
            out.append(part.translate(_TEXT))
        else:
            _write(part, inner, out)
    out.append(f"</{tag}>")


def _qualified(
    name: Name, prefix: str, scope: dict[str, str], declared: dict[str, str]
) -> str:
    """The name with a prefix that stands for its namespace here."""
    namespace, local = split_name(name)
    if not namespace:
        prefix = ""
    while declared.get(prefix, namespace) != namespace:
        prefix += "_"
    if declared.get(prefix, scope.get(prefix)) != namespace:
        declared[prefix] = namespace
    return f"{prefix}:{local}" if prefix else local
