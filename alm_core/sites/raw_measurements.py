"""A table of raw measurements into a table of water contents: each row by the method it was measured with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from alm_core.errors import StudyError, TableError
from alm_core.sites.columns import RAW_FIELDS
from alm_core.sites.conversions import (
    crim,
    cutting_ring,
    gravimetric_to_volumetric,
    linear,
    permittivity_from_travel_time,
    permittivity_from_velocity,
    porosity_from_bulk_density,
    refuse,
    topp,
    velocity_from_permittivity,
)
from alm_core.sites.faults import name_some


def convert(
    frame: pd.DataFrame,
    *,
    ring_volume_cm3: float = 100.0,
    ring_uncertainty: float = 0.02,
    particle_density: float = 2.65,
    gpr_model: str = "crim",
    gpr_travel_time_uncertainty_ns: float = 1.0,
    gpr_depth_uncertainty_m: float = 0.05,
    gpr_permittivity_uncertainty: float = 0.5,
    gpr_porosity: float = 0.45,
    gpr_linear_intercept: float | None = None,
    gpr_linear_slope: float | None = None,
    ring_methods: tuple[str, ...] = ("cutting_ring", "cutting ring", "ring", "环刀", "环刀法"),
    gpr_methods: tuple[str, ...] = ("gpr", "ground_penetrating_radar", "探地雷达"),
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Fill `value` and `uncertainty` from raw measurements, row by row as the method says.

    Rows of a ring method use wet and dry mass, else gravimetric water content and bulk density; rows of a radar method
    use travel time and reflector depth, else permittivity, else velocity. Rows of other methods, and rows without raw
    numbers, keep their value. Without a `method` column the raw numbers that a row has decide. Where the table
    gives an uncertainty it stays.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns by our names (`alm_core.options.Columns`); `source_row` names rows in messages.
    others
        As in `alm_core.options.ConversionOptions`.

    Returns
    -------
    frame : pandas.DataFrame
        A copy, with `porosity` filled from the bulk density where it was missing.
    notes : tuple of str
        How many rows were converted and how.

    Raises
    ------
    DomainError
        A raw number that can't be; the rows are named.
    StudyError
        The model is unknown, or `linear` lacks its intercept or slope.
    TableError
        A row has both ring and radar numbers and no method.
    """
    if gpr_model not in ("topp", "crim", "linear"):
        raise StudyError(f"gpr_model is {gpr_model!r}: topp, crim or linear is expected.")
    if gpr_model == "linear" and (gpr_linear_intercept is None or gpr_linear_slope is None):
        raise StudyError("gpr_model = 'linear' needs both gpr_linear_intercept and gpr_linear_slope.")
    table = frame.copy()
    for name in (*RAW_FIELDS, "value", "uncertainty", "porosity"):
        if name not in table:
            table[name] = np.nan
    ring, radar = _rows_by_method(table, ring_methods, gpr_methods)
    given = table["value"].notna().to_numpy()
    notes = _convert_rings(table, ring, ring_volume_cm3, ring_uncertainty, particle_density)
    permittivity = _radar_permittivity(
        table, radar, gpr_travel_time_uncertainty_ns, gpr_depth_uncertainty_m, gpr_permittivity_uncertainty
    )
    notes += _convert_radar(table, permittivity, gpr_model, gpr_porosity, gpr_linear_intercept, gpr_linear_slope)
    notes += _remarks(table, frame, ring | radar, given)
    keep = [name for name in table if name in frame or name not in RAW_FIELDS]
    if table["porosity"].isna().all() and "porosity" not in frame:
        keep.remove("porosity")
    return table[keep], tuple(notes)


def _has(table: pd.DataFrame, *names: str) -> np.ndarray:
    return table[list(names)].notna().all(axis=1).to_numpy()


def _labels(table: pd.DataFrame, rows: np.ndarray) -> list[str]:
    source = table["source_row"] if "source_row" in table else pd.Series(np.arange(1, len(table) + 1), index=table.index)
    return [f"row {row}" for row in source[rows]]


def _rows_by_method(
    table: pd.DataFrame, ring_methods: Sequence[str], gpr_methods: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    if "method" in table:
        words = table["method"].fillna("").astype(object).map(lambda word: str(word).strip().casefold())
        return tuple(words.isin([name.casefold() for name in names]).to_numpy() for names in (ring_methods, gpr_methods))
    ring = _has(table, "wet_mass", "dry_mass") | _has(table, "gravimetric", "bulk_density")
    radar = _has(table, "travel_time", "reflector_depth") | _has(table, "permittivity") | _has(table, "velocity")
    both = ring & radar
    if both.any():
        raise TableError(
            f"ring and radar numbers in the same rows ({name_some(_labels(table, both))}) and no `method` column. "
            "Set columns.method."
        )
    return ring, radar


def _fill(table: pd.DataFrame, rows: np.ndarray, value: np.ndarray, uncertainty: np.ndarray | float) -> None:
    """Set the value of some rows, and the uncertainty where the table has none."""
    table.loc[rows, "value"] = value
    own = table.loc[rows, "uncertainty"].to_numpy()
    table.loc[rows, "uncertainty"] = np.where(np.isfinite(own), own, uncertainty)


def _convert_rings(
    table: pd.DataFrame, ring: np.ndarray, volume: float, uncertainty: float, particle_density: float
) -> list[str]:
    notes = []
    weighed = ring & _has(table, "wet_mass", "dry_mass")
    if weighed.any():
        part, labels = table[weighed], _labels(table, weighed)
        _fill(table, weighed, cutting_ring(part["wet_mass"], part["dry_mass"], volume, labels=labels).value, uncertainty)
        notes.append(f"{weighed.sum()} row(s) converted from ring masses, volume {volume:g} cm3")
    dried = ring & ~weighed & _has(table, "gravimetric", "bulk_density")
    if dried.any():
        part, labels = table[dried], _labels(table, dried)
        _fill(
            table, dried, gravimetric_to_volumetric(part["gravimetric"], part["bulk_density"], labels=labels).value, uncertainty
        )
        notes.append(f"{dried.sum()} row(s) converted from gravimetric water content and bulk density")
    plain = ring & ~weighed & ~dried & table["value"].notna().to_numpy()
    _fill(table, plain, table.loc[plain, "value"].to_numpy(), uncertainty)
    density = table["bulk_density"].where(table["bulk_density"].notna(), table["dry_mass"] / volume)
    known = ring & density.notna().to_numpy() & table["porosity"].isna().to_numpy()
    if known.any():
        table.loc[known, "porosity"] = porosity_from_bulk_density(
            density[known], particle_density=particle_density, labels=_labels(table, known)
        )
    return notes


def _radar_permittivity(
    table: pd.DataFrame, radar: np.ndarray, time_u: float, depth_u: float, permittivity_u: float
) -> pd.DataFrame:
    """Permittivity, its uncertainty and its origin for every row that has radar numbers; index as the table's."""
    result = pd.DataFrame({"value": np.nan, "uncertainty": np.nan, "origin": ""}, index=table.index)
    timed = radar & _has(table, "travel_time", "reflector_depth")
    direct = radar & ~timed & _has(table, "permittivity")
    fast = radar & ~timed & ~direct & _has(table, "velocity")
    part = table[timed]
    from_time = permittivity_from_travel_time(
        part["travel_time"],
        part["reflector_depth"],
        time_uncertainty_ns=time_u,
        depth_uncertainty_m=depth_u,
        labels=_labels(table, timed),
    )
    result.loc[timed, ["value", "uncertainty"]] = np.column_stack([from_time.value, from_time.uncertainty])
    from_velocity = permittivity_from_velocity(table.loc[fast, "velocity"], labels=_labels(table, fast)).value
    result.loc[direct, "value"], result.loc[fast, "value"] = table.loc[direct, "permittivity"], from_velocity
    result.loc[direct | fast, "uncertainty"] = permittivity_u
    for rows, origin in ((timed, "travel time"), (direct, "permittivity"), (fast, "velocity")):
        result.loc[rows, "origin"] = origin
    return result


def _convert_radar(
    table: pd.DataFrame, permittivity: pd.DataFrame, model: str, porosity: float, intercept: float | None, slope: float | None
) -> list[str]:
    rows = (permittivity["origin"] != "").to_numpy()
    if not rows.any():
        return []
    labels = _labels(table, rows)
    epsilon, epsilon_u = permittivity.loc[rows, "value"].to_numpy(), permittivity.loc[rows, "uncertainty"].to_numpy()
    notes = [
        f"{count} row(s) converted from radar {origin} by {model}"
        for origin, count in permittivity.loc[rows, "origin"].value_counts().sort_index().items()
    ]
    if model == "topp":
        water = topp(epsilon, permittivity_uncertainty=epsilon_u, labels=labels)
    elif model == "crim":
        own = table.loc[rows, "porosity"]
        water = crim(epsilon, own.fillna(porosity), permittivity_uncertainty=epsilon_u, labels=labels)
        if own.isna().any():
            notes.append(f"{own.isna().sum()} radar row(s) without porosity: {porosity:g} taken")
    else:
        refuse(epsilon < 1, epsilon, labels, "The relative permittivity must be 1 or more")
        speed = velocity_from_permittivity(epsilon, permittivity_uncertainty=epsilon_u)
        water = linear(speed.value, intercept, slope, velocity_uncertainty=speed.uncertainty)
    _fill(table, rows, water.value, water.uncertainty)
    return notes


def _remarks(table: pd.DataFrame, frame: pd.DataFrame, measured: np.ndarray, given: np.ndarray) -> list[str]:
    """What a reader should know of the result: replaced, missing and impossible values."""
    notes = []
    before = frame["value"].to_numpy(float) if "value" in frame else np.full(len(frame), np.nan)
    after = table["value"].to_numpy(float)
    replaced = int((given & (before != after)).sum())
    if replaced:
        notes.append(f"{replaced} row(s) had a value beside raw numbers: the converted one is used")
    empty = int((measured & ~np.isfinite(after)).sum())
    if empty:
        notes.append(f"{empty} ring or radar row(s) have neither raw numbers nor a value")
    above = int((after > table["porosity"].to_numpy(float)).sum())
    if above:
        notes.append(f"{above} row(s) hold more water than their pores: see screening.porosity_bound")
    return notes
