"""Members of a run as tiles: exact for fusing here, as small whole numbers for fusing in the browser."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
from rasterio.windows import Window

from alm_core.serving.cache import BoundedCache
from alm_core.serving.catalogue import AT, find_layer, learners, task
from alm_core.serving.checks import LayerError
from alm_core.serving.mercator import TILE_PIXELS, tile_pixels
from alm_core.serving.plane import plane_pixels
from alm_core.serving.rasters import FULL, Raster, header, read_block, read_pixels
from alm_core.workspace import Run

DECODED = BoundedCache(320 * 2**20)
"""Decoded tiles of any layer, float32; a tile of four members is 1 MiB."""
PACKED = BoundedCache(64 * 2**20)
"""Member tiles as the browser gets them."""
CODES = 65535
"""Largest code of a member tile; 0 is no data."""
SCANNED_CELLS = 20_000_000
"""Cells of a band up to which every cell is looked at for the range of the codes."""
STRIP_ROWS = 512


@dataclass(frozen=True)
class MemberCodes:
    """How the codes of member tiles become numbers: ``low + (code - 1) * step`` for codes from 1 to `levels`; 0: no data.

    Attributes
    ----------
    low, high : float
        Values of code 1 and of code `levels`.
    levels : int
    """

    low: float
    high: float
    levels: int = CODES

    @property
    def step(self) -> float:
        """Difference between neighbouring codes."""
        return (self.high - self.low) / (self.levels - 1)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Numbers as codes, uint16; NaN becomes 0.

        Examples
        --------
        >>> MemberCodes(0.0, 1.0).encode(np.array([np.nan, 0.0, 1.0])).tolist()
        [0, 1, 65535]
        """
        scaled = np.rint((values.astype(float) - self.low) / self.step) + 1
        return np.where(np.isnan(scaled), 0, np.clip(scaled, 1, self.levels)).astype("<u2")

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The inverse of `encode`, to half a step."""
        return np.where(codes == 0, np.nan, self.low + (codes.astype(float) - 1) * self.step)

    def to_dict(self) -> dict[str, float]:
        """Plain values, for JavaScript."""
        return asdict(self) | {"step": self.step}


def decoded_tile(raster: Raster, bands: Sequence[int], z: int, x: int, y: int, *, plane: str | None = None) -> np.ndarray | None:
    """Values of a tile of the web map, or of a plane (`alm_core.serving.plane`).

    Returns
    -------
    ndarray or None
        float32 ``[band, 256, 256]``, NaN without data; None for a tile without any. Read-only and remembered.
    """
    bands = tuple(bands)

    def read() -> np.ndarray | None:
        pixels = tile_pixels(z, x, y) if plane is None else plane_pixels(plane, z, x, y)
        values = read_pixels(raster, pixels, bands)
        if values is None or np.isnan(values).all():
            return None
        values.setflags(write=False)
        return values

    return DECODED.get((raster, bands, z, x, y, plane), read)


def member_tile(run: Run, z: int, x: int, y: int, *, slice: str | None = None, plane: str | None = None) -> np.ndarray | None:
    """The members of a run on a tile exactly as stored; of the main slice where no other is named.

    Returns
    -------
    ndarray or None
        float32 ``[learner, 256, 256]`` in the order of the study, NaN where there is no data; None for a tile without any.

    Raises
    ------
    LayerError
        The run is not mapped yet, or maps classes.
    """
    raster = member_raster(run, slice=slice)
    return decoded_tile(raster, range(1, len(learners(run)) + 1), z, x, y, plane=plane)


def member_raster(run: Run, *, slice: str | None = None) -> Raster:
    """The file that holds the members of a regression, of the main slice where no other is named."""
    if task(run) != "regression":
        raise LayerError("This run maps classes: its members are probabilities, which are not fused by weights of a number.")
    first = f"member:{learners(run)[0]}"
    return find_layer(run, first if slice is None else f"{first}{AT}{slice}").raster


def member_codes(run: Run, *, slice: str | None = None) -> MemberCodes:
    """The codes of the member tiles of a run (of its main slice where no other is named), one pair of ends for all members.

    Up to twenty million cells a band, the ends are the smallest and the largest value of any cell; overviews are means of
    cells and lie between. In a larger raster the overview that is small enough stands for all cells, and its range is widened
    by itself on both sides (a step is still a fifth of a display step); a cell beyond even that is drawn at the end of the range.

    Raises
    ------
    LayerError
        As `member_tile`.
    """
    return _member_codes(member_raster(run, slice=slice), len(learners(run)))


@lru_cache(maxsize=64)
def _member_codes(raster: Raster, count: int) -> MemberCodes:
    levels = header(raster).levels
    fitting = [level for level, (rows, columns) in enumerate(levels) if rows * columns <= SCANNED_CELLS]
    level = (fitting[0] if fitting else len(levels) - 1) - 1
    low, high = math.inf, -math.inf
    rows, columns = levels[level + 1]
    for top in range(0, rows, STRIP_ROWS):
        window = Window(0, top, columns, min(STRIP_ROWS, rows - top))
        strip = read_block(raster, range(1, count + 1), window, level=level)
        if not np.isnan(strip).all():
            low, high = min(low, float(np.nanmin(strip))), max(high, float(np.nanmax(strip)))
    if not low < high:
        return MemberCodes(low - 0.5, low + 0.5) if math.isfinite(low) else MemberCodes(0.0, 1.0)
    margin = 0.0 if level == FULL else high - low
    return MemberCodes(low - margin, high + margin)


def packed_tile(run: Run, z: int, x: int, y: int, *, slice: str | None = None) -> bytes | None:
    """A member tile for the browser: gzip of uint16, little-endian, ``[learner, 256, 256]``; None for a tile without data."""
    raster = member_raster(run, slice=slice)

    def pack() -> bytes | None:
        values = member_tile(run, z, x, y, slice=slice)
        if values is None:
            return None
        return gzip.compress(member_codes(run, slice=slice).encode(values).tobytes(), 1, mtime=0)

    return PACKED.get((raster, z, x, y), pack)


def unpack(content: bytes) -> np.ndarray:
    """The codes of a packed tile, uint16 ``[learner, 256, 256]``."""
    return np.frombuffer(gzip.decompress(content), "<u2").reshape(-1, TILE_PIXELS, TILE_PIXELS)
