"""Map tiles: a layer of a run, or a fusion of its members, as a PNG of 256 pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from alm_core.inspection.slices import SIGNIFICANCE
from alm_core.learning.fusion import Fusion
from alm_core.serving.catalogue import Layer
from alm_core.serving.change_layers import INSIGNIFICANT, MARKS
from alm_core.serving.fusing import fused_tile
from alm_core.serving.images import class_chunks, class_codes, codes, empty_png, palette_chunks, plain_chunks, png
from alm_core.serving.members import decoded_tile
from alm_core.serving.mercator import TILE_PIXELS
from alm_core.workspace import Run

HATCHED, COVERED = "hatch", "grey"
STYLES = (HATCHED, COVERED)
"""How a mark of a change map is drawn."""
COVER = ((0, 0, 0, 0), (201, 207, 212, 255))
HATCH_PERIOD = 10
HATCH_WIDTH = 2
HATCH = ((0, 0, 0, 0), (29, 43, 51, 200), (255, 255, 255, 130))
"""Nothing, the line, and a light edge beside it that keeps it visible on dark colours."""


def layer_tile(
    layer: Layer, z: int, x: int, y: int, *, palette: str, low: float, high: float, style: str = HATCHED, plane: str | None = None
) -> bytes:
    """A tile of a stored layer.

    Values from `low` to `high` get the colours of the palette; classes get their own, whatever the palette. The area of
    applicability is drawn as a hatch over what lies outside, so that the layer below stays readable; so are the marks of a change
    map over what is not significant, or in `style` ``grey`` as a cover that hides it.
    """
    values = layer_values(layer, z, x, y, plane=plane)
    if values is None:
        return empty_png()
    if layer.id == "inside":
        return hatch_tile(values < 0.5, x, y)
    if layer.id in MARKS:
        marked = marked_cells(layer.id, values)
        return cover_tile(marked) if style == COVERED else hatch_tile(marked, x, y)
    if layer.kind == "category":
        classes = tuple(sorted(layer.classes or {}))
        return png(class_codes(values, classes), class_chunks(len(classes)))
    return value_tile(values, palette=palette, low=low, high=high)


def marked_cells(mark: str, values: np.ndarray) -> np.ndarray:
    """Where a mark lies: cells whose trend is not significant, or whose change stays within the intervals; never without data.

    Examples
    --------
    >>> marked_cells("insignificant", np.array([0.01, 0.05, np.nan])).tolist()
    [False, True, False]
    """
    with np.errstate(invalid="ignore"):
        return values >= SIGNIFICANCE if mark == INSIGNIFICANT else values < 0.5


def layer_values(layer: Layer, z: int, x: int, y: int, *, plane: str | None = None) -> np.ndarray | None:
    """Values of a stored layer on a tile, ``[256, 256]``, NaN where there is no data; None for a tile without any.

    `plane` is the CRS of a polar view (`alm_core.serving.plane`), None for the web map.
    """
    if layer.is_difference and layer.ranged is not None:
        both = decoded_tile(layer.raster, layer.ranged[1], z, x, y, plane=plane)
        return None if both is None else both[1] - both[0]
    values = decoded_tile(layer.raster, (layer.band,), z, x, y, plane=plane)
    return None if values is None else values[0]


def scenario_tile(
    run: Run,
    fusion: Fusion,
    layer: Layer,
    z: int,
    x: int,
    y: int,
    *,
    palette: str,
    low: float,
    high: float,
    plane: str | None = None,
) -> bytes:
    """A tile of the members fused anew; `layer` is one of ``fused``, ``lower``, ``upper``, ``width`` in any slice of time."""
    values = fused_tile(run, fusion, layer.id, z, x, y, slice=layer.slice, plane=plane)
    return empty_png() if values is None else value_tile(values, palette=palette, low=low, high=high)


def value_tile(values: np.ndarray, *, palette: str, low: float, high: float) -> bytes:
    """Continuous values in the colours of a palette; NaN is transparent."""
    return png(codes(values, low, high), palette_chunks(palette))


def hatch_tile(marked: np.ndarray, x: int, y: int) -> bytes:
    """Diagonal lines over the marked pixels.

    The lines come from the pixel's place on the whole web map, so they run on from one tile into the next.
    """
    return png(np.where(marked, _hatch(x % HATCH_PERIOD, y % HATCH_PERIOD), 0).astype(np.uint8), plain_chunks(HATCH))


def cover_tile(marked: np.ndarray) -> bytes:
    """A plain light grey over the marked pixels: land whose value is not to be read."""
    return png(marked.astype(np.uint8), plain_chunks(COVER))


@lru_cache(maxsize=HATCH_PERIOD**2)
def _hatch(column: int, row: int) -> np.ndarray:
    """Codes of the hatch for a tile column and row, modulo the period: lines rise to the right."""
    across = np.arange(TILE_PIXELS) + column * TILE_PIXELS
    down = np.arange(TILE_PIXELS) + row * TILE_PIXELS
    phase = (across[None, :] + down[:, None]) % HATCH_PERIOD
    pattern = np.zeros(phase.shape, np.uint8)
    pattern[phase < HATCH_WIDTH] = 1
    pattern[phase == HATCH_WIDTH] = 2
    return pattern
