"""Colours of the maps: perceptually uniform and safe for colour-blind readers.

The tables of cmcrameri and cmocean are read as the plain text that those packages hold: importing them would load a plotting
library, which no tile needs. Only viridis and cividis, where they are asked for, do.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np

CRAMERI_SEQUENTIAL = ("batlow", "lapaz", "davos", "oslo", "lajolla", "bamako", "turku", "bilbao", "navia", "acton")
OCEAN_SEQUENTIAL = ("deep", "haline", "thermal", "dense", "rain", "tempo", "speed", "matter", "amp")
CRAMERI_DIVERGING = ("vik", "roma", "broc", "cork")
OCEAN_DIVERGING = ("balance", "tarn")
PLAIN = ("viridis", "cividis", "grayC")
SEQUENTIAL = (*CRAMERI_SEQUENTIAL, *OCEAN_SEQUENTIAL, *PLAIN)
DIVERGING = (*CRAMERI_DIVERGING, *OCEAN_DIVERGING)
REVERSED = ("lapaz_r", "davos_r", "oslo_r", "bamako_r", "lajolla_r", "turku_r", "batlow_r", "viridis_r", "roma_r", "vik_r")
PALETTES = (*SEQUENTIAL, *DIVERGING, *REVERSED)
"""Every name that `colours` knows; a name with _r runs the other way."""

UNIT_PALETTES = {
    "degc": "vik",
    "c": "vik",
    "degree_celsius": "vik",
    "k": "thermal",
    "m3 m-3": "deep",
    "%": "deep",
    "cm": "lapaz_r",
    "m": "lapaz_r",
}
"""What a quantity is drawn in, by its unit, on every page and in every figure."""

SIZE = 256
CATEGORIES = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#5F6B7A",
    "#332288",
    "#999933",
    "#882255",
    "#44AA99",
    "#117733",
    "#DDCC77",
    "#AA4499",
    "#88CCEE",
)
"""Colours of classes: Okabe and Ito first, then Tol's muted ones; beyond them the list starts again."""


@cache
def colours(name: str) -> np.ndarray:
    """Red, green and blue of a palette, uint8 ``[256, 3]``; read-only.

    Raises
    ------
    KeyError
        A name that is not in `PALETTES`.

    Examples
    --------
    >>> colours("batlow").shape, str(colours("batlow").dtype)
    ((256, 3), 'uint8')
    """
    if name not in PALETTES:
        raise KeyError(f"There is no palette {name!r}. There are: {', '.join(PALETTES)}.")
    if name.endswith("_r"):
        table = colours(name.removesuffix("_r"))[::-1].copy()
    else:
        table = np.rint(_evenly(_table(name)) * 255).astype(np.uint8)
    table.setflags(write=False)
    return table


def css_gradient(name: str, *, steps: int = 17, direction: str = "to right") -> str:
    """A palette as a CSS background, for legends.

    Examples
    --------
    >>> css_gradient("grayC", steps=2)
    'linear-gradient(to right, #000000 0.0%, #ffffff 100.0%)'
    """
    places = np.rint(np.linspace(0, SIZE - 1, steps)).astype(int)
    stops = [f"{_hex(colours(name)[place])} {100 * place / (SIZE - 1):.1f}%" for place in places]
    return f"linear-gradient({direction}, {', '.join(stops)})"


def is_diverging(name: str) -> bool:
    """True where the palette has a middle: its range should be even about the value that counts as none."""
    return name.removesuffix("_r") in DIVERGING


def is_centred_unit(unit: str) -> bool:
    """True of a quantity whose zero parts two kinds, such as frozen and thawed ground: its range is even about 0.

    Examples
    --------
    >>> is_centred_unit("degC"), is_centred_unit("cm")
    (True, False)
    """
    return is_diverging(unit_palette(unit))


def centred_range(low: float, high: float) -> tuple[float, float]:
    """The smallest range even about 0 that holds another, so that a diverging palette turns where the sign does.

    Examples
    --------
    >>> centred_range(-12.5, 6.0)
    (-12.5, 12.5)
    """
    largest = max(abs(low), abs(high)) or 1.0
    return -largest, largest


def category_colour(position: int) -> str:
    """Colour of the n-th class as ``#rrggbb``.

    Examples
    --------
    >>> category_colour(0), category_colour(16) == category_colour(0)
    ('#0072B2', True)
    """
    return CATEGORIES[position % len(CATEGORIES)]


def rgb(colour: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three numbers.

    Examples
    --------
    >>> rgb("#ff8000")
    (255, 128, 0)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour.tolist())


def _table(name: str) -> np.ndarray:
    """Colours of a palette from 0 to 1, ``[any, 3]``."""
    if name in ("viridis", "cividis"):
        return _listed(name)
    if name in OCEAN_SEQUENTIAL or name in OCEAN_DIVERGING:
        return np.loadtxt(_package("cmocean") / "rgb" / f"{name}-rgb.txt")
    return np.loadtxt(_package("cmcrameri") / "cmaps" / f"{name}.txt")


def _listed(name: str) -> np.ndarray:
    from matplotlib import colormaps

    return np.array(colormaps[name].colors)


def _evenly(table: np.ndarray) -> np.ndarray:
    """256 colours of a table of any length."""
    if len(table) == SIZE:
        return table
    old, new = np.linspace(0, 1, len(table)), np.linspace(0, 1, SIZE)
    return np.stack([np.interp(new, old, table[:, part]) for part in range(3)], axis=1)


def _package(name: str) -> Path:
    """Folder of an installed package, which is not imported: its own import loads a plotting library."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"The package {name}, which holds colour tables, is not installed: see requirements.txt.")
    return Path(found.origin).parent


def unit_palette(unit: str) -> str:
    """The palette of a quantity, by its unit: dry to wet, cold to warm, shallow to deep."""
    return UNIT_PALETTES.get(unit.strip().lower(), "batlow")
