"""What a map says of an area: mean with an honest interval, quantiles, histogram, trust, and the water in the ground.

Blocks are read twice (once for the sums and the limits, once for the histogram), so memory does not grow with the area.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from alm_core.inspection.area_reader import AreaReader, open_reader
from alm_core.inspection.area_sums import AreaSums, add_up, fine_histogram
from alm_core.inspection.site_errors import MeanError, mean_error
from alm_core.inspection.water import Thickness, WaterVolume, water_volume
from alm_core.mapping.area import Area
from alm_core.mapping.area_cells import AreaCells, all_cells, cells_of
from alm_core.mapping.area_mean import FineHistogram
from alm_core.mapping.true_area import cell_areas
from alm_core.publishing.export import wanted_area
from alm_core.workspace import Run

__all__ = ["AreaSummary", "Thickness", "WaterVolume", "summarise"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
HISTOGRAM_BINS = 40
MUCH = 0.1
"""Part of the area outside the area of applicability that is worth a word."""


@dataclass(frozen=True)
class AreaSummary:
    """What a map says of an area; numbers are None where nothing of it was mapped.

    Attributes
    ----------
    layer, scenario, unit : str
    cells : int
        Cells of the map in the area.
    valid : int
        Of those, cells with a value; the others are masked or miss a covariate.
    area_km2, valid_area_km2 : float
        Of these cells.
    mean : float or None
        Weighted by the area of the cells, like everything else here.
    standard_error, lower, upper : float or None
        Of the mean, with errors correlated in space; None for layers other than the fused value.
    level : float or None
        Of the interval.
    sd, minimum, maximum : float or None
        Between the cells.
    quantiles : dict
        Share to value.
    histogram_edges, histogram_km2 : tuple of float
    outside_share : float or None
        Part of the mapped area outside the area of applicability; None where the run has none.
    correlation : dict
        `ErrorCorrelation.to_dict` of the errors, distances in m.
    classes : dict
        Label to km2, of a layer of classes.
    water : WaterVolume or None
    notes : tuple of str
    """

    layer: str
    scenario: str
    unit: str
    cells: int
    valid: int
    area_km2: float
    valid_area_km2: float
    mean: float | None = None
    standard_error: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    sd: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    quantiles: dict[float, float] = field(default_factory=dict)
    histogram_edges: tuple[float, ...] = ()
    histogram_km2: tuple[float, ...] = ()
    outside_share: float | None = None
    correlation: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, float] = field(default_factory=dict)
    water: WaterVolume | None = None
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """Cells of the area without a value."""
        return self.cells - self.valid

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = {part.name: getattr(self, part.name) for part in fields(self)}
        found["quantiles"] = {str(share): value for share, value in self.quantiles.items()}
        return found | {"missing": self.missing, "water": None if self.water is None else self.water.to_dict()}


def summarise(
    run: Run,
    area: Area | dict[str, Any] | None = None,
    *,
    bbox: Sequence[float] | None = None,
    scenario: str | None = None,
    layer: str = "fused",
    slice: str | None = None,
    thickness: Thickness | None = None,
    all_touched: bool = False,
) -> AreaSummary:
    """Summarise a layer of a run over an area.

    Parameters
    ----------
    run : Run
    area : Area or GeoJSON dict, optional
        Polygon; without it and without `bbox` the whole map.
    bbox : sequence, optional
        West, south, east, north in degrees.
    scenario : str, optional
        Of the layer ``fused``.
    layer : str
        Id of a layer, as `alm_core.serving.catalogue.layers` lists them.
    slice : str, optional
        Name of a slice of time; by default the main one.
    thickness : Thickness, optional
        Gives the water volume, where the map is one of volumetric water content.
    all_touched : bool
        True: every cell that the area touches; False: cells whose centre lies in it.

    Returns
    -------
    AreaSummary

    Raises
    ------
    GridError
        The area lies outside the map, holds no cell centre, is no polygon, or has too many vertices.
    StudyError, DomainError
        Unknown layer or scenario; a thickness for what is no water content, or of another unit.

    Notes
    -----
    See `alm_core.mapping.area_mean` and `alm_core.inspection.site_errors` for the error of the mean, `alm_core.inspection.water`
    for that of the water.
    The correlation of errors is that of the run's own fusion, also for a scenario; the size of the errors is the scenario's.
    """
    wanted = wanted_area(bbox=bbox, area=area)
    with contextlib.ExitStack() as opened:
        reader = open_reader(run, layer, scenario, thickness, opened, slice=slice)
        cells = all_cells(reader.grid) if wanted is None else cells_of(wanted, reader.grid, all_touched=all_touched)
        if reader.classes is not None:
            return _class_summary(reader, cells)
        sums = add_up(reader, cells)
        if sums.valid == 0:
            note = f"None of the {sums.cells} cells in the area was mapped."
            return AreaSummary(layer, reader.scenario, reader.unit, sums.cells, 0, sums.area / 1e6, 0.0, notes=(note,))
        histogram = fine_histogram(reader, cells, sums)
        return _summary(run, reader, cells, sums, histogram, thickness)


def _summary(
    run: Run, reader: AreaReader, cells: AreaCells, sums: AreaSums, histogram: FineHistogram, thickness: Thickness | None
) -> AreaSummary:
    # Rounding must not carry the mean of a constant field beyond its only value.
    mean = min(max(sums.value / sums.valid_area, sums.low), sums.high)
    edges, weights = histogram.coarse(HISTOGRAM_BINS)
    error = mean_error(run, reader, sums)
    target = run.record["options"]["target"]
    lower, upper = (None, None) if error is None else _bounds(mean, error, target["minimum"], target["maximum"])
    return AreaSummary(
        reader.layer,
        reader.scenario,
        reader.unit,
        sums.cells,
        sums.valid,
        sums.area / 1e6,
        sums.valid_area / 1e6,
        mean=mean,
        standard_error=None if error is None else error.value,
        lower=lower,
        upper=upper,
        level=None if error is None else error.sites.level,
        sd=histogram.sd(mean),
        minimum=sums.low,
        maximum=sums.high,
        quantiles={share: histogram.quantile(share) for share in QUANTILES},
        histogram_edges=tuple(edges.tolist()),
        histogram_km2=tuple((weights / 1e6).tolist()),
        outside_share=sums.outside_area / sums.known_area if sums.known_area > 0 else None,
        correlation={} if error is None else error.sites.correlation.to_dict(),
        water=_water(sums, thickness, error),
        notes=_notes(cells, sums, error, thickness),
    )


def _bounds(mean: float, error: MeanError, minimum: float | None, maximum: float | None) -> tuple[float, float]:
    """Interval of a mean, within the physical range."""
    low, high = mean - error.sites.z * error.value, mean + error.sites.z * error.value
    return low if minimum is None else max(low, minimum), high if maximum is None else min(high, maximum)


def _water(sums: AreaSums, thickness: Thickness | None, error: MeanError | None) -> WaterVolume | None:
    if thickness is None or sums.water_area == 0:
        return None
    return water_volume(
        mean_column=sums.water / sums.water_area,
        mean_moisture=sums.water_value / sums.water_area,
        mean_thickness=sums.thickness / sums.water_area,
        area_square_metres=sums.water_area,
        column_error=None if error is None else error.column,
        thickness_error=thickness.sd_metres,
        z=1.0 if error is None else error.sites.z,
    )


def _notes(cells: AreaCells, sums: AreaSums, error: MeanError | None, thickness: Thickness | None) -> tuple[str, ...]:
    notes = list(error.sites.notes) if error is not None else []
    if cells.beyond:
        notes.append("The area reaches beyond the map; only the part on the map was taken.")
    if sums.unbounded:
        notes.append(f"{sums.unbounded} cells have no bounded interval, so the mean has none.")
    if error is not None and sums.outside_area > MUCH * sums.known_area:
        share = 100.0 * sums.outside_area / sums.known_area
        notes.append(
            f"{share:.0f} % of the area lies outside the area of applicability, of which the sites tell little: "
            "the interval of the mean is wide for that, and may still be too narrow."
        )
    if thickness is not None and sums.water_missing:
        notes.append(f"{sums.water_missing} of {sums.valid} mapped cells have no thickness and are left out of the water.")
    return tuple(notes)


def _class_summary(reader: AreaReader, cells: AreaCells) -> AreaSummary:
    """Area of each class."""
    codes = sorted(reader.classes or {})
    found, area, valid_area, known, outside = dict.fromkeys(codes, 0.0), 0.0, 0.0, 0.0, 0.0
    count = valid_count = 0
    for part in cells.blocks():
        size = cell_areas(reader.grid, part.rows, part.columns) / 1e6
        bands = reader.read(part, ("value", "inside"))
        valid = part.inside & np.isfinite(bands["value"])
        count, valid_count = count + int(part.inside.sum()), valid_count + int(valid.sum())
        area, valid_area = area + float(size[part.inside].sum()), valid_area + float(size[valid].sum())
        for code in codes:
            found[code] += float(size[valid & (bands["value"] == code)].sum())
        if "inside" in bands:
            trusted = valid & np.isfinite(bands["inside"])
            known += float(size[trusted].sum())
            outside += float(size[trusted & (bands["inside"] == 0)].sum())
    notes = () if valid_count else (f"None of the {count} cells in the area was mapped.",)
    return AreaSummary(
        reader.layer,
        reader.scenario,
        reader.unit,
        count,
        valid_count,
        area,
        valid_area,
        outside_share=outside / known if known > 0 else None,
        classes={(reader.classes or {})[code]: found[code] for code in codes},
        notes=notes,
    )
