"""Write TOML by hand, so that every value can carry a comment."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def toml_string(text: str) -> str:
    """A basic string with everything escaped that TOML wants escaped.

    Examples
    --------
    >>> print(toml_string('a "b" \\\\ c'))
    "a \\"b\\" \\\\ c"
    """
    parts = []
    for letter in text:
        code = ord(letter)
        if letter in ESCAPES:
            parts.append(ESCAPES[letter])
        elif code < 0x20 or code == 0x7F or 0xD800 <= code <= 0xDFFF:
            # A lone surrogate (a file name in no known encoding) has no place in TOML: U+FFFD stands for it.
            parts.append("\\uFFFD" if code > 0x7F else f"\\u{code:04X}")
        else:
            parts.append(letter)
    return f'"{"".join(parts)}"'


def toml_key(name: str) -> str:
    """A key, in quotes where it must be.

    Examples
    --------
    >>> toml_key("site_id"), toml_key("站点")
    ('site_id', '"站点"')
    """
    return name if BARE_KEY.fullmatch(name) else toml_string(name)


def toml_value(value: Any) -> str:
    """A value on one line: text, whole number, decimal number, truth value, list, or inline table.

    Raises
    ------
    TypeError
        TOML has no such value (None among them).

    Examples
    --------
    >>> toml_value([1, 2.5, True, "a"]), toml_value({"a b": -9999.0})
    ('[1, 2.5, true, "a"]', '{ "a b" = -9999.0 }')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {"inf": "inf", "-inf": "-inf", "nan": "nan"}[str(value)]
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{toml_key(str(name))} = {toml_value(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise TypeError(f"TOML has no value for {type(value).__name__}: text, numbers, truth values, lists and tables are expected.")


def toml_comment(text: str) -> str:
    """A comment on one line; control characters become spaces.

    Examples
    --------
    >>> toml_comment("two\\nlines")
    '# two lines'
    """
    return "# " + re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", text).strip()


class TomlText:
    """A TOML text that grows line by line.

    Examples
    --------
    >>> text = TomlText()
    >>> text.table("grid")
    >>> text.line("like", "dem.tif", "12 of 14 rasters lie on it")
    >>> print(text.text())
    [grid]
    like = "dem.tif"  # 12 of 14 rasters lie on it
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def comment(self, text: str) -> None:
        """Add a comment of its own line."""
        self.lines.append(toml_comment(text))

    def table(self, name: str, *, item: bool = False, off: bool = False) -> None:
        """Begin a table, or an item of a list of tables; `off` writes it as a comment."""
        heading = f"[[{name}]]" if item else f"[{name}]"
        self.lines += ["", toml_comment(heading) if off else heading] if self.lines else [heading]

    def line(self, name: str, value: Any, why: str = "", *, off: bool = False) -> None:
        """Add a key with its value and the reason; `off` writes it as a comment, ready to be switched on."""
        text = f"{toml_key(name)} = {toml_value(value)}"
        text += f"  {toml_comment(why)}" if why else ""
        self.lines.append(f"# {text}" if off else text)

    def text(self) -> str:
        """The whole text."""
        return "\n".join(self.lines)
