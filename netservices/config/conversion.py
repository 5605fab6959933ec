"""Written values become typed ones: TOML values, and the text after ``--set key=``.

cattrs structures each value by its annotation; the hooks here are strict where cattrs
is generous (``"1"`` is no ``int``, ``1`` is no ``bool``), because a configuration that
is nearly right should be refused, not guessed at.  Every error is a ``ValueError``
whose text says what is wanted.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from netservices.core.settings import Duration, PortRange, Setting, Size

if TYPE_CHECKING:
    import cattrs

_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}

_WANTED = {
    bool: "true or false is wanted",
    int: "a whole number is wanted",
    float: "a number is wanted",
    str: "text in quotation marks is wanted",
}


def _strict(wanted: type) -> Any:
    """A hook that takes values of exactly the type ``wanted``."""

    def structure(value: object, _type: object) -> object:
        if wanted is float and type(value) is int:
            return float(value)
        if type(value) is not wanted:
            raise ValueError(_WANTED[wanted])
        return value

    return structure


def _parsed(wanted: Any) -> Any:
    """A hook that leaves the work to the type's ``parse``."""

    def structure(value: object, _type: object) -> object:
        if isinstance(value, list | dict):
            raise ValueError("one value is wanted, not a list or table")
        return wanted.parse(value)

    return structure


@cache
def _converter() -> cattrs.Converter:
    import cattrs

    converter = cattrs.Converter(detailed_validation=False)
    for plain in (bool, int, float, str):
        converter.register_structure_hook(plain, _strict(plain))
    for parsed in (Duration, Size, PortRange):
        converter.register_structure_hook(parsed, _parsed(parsed))
    return converter


def structure(value: object, setting: Setting) -> Any:
    """``value`` as the type of ``setting``, within its limits.  ValueError."""
    if get_origin(setting.type) is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError("a list in square brackets is wanted")
        value = list(value)
    typed = _converter().structure(value, setting.type)
    for one in typed if isinstance(typed, tuple) else (typed,):
        _check_limits(one, setting)
        if setting.check is not None:
            setting.check(one)
    return typed


def _check_limits(value: Any, setting: Setting) -> None:
    if setting.choices and value not in setting.choices:
        raise ValueError(_choice_wanted(value, setting.choices))
    if value is None or isinstance(value, str | PortRange):
        return
    for limit, is_wrong, word in (
        (setting.minimum, lambda: value < setting.minimum, "at least"),
        (setting.maximum, lambda: value > setting.maximum, "at most"),
    ):
        if limit is not None and is_wrong():
            limit_written = type(value)(limit)
            raise ValueError(f"{word} {limit_written} is wanted")


def _choice_wanted(value: object, choices: tuple[str, ...]) -> str:
    """What to write instead, the nearest one first."""
    folded = {choice.casefold(): choice for choice in choices}
    near = get_close_matches(str(value).casefold(), folded, 1)
    question = f"; did you mean {folded[near[0]]}?" if near else ""
    return f"one of {', '.join(choices)} is wanted{question}"


def from_text(text: str, wanted: Any) -> object:
    """What TOML would have given for ``text`` typed at a command line.  ValueError."""
    if get_origin(wanted) is Union or type(wanted).__name__ == "UnionType":
        wanted = next(arm for arm in get_args(wanted) if arm is not type(None))
    if get_origin(wanted) is tuple:
        return _list_from_text(text, get_args(wanted)[0])
    if wanted is bool:
        if text.lower() not in _WORDS:
            raise ValueError(_WANTED[bool])
        return _WORDS[text.lower()]
    if wanted in (int, float):
        try:
            return wanted(text)
        except ValueError:
            raise ValueError(_WANTED[wanted]) from None
    return _number_or_text(text) if wanted in (Duration, Size) else text


def _number_or_text(text: str) -> float | int | str:
    """Durations and sizes may be bare numbers."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _list_from_text(text: str, element: Any) -> list[object]:
    """``a,b`` or a TOML array ``["a", "b"]``; nothing is the empty list."""
    if text.lstrip().startswith("["):
        import tomllib

        try:
            return list(tomllib.loads(f"list = {text}")["list"])
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"not a TOML list: {error}") from None
    return [from_text(part.strip(), element) for part in text.split(",") if part]


def written(value: object) -> str:
    """``value`` as it stands in a TOML file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Duration | PortRange):
        return f'"{value}"'
    if isinstance(value, Size):
        text = str(value)
        return text if text.isdigit() else f'"{text}"'
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(part) for part in value)}]"
    text = "" if value is None else str(value)
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else _escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    """A control character as TOML writes it: a terminal must not obey it."""
    number = ord(character)
    return f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"


def type_name(wanted: Any) -> str:
    """The type as the manual names it."""
    names = {
        bool: "true or false",
        int: "number",
        float: "number",
        str: "text",
        Duration: "duration",
        Size: "size",
        PortRange: "port range",
    }
    if get_origin(wanted) is tuple:
        return f"list of {type_name(get_args(wanted)[0])}s".replace("texts", "text")
    if get_args(wanted):
        arms = [arm for arm in get_args(wanted) if arm is not type(None)]
        return type_name(arms[0])
    return names.get(wanted, getattr(wanted, "__name__", str(wanted)))
