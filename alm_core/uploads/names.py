"""Names of uploaded files: what is shown of them, and the layer names that are made from them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from alm_core.uploads.faults import UploadError
from alm_core.uploads.limits import NAME_LETTERS

RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d|mask", re.IGNORECASE)
"""Names that Windows keeps for devices, and that the staged covariates keep for the mask."""


def base_name(name: str) -> str:
    """The last part of a name, whichever way its folders are written.

    Examples
    --------
    >>> base_name("../../etc/passwd"), base_name("C:\\\\maps\\\\dem.tif")
    ('passwd', 'dem.tif')
    """
    return re.split(r"[/\\]", name)[-1]


def shown_name(name: str) -> str:
    """A file's name as a message may show it: no control characters, no markup, not too long.

    Examples
    --------
    >>> shown_name("a\\x00b<i>.tif")
    'ab_i_.tif'
    """
    plain = "".join(letter for letter in base_name(name) if unicodedata.category(letter)[0] != "C")
    plain = re.sub(r"[^\w .()+-]", "_", plain).strip()
    if len(plain) > 2 * NAME_LETTERS:
        plain = f"{plain[:NAME_LETTERS]}…{plain[-NAME_LETTERS:]}"
    return plain or "the file"


def checked_suffix(name: str, allowed: Collection[str]) -> str:
    """The suffix of a name, which must be one of `allowed`.

    Raises
    ------
    UploadError
        It is another one, or there is none.
    """
    _, dot, suffix = base_name(name).rpartition(".")
    found = f".{suffix.lower()}" if dot else ""
    if found not in allowed:
        shown = shown_name(name)
        raise UploadError(f"{shown} is not one of the kinds that are taken here: {', '.join(allowed)}. Export it as one of them.")
    return found


def layer_name(name: str, taken: Collection[str] = ()) -> str:
    """A name for a layer from the name of its file: letters, digits and underscores, not too long, unlike those `taken`.

    Letters of every script stay, so that a layer keeps its Chinese name.

    Examples
    --------
    >>> layer_name("../NDVI 2010 (mean).tif"), layer_name("高程.tif"), layer_name(".tif"), layer_name("a.tif", ["A"])
    ('NDVI_2010_mean', '高程', 'layer', 'a_2')
    """
    text = unicodedata.normalize("NFKC", base_name(name).rpartition(".")[0])
    text = re.sub(r"_+", "_", "".join(letter if letter.isalnum() and _plain(letter) else "_" for letter in text))
    text = text.strip("_")[:NAME_LETTERS].strip("_") or "layer"
    if RESERVED.fullmatch(text):
        text = f"{text}_layer"
    used = {known.casefold() for known in taken}
    unique, number = text, 1
    while unique.casefold() in used:
        number += 1
        unique = f"{text}_{number}"
    return unique


def _plain(letter: str) -> bool:
    """True for letters and decimal digits; superscripts and fractions count as digits elsewhere."""
    return letter.isalpha() or letter.isdecimal()


def study_name(text: str) -> str:
    """A name for a study and its folder from what somebody typed; see the pattern of `alm_core.options.StudyHead`.

    Raises
    ------
    UploadError
        No Latin letter or digit is left.

    Examples
    --------
    >>> study_name("..")
    Traceback (most recent call last):
        ...
    alm_core.uploads.faults.UploadError: The name '..' has no letter or digit. Use Latin letters, digits, - and _.
    >>> study_name("My area, 2024")
    'My_area_2024'
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")[:NAME_LETTERS].strip("_-")
    if not plain:
        raise UploadError(f"The name {text[:40]!r} has no letter or digit. Use Latin letters, digits, - and _.")
    return f"{plain}_study" if RESERVED.fullmatch(plain) else plain
