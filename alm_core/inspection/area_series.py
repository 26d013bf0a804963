"""The mean of an area in every slice of time, each with its interval."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from alm_core.inspection.slices import time_slices
from alm_core.inspection.zonal import summarise
from alm_core.mapping.area import Area
from alm_core.workspace import Run


@dataclass(frozen=True)
class AreaSeries:
    """An area through time; a slice without a value has None.

    Attributes
    ----------
    names : tuple of str
    first_years, last_years : tuple of int
    mean, lower, upper : tuple of float or None
        Interval of each mean on its own. Errors of two slices go together, so a difference of means is known better than two
        intervals that overlap suggest; how much better is not known.
    outside_share : tuple of float or None
        Part outside the area of applicability in that slice.
    level : float or None
        Of the intervals.
    unit : str
    """

    names: tuple[str, ...]
    first_years: tuple[int, ...]
    last_years: tuple[int, ...]
    mean: tuple[float | None, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]
    outside_share: tuple[float | None, ...]
    level: float | None
    unit: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def area_series(run: Run, area: Area | dict[str, Any], *, scenario: str | None = None) -> AreaSeries | None:
    """Summarise the fused value over an area in every slice; reads the area once per slice.

    Parameters
    ----------
    run : Run
    area : Area or GeoJSON dict
    scenario : str, optional

    Returns
    -------
    AreaSeries or None
        None where the run has no slices, or maps classes: shares of classes have no mean.

    Raises
    ------
    GridError, StudyError
        As `alm_core.inspection.zonal.summarise`.
    """
    slices = time_slices(run)
    if not slices or run.record["options"]["target"]["task"] != "regression":
        return None
    found = [summarise(run, area, scenario=scenario, slice=slice.name) for slice in slices]
    return AreaSeries(
        tuple(slice.name for slice in slices),
        tuple(slice.first_year for slice in slices),
        tuple(slice.last_year for slice in slices),
        tuple(summary.mean for summary in found),
        tuple(summary.lower for summary in found),
        tuple(summary.upper for summary in found),
        tuple(summary.outside_share for summary in found),
        found[-1].level,
        found[-1].unit,
    )
