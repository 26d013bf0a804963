"""Small pieces of HTML: everything that comes from a study is escaped here and nowhere else."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DEGREES = re.compile(r"\b(degC|degrees?_Celsius)\b")
EXPONENT = re.compile(r"([A-Za-z°µ])(-?\d+)(?![A-Za-z\d])")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Markup(str):
    """Text that is HTML already. Plain text becomes it through `escape` only."""

    __slots__ = ()


def escape(value: Any) -> Markup:
    """Any value as HTML text; `Markup` passes.

    Examples
    --------
    >>> escape("<b> & co")
    '&lt;b&gt; &amp; co'
    """
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def join(parts: Iterable[Any]) -> Markup:
    """Pieces one after the other; empty ones and None vanish."""
    return Markup("\n".join(escape(part) for part in parts if part))


def element(name: str, *content: Any, **attributes: str) -> Markup:
    """One element; ``class_`` is written ``class``.

    Examples
    --------
    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items() if value)
    return Markup(f"<{name}{written}>{''.join(escape(part) for part in content)}</{name}>")


def table(
    head: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Iterable[int] = (), marked: Iterable[int] = ()
) -> Markup:
    """A table; `numbers` are columns of figures, `marked` the rows of the headline."""
    numbers, marked = set(numbers), set(marked)

    def line(cells: Sequence[Any], kind: str) -> Markup:
        return join(element(kind, cell, class_="number" if place in numbers else "") for place, cell in enumerate(cells))

    body = [element("tr", line(cells, "td"), class_="headline" if place in marked else "") for place, cells in enumerate(rows)]
    whole = element("table", element("thead", element("tr", line(head, "th"))), element("tbody", join(body)))
    return element("div", whole, class_="scroll")


def pairs(values: Mapping[str, Any]) -> Markup:
    """Names and what they stand for, as a table without a head."""
    rows = [element("tr", element("th", name, scope="row"), element("td", value)) for name, value in values.items()]
    return element("table", element("tbody", join(rows)), class_="pairs")


def picture(png: bytes | None, *, alt: str, caption: Any) -> Markup:
    """An image inside the page; nothing where there is none."""
    if png is None:
        return Markup("")
    data = base64.b64encode(png).decode("ascii")
    image = Markup(f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">')
    return element("figure", image, element("figcaption", caption))


def bars(values: Mapping[str, float], *, texts: Mapping[str, str] | None = None, kind: str = "") -> Markup:
    """Horizontal bars, the longest as wide as there is room."""
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    largest = max((abs(value) for value in finite.values()), default=0.0) or 1.0
    lines = []
    for name, value in finite.items():
        fill = element("i", element("em", style=f"width:{100 * abs(value) / largest:.1f}%"))
        shown = texts[name] if texts else number(value)
        lines.append(element("div", element("span", name), fill, element("b", shown), class_=f"bar {kind}".strip()))
    return join(lines)


def number(value: Any, digits: int = 3) -> str:
    """A number for people: three figures, no exponent in everyday sizes, a dash where there is none.

    Examples
    --------
    >>> number(0.07861), number(1234.5), number(float("nan")), number(12)
    ('0.0786', '1,234', '–', '12')
    """
    if value is None or not isinstance(value, (int, float)) or not math.isfinite(value):
        return "–"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value != 0 and abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    places = digits if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(places, 4)}f}"


def unit_text(unit: str) -> str:
    """A unit with raised exponents and a sign for degrees.

    Examples
    --------
    >>> unit_text("m3 m-3"), unit_text("1"), unit_text("kg m-2 s-1"), unit_text("degC decade-1")
    ('m³ m⁻³', '', 'kg m⁻² s⁻¹', '°C decade⁻¹')
    """
    if unit == "1":
        return ""
    unit = DEGREES.sub("°C", unit)
    return EXPONENT.sub(lambda found: found[1] + found[2].translate(RAISED), unit)


def level_text(level: float) -> str:
    """A level in percent without needless decimals.

    Examples
    --------
    >>> level_text(0.9), level_text(0.975)
    ('90\xa0%', '97.5\xa0%')
    """
    return f"{round(100 * level, 6):g}\N{NO-BREAK SPACE}%"


def percent(part: float, whole: float) -> str:
    """A share in percent; a dash for a share of nothing.

    Examples
    --------
    >>> percent(1, 8), percent(0, 0)
    ('12.5\xa0%', '–')
    """
    return f"{100 * part / whole:.1f}\N{NO-BREAK SPACE}%" if whole else "–"
