"""A finished map beside a published one: how they agree as classes and as numbers, and where they differ.

The published map lies on a grid of its own. It is brought onto the grid of the map as it is read: the nearest cell of a map of
codes; of a map of numbers the mean of its cells where they are smaller, bilinear where they are larger. Everything is weighted
with the area of the cells on the ellipsoid. A published map is a model or a drawing too: this measures agreement, not error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alm_core.covariates.raster import open_raster as open_foreign
from alm_core.errors import CrsError, DomainError, GridError
from alm_core.grid import Block, Grid
from alm_core.mapping.agreement import PairSums
from alm_core.mapping.cog import open_raster, write_cog
from alm_core.mapping.true_area import cell_areas

BLOCK_CELLS = 512


@dataclass(frozen=True)
class PublishedMap:
    """A published map and how it is to be read.

    Attributes
    ----------
    name : str
    path : Path
        A GeoTIFF with a CRS.
    thresholds : tuple of float
        Cut the map into classes, in rising order: a value that equals a threshold belongs to the class below it.
    labels : tuple of str
        Of these classes, from low to high values; one more than thresholds.
    codes : mapping of label to tuple of int
        Numbers of a published map of classes that stand for a label; cells with any other number are left out.
    ranges : mapping of label to (float, float)
        Values of a published map of numbers that stand for a label: from the first up to, and without, the second.
        Without codes and ranges it holds the same quantity as the map, and `thresholds` cut both.
    band : int
    scale, offset : float
        ``value = stored * scale + offset``.
    unit, source : str
    """

    name: str
    path: Path
    thresholds: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    codes: Mapping[str, tuple[int, ...]] | None = None
    ranges: Mapping[str, tuple[float, float]] | None = None
    band: int = 1
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    source: str = ""

    @property
    def same_quantity(self) -> bool:
        """True where its numbers are those that the map shows."""
        return not self.codes and not self.ranges

    def check(self) -> None:
        """Refuse thresholds and labels that say nothing.

        Raises
        ------
        DomainError
        """
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise DomainError(
                f"{self.name}: thresholds are {list(self.thresholds)}: different numbers in rising order are expected."
            )
        if self.thresholds and len(self.labels) != len(self.thresholds) + 1:
            raise DomainError(
                f"{self.name}: {len(self.labels)} labels came for {len(self.thresholds)} threshold(s): one more label than "
                "thresholds is expected, from low values to high ones."
            )
        if not self.thresholds and not self.same_quantity:
            raise DomainError(f"{self.name}: it has classes, so `thresholds` must say how the map is cut into the same classes.")
        unknown = sorted({*(self.codes or {}), *(self.ranges or {})} - set(self.labels))
        if unknown:
            raise DomainError(
                f"{self.name}: {', '.join(unknown)} stands in codes or ranges and is no label of {list(self.labels)}."
            )
        if self.codes and self.ranges:
            raise DomainError(f"{self.name}: give `codes` (a map of classes) or `ranges` (a map of numbers), not both.")

    def classes_of_map(self, value: np.ndarray) -> np.ndarray:
        """Class number of values of the map, NaN where there is none."""
        return np.where(np.isfinite(value), np.searchsorted(np.asarray(self.thresholds), value, side="left"), np.nan)

    def classes_of_published(self, stored: np.ndarray) -> np.ndarray:
        """Class number of values of the published map, NaN where it is none of the labels."""
        if self.same_quantity:
            return self.classes_of_map(stored)
        found = np.full(stored.shape, np.nan)
        for number, label in enumerate(self.labels):
            if self.codes:
                found[np.isin(stored, self.codes.get(label, ()))] = number
            elif label in (self.ranges or {}):
                low, high = self.ranges[label]
                found[(stored >= low) & (stored < high)] = number
        return found


@dataclass(frozen=True)
class MapComparison:
    """How a map and a published one agree, weighted by area.

    Attributes
    ----------
    name : str
    cells : int
        Cells that both have.
    area_km2 : float
    unclassified_cells : int
        Cells of the map where the published one has a value that is no label (a lake, a glacier), left out.
    accuracy, kappa, quantity, allocation : float or None
        Of the classes; quantity and allocation disagreement add up to 1 - accuracy. None without thresholds.
    classes : dict
        The other scores of `alm_core.learning.class_metrics.confusion_scores`, with areas in km2 ``[map, published]``.
    mean_difference, rmse, correlation : float or None
        Map less published, where both hold the same quantity.
    difference : str
        The raster of differences, relative to the run: of values, or of class numbers (0: they agree).
    source : str
    """

    name: str
    cells: int
    area_km2: float
    unclassified_cells: int
    accuracy: float | None
    kappa: float | None
    quantity: float | None
    allocation: float | None
    classes: dict[str, Any]
    mean_difference: float | None
    rmse: float | None
    correlation: float | None
    difference: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare_with_published(
    fused: Path, published: PublishedMap, target: Path, *, unit: str = "", tags: Mapping[str, Any] | None = None
) -> MapComparison:
    """Compare a map with a published one and write their difference.

    Parameters
    ----------
    fused : Path
        The map, a GeoTIFF.
    published : PublishedMap
    target : Path
        The raster of differences that is written, on the grid of the map.
    unit : str
        Of the map.
    tags : mapping, optional
        Written into it.

    Returns
    -------
    MapComparison

    Raises
    ------
    DomainError
        Thresholds, labels, codes and ranges don't fit together.
    CrsError, RasterError, MissingFileError
        The published map can't be read, or has no CRS.
    GridError
        No cell has both.

    Notes
    -----
    Quantity and allocation disagreement: Pontius and Millones (2011), International Journal of Remote Sensing 32:4407.
    """
    published.check()
    found = _Found(published)
    with contextlib.ExitStack() as opened:
        grid, parts = _pairs(fused, published, opened)
        write_cog(
            target,
            _differences(parts, found),
            grid,
            band_names=[f"map less {published.name}"],
            units=unit if published.same_quantity else "classes",
            tags={"published": published.name, "source": published.source, **(tags or {})},
            resampling="average" if published.same_quantity else "mode",
        )
    if found.cells == 0:
        target.unlink(missing_ok=True)
        raise GridError(
            f"The map and {published.name} have no cell in common. Check that it shows the same region, its band, its nodata "
            "value and the codes."
        )
    return found.result(f"map/{target.name}")


class _Found:
    """What the blocks of a comparison add up to."""

    def __init__(self, published: PublishedMap) -> None:
        self.published = published
        self.classes = PairSums(tuple(range(len(published.labels)))) if published.thresholds else None
        self.values = PairSums(None) if published.same_quantity else None
        self.unclassified = 0

    @property
    def cells(self) -> int:
        """Cells that both have."""
        return (self.values or self.classes).cells

    def add(self, value: np.ndarray, other: np.ndarray, area: np.ndarray) -> np.ndarray:
        """Add a block and give its difference."""
        difference = value - other
        if self.values is not None:
            self.values.add(value, other, area)
        if self.classes is not None:
            mapped, known = self.published.classes_of_map(value), self.published.classes_of_published(other)
            self.unclassified += int((np.isfinite(mapped) & np.isfinite(other) & np.isnan(known)).sum())
            self.classes.add(mapped, known, area)
            difference = difference if self.values is not None else mapped - known
        return difference.astype(np.float32)

    def result(self, file: str) -> MapComparison:
        """The scores."""
        scores: dict[str, Any] = {} if self.classes is None else self.classes.class_scores(list(self.published.labels))
        numbers = {} if self.values is None else self.values.scores()
        first = self.values or self.classes
        named = ("overall_accuracy", "kappa", "quantity_disagreement", "allocation_disagreement")
        return MapComparison(
            self.published.name,
            first.cells,
            first.area,
            self.unclassified,
            *(scores.pop(name, None) for name in named),
            classes=scores,
            **{name: numbers.get(name) for name in ("mean_difference", "rmse", "correlation")},
            difference=file,
            source=self.published.source,
        )


def _differences(
    parts: Iterator[tuple[Block, np.ndarray, np.ndarray, np.ndarray]], found: _Found
) -> Iterator[tuple[Block, np.ndarray]]:
    for block, value, other, area in parts:
        yield block, found.add(value, other, area)


def _pairs(
    fused: Path, published: PublishedMap, opened: contextlib.ExitStack
) -> tuple[Grid, Iterator[tuple[Block, np.ndarray, np.ndarray, np.ndarray]]]:
    """Grid of the map, and its blocks: value, published value, area in km2."""
    dataset = opened.enter_context(open_raster(fused))
    grid = Grid.from_dataset(dataset)
    foreign = opened.enter_context(contextlib.closing(open_foreign(published.path)))
    if foreign.crs is None:
        raise CrsError(
            f"{published.name} has no CRS, so nobody knows where it lies. Set one, for example with `gdal_edit -a_srs`."
        )
    if not 1 <= published.band <= foreign.count:
        raise DomainError(f"{published.name} has {foreign.count} band(s), so band {published.band} is not there.")
    warped = opened.enter_context(_on_grid(foreign, grid, published))
    own = foreign.scales[published.band - 1], foreign.offsets[published.band - 1]

    def blocks() -> Iterator[tuple[Block, np.ndarray, np.ndarray, np.ndarray]]:
        for block in grid.blocks(BLOCK_CELLS):
            value = _physical(dataset, block)
            stored = warped.read(published.band, window=block.window, masked=True).astype(float).filled(np.nan)
            other = (stored * own[0] + own[1]) * published.scale + published.offset
            yield block, value, other, cell_areas(grid, *block.slices) / 1e6

    return grid, blocks()


def _physical(dataset: Any, block: Block) -> np.ndarray:
    raw = dataset.read(1, window=block.window, masked=True)
    return np.where(np.ma.getmaskarray(raw), np.nan, raw.data.astype(float) * dataset.scales[0] + dataset.offsets[0])


def _on_grid(foreign: Any, grid: Grid, published: PublishedMap) -> Any:
    """The published map on the grid of the map, warped as it is read."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    source = Grid.from_dataset(foreign)
    finer = _cell_metres(source) < 0.75 * _cell_metres(grid)
    method = Resampling.nearest if published.codes else Resampling.average if finer else Resampling.bilinear
    return WarpedVRT(
        foreign,
        crs=grid.crs or source.crs,
        transform=grid.affine,
        height=grid.shape[0],
        width=grid.shape[1],
        resampling=method,
        # A value that a map of codes or of float numbers can have nowhere: bytes have no NaN.
        dtype="float64",
        nodata=float("nan"),
        src_nodata=foreign.nodatavals[published.band - 1],
    )


def _cell_metres(grid: Grid) -> float:
    middle = grid.shape[0] // 2
    return float(grid.cell_size_metres(slice(middle, middle + 1))[1][0])


def check_labels(names: Sequence[str]) -> None:
    """Refuse two published maps of one name: it becomes the name of a raster.

    Raises
    ------
    DomainError
    """
    doubled = sorted({name for name in names if list(names).count(name) > 1})
    if doubled:
        raise DomainError(f"Published maps share the name {', '.join(doubled)}: each needs one of its own.")
