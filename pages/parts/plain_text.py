"""Text of faults and file names, shown as it is: no markup in it is followed."""

from __future__ import annotations

import re


def plain_text(text: str) -> str:
    """Escape what Markdown would read as markup, such as a picture from elsewhere; lines stay lines.

    Examples
    --------
    >>> plain_text("![x](http://a)")
    '\\\\!\\\\[x\\\\](http\\\\://a)'
    """
    return re.sub(r"([\\`*_\[\]{}<>#!$~|:])", r"\\\1", text).replace("\n", "  \n")


def shown_title(title: str) -> str:
    """A title without the word that simulated studies begin with, for places that have a mark of their own for it.

    Examples
    --------
    >>> shown_title("SIMULATED: moisture")
    'Moisture'
    """
    plain = title.removeprefix("SIMULATED: ")
    return title if plain == title else plain[:1].upper() + plain[1:]
