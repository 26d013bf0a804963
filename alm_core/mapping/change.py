"""How the map changed from the first slice to the last, and whether that is more than chance and more than its errors.

Computed by block from the finished rasters of the slices, with memory that does not grow with the map.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from alm_core.errors import GridError
from alm_core.grid import Block, Grid
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.mapping.slices import MapSlice
from alm_core.mapping.trend import kendall_p_values, mann_kendall, theil_sen
from alm_core.mapping.true_area import cell_areas

BANDS = ("change", "trend_per_decade", "p_value", "beyond_interval")
BLOCK_CELLS = 512
SIGNIFICANCE = 0.05
Progress = Callable[[int, int, str], None]
MEAN_METHOD = "mean over the cells with a value in the first and the last slice, weighted by the area of the cell"
INDEPENDENT = (
    "1 where the change is larger than the square root of the sum of the squares of the two half-widths of the intervals that "
    "face each other. The errors of the two slices are taken as independent. They come from one model and are alike, so much of "
    "them cancels: the test is conservative."
)
TREND_METHOD = (
    "Theil and Sen's median slope over all slices, at the middle of each; exact two-sided test of Mann and Kendall, ties "
    "included, in cells with a value in every slice"
)


@dataclass(frozen=True)
class ChangeMap:
    """The change map as a whole.

    Attributes
    ----------
    first, last : str
        Slices between which the change is taken.
    slices : tuple of str
        All slices of the trend.
    unit : str
    cells : int
        Cells with a change.
    trend_cells : int
        Cells with a trend: a value in every slice.
    mean_change, mean_trend_per_decade : float or None
        Weighted by area; in `unit`.
    significant_share, rising_share, falling_share : float or None
        Part of `trend_cells` with p below `significance`, and of those that rise and fall.
    significant_share_controlled : float or None
        The same with the rate of false discoveries held at `significance` over the map (Benjamini and Hochberg 1995; Wilks 2016,
        Bull. Am. Meteorol. Soc. 97:2263): without a trend anywhere, five of a hundred cells are below 0.05.
    beyond_share : float or None
        Part of the cells with intervals whose change is beyond them.
    smallest_p_value : float
        That the test can give for so many slices without ties; above `significance` no cell can be significant.
    significance : float
    methods : dict
        How each number was made, in words.
    """

    first: str
    last: str
    slices: tuple[str, ...]
    unit: str
    cells: int
    trend_cells: int
    mean_change: float | None
    mean_trend_per_decade: float | None
    significant_share: float | None
    rising_share: float | None
    falling_share: float | None
    significant_share_controlled: float | None
    beyond_share: float | None
    smallest_p_value: float
    significance: float = SIGNIFICANCE
    methods: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for change.json."""
        return asdict(self)


@dataclass
class _Sums:
    """What is summed over the blocks."""

    cells: int = 0
    trend_cells: int = 0
    area: float = 0.0
    change: float = 0.0
    trend_area: float = 0.0
    trend: float = 0.0
    rising: int = 0
    falling: int = 0
    beyond: int = 0
    judged: int = 0
    p_values: Counter[float] = field(default_factory=Counter)

    def add(self, layers: np.ndarray, area: np.ndarray) -> None:
        """Count one block, ``[band, row, column]`` in the order of `BANDS`, and the areas of its cells."""
        change, trend, p_value, beyond = layers
        known, trended = np.isfinite(change), np.isfinite(trend)
        self.cells += int(known.sum())
        self.area += float(area[known].sum())
        self.change += float((area[known] * change[known]).sum())
        self.trend_cells += int(trended.sum())
        self.trend_area += float(area[trended].sum())
        self.trend += float((area[trended] * trend[trended]).sum())
        significant = trended & (p_value < SIGNIFICANCE)
        self.rising += int((significant & (trend > 0)).sum())
        self.falling += int((significant & (trend < 0)).sum())
        self.beyond += int((beyond == 1).sum())
        self.judged += int(np.isfinite(beyond).sum())
        self.p_values.update(dict(zip(*(part.tolist() for part in np.unique(p_value[trended], return_counts=True)), strict=True)))


def change_between(
    first: np.ndarray, last: np.ndarray, first_bounds: np.ndarray, last_bounds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Change, and whether it is beyond the intervals.

    Parameters
    ----------
    first, last : ndarray, ``[...]``
        Values of the two slices.
    first_bounds, last_bounds : ndarray, ``[2, ...]``
        Lower and upper bound of each; NaN where there is none.

    Returns
    -------
    change : ndarray
    beyond : ndarray
        1, 0, or NaN where a value or a bound that is needed is missing.

    Examples
    --------
    >>> bounds = np.array([[-1.0, -1.0], [1.0, 1.0]])
    >>> change, beyond = change_between(np.zeros(2), np.array([1.0, 2.0]), bounds, bounds + np.array([1.0, 2.0]))
    >>> change.tolist(), beyond.tolist()
    ([1.0, 2.0], [0.0, 1.0])
    """
    change = last - first
    # A rise is doubted by how high the first value may have been and how low the last one, a fall by the others.
    rise = np.hypot(first_bounds[1] - first, last - last_bounds[0])
    fall = np.hypot(first - first_bounds[0], last_bounds[1] - last)
    room = np.where(change >= 0, rise, fall)
    return change, np.where(np.isnan(change) | np.isnan(room), np.nan, np.abs(change) > room)


def write_change(
    slices: Sequence[MapSlice],
    run_folder: Path,
    path: Path,
    *,
    unit: str = "",
    tags: Mapping[str, Any] | None = None,
    compression: str = "zstd",
    progress: Progress | None = None,
) -> ChangeMap:
    """Write the change map of a run whose slices are mapped.

    Parameters
    ----------
    slices : sequence of MapSlice
        At least two, in their order in time.
    run_folder : Path
        The folders of the slices start here; each has fused.tif, and uncertainty.tif with lower and upper as its first bands.
    path : Path
        GeoTIFF to write: float32 bands `BANDS`, NaN where there is no value.
    unit : str
        Of the target.
    tags, compression
        See `alm_core.mapping.cog.write_cog`.
    progress : callable, optional
        ``progress(done, total, message)`` in blocks.

    Raises
    ------
    GridError
        The slices are not on one grid.
    DomainError
        Fewer than two slices.
    """
    sums = _Sums()
    with contextlib.ExitStack() as opened:
        fused = [opened.enter_context(open_raster(run_folder / one.folder / "fused.tif")) for one in slices]
        ends = [opened.enter_context(open_raster(run_folder / slices[end].folder / "uncertainty.tif")) for end in (0, -1)]
        grid = _common_grid([*fused, *ends])
        times = [one.middle for one in slices]
        blocks = list(grid.blocks(BLOCK_CELLS))

        def layers() -> Iterator[tuple[Block, np.ndarray]]:
            for done, block in enumerate(blocks, start=1):
                found = _block_layers(fused, ends, times, block)
                sums.add(found, cell_areas(grid, *block.slices))
                yield block, found
                if progress is not None:
                    progress(done, len(blocks), "change")

        decade = f"{unit} decade-1" if unit not in ("", "1") else "decade-1"
        named = {"first_slice": slices[0].name, "last_slice": slices[-1].name}
        write_cog(
            path,
            layers(),
            grid,
            band_names=BANDS,
            units=(unit, decade, "1", "1"),
            tags={**(tags or {}), **named, "trend": TREND_METHOD, "beyond_interval": INDEPENDENT},
            compression=compression,
            resampling="nearest",
        )
    return _summary(slices, unit, sums)


def _common_grid(rasters: Sequence[rasterio.DatasetReader]) -> Grid:
    grids = {Grid.from_dataset(raster) for raster in rasters}
    if len(grids) != 1:
        shapes = ", ".join(sorted(str(grid.shape) for grid in grids))
        raise GridError(
            f"The maps of the slices are on {len(grids)} grids (shapes {shapes}): one is expected. Run the study again."
        )
    return grids.pop()


def _block_layers(
    fused: Sequence[rasterio.DatasetReader], ends: Sequence[rasterio.DatasetReader], times: Sequence[float], block: Block
) -> np.ndarray:
    """The bands of one block, float32 ``[band, row, column]``."""
    values = np.stack([_physical(raster, [1], block)[0] for raster in fused])
    layers = np.full((len(BANDS), *block.shape), np.nan, np.float32)
    if not np.isfinite(values).any():
        return layers
    bounds = [_physical(raster, [1, 2], block) for raster in ends]
    layers[0], layers[3] = change_between(values[0], values[-1], *bounds)
    layers[1] = theil_sen(values, times) * 10
    layers[2] = mann_kendall(values)[1]
    return layers


def _physical(raster: rasterio.DatasetReader, bands: list[int], block: Block) -> np.ndarray:
    """Bands of a block in their unit, float64, NaN where missing."""
    stored = raster.read(bands, window=block.window, masked=True)
    values = np.ma.filled(stored.astype(np.float64), np.nan)
    scale = np.array([raster.scales[band - 1] for band in bands])[:, None, None]
    offset = np.array([raster.offsets[band - 1] for band in bands])[:, None, None]
    return values * scale + offset


def _summary(slices: Sequence[MapSlice], unit: str, sums: _Sums) -> ChangeMap:
    def share(part: float, of: float) -> float | None:
        return part / of if of else None

    return ChangeMap(
        first=slices[0].name,
        last=slices[-1].name,
        slices=tuple(one.name for one in slices),
        unit=unit,
        cells=sums.cells,
        trend_cells=sums.trend_cells,
        mean_change=share(sums.change, sums.area),
        mean_trend_per_decade=share(sums.trend, sums.trend_area),
        significant_share=share(sums.rising + sums.falling, sums.trend_cells),
        rising_share=share(sums.rising, sums.trend_cells),
        falling_share=share(sums.falling, sums.trend_cells),
        significant_share_controlled=share(false_discoveries_controlled(sums.p_values, SIGNIFICANCE), sums.trend_cells),
        beyond_share=share(sums.beyond, sums.judged),
        smallest_p_value=kendall_p_values((1,) * len(slices))[-1],
        methods={"mean_change": MEAN_METHOD, "trend": TREND_METHOD, "beyond_interval": INDEPENDENT},
    )


def false_discoveries_controlled(p_values: Mapping[float, int], rate: float) -> int:
    """How many tests stay significant where the rate of false discoveries is held (Benjamini and Hochberg).

    Parameters
    ----------
    p_values : mapping
        P value to the number of tests that gave it.
    rate : float

    Examples
    --------
    >>> false_discoveries_controlled({0.01: 2, 0.04: 1, 0.6: 1}, 0.05)
    2
    """
    total, rank, found = sum(p_values.values()), 0, 0
    for p_value in sorted(p_values):
        rank += p_values[p_value]
        if p_value <= rate * rank / total:
            found = rank
    return found
