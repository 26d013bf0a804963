"""A run with slices of time, made from a finished run without: maps that grow by a known step from slice to slice.

The value of slice k is that of the map less `STEP` times the number of slices after it, times a factor that falls from 1 in the
west to -1 in the east: the change of every cell is known exactly, and some cells change too little to be significant.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from alm_core.workspace import Run, write_json

NAMES = ("2000-2004", "2005-2009", "2010-2014", "2015-2019", "2020-2024")
STEP = 0.02
"""Change from one slice to the next in the westernmost column, in the unit of the target."""
BANDS = ("change", "trend_per_decade", "p_value", "beyond_interval")
SMALL = 0.5
"""Factor below which the fixture calls a trend not significant."""


def with_slices(run: Run, workspace: Path, *, step: float = STEP, study: str | None = None) -> Run:
    """Copy a run of regression into a workspace and give it slices, a change map, an extent and a comparison of learners."""
    folder = workspace / (study or run.folder.parent.name) / run.id
    shutil.copytree(run.folder, folder)
    listed = []
    for place, name in enumerate(NAMES):
        listed.append({"name": name, "first_year": int(name[:4]), "last_year": int(name[5:]), "folder": f"map/slices/{name}"})
        write_slice(folder, name, step * (place + 1 - len(NAMES)), main=place == len(NAMES) - 1)
    write_json(folder / "map" / "slices.json", {"main": NAMES[-1], "slices": listed})
    write_change(folder, step)
    write_json(folder / "comparison.json", comparison())
    write_extents(folder)
    return Run(folder.resolve())


def factor(columns: int) -> np.ndarray:
    """How strongly each column changes: 1 in the west, -1 in the east."""
    return np.linspace(1.0, -1.0, columns, dtype=np.float32)


def write_slice(folder: Path, name: str, shift: float, *, main: bool) -> None:
    """The rasters of one slice; those of the main one are the files of the map itself."""
    target = folder / "map" / "slices" / name
    target.mkdir(parents=True)
    for file in ("fused.tif", "members.tif", "uncertainty.tif"):
        source = folder / "map" / file
        if main:
            os.link(source, target / file)
            continue
        with rasterio.open(source, driver="GTiff") as dataset:
            values, profile, names, units = dataset.read(), dataset.profile, dataset.descriptions, dataset.units
        moved = [number for number, band in enumerate(names) if file != "uncertainty.tif" or band in ("lower", "upper")]
        values[moved] = values[moved] + (shift * factor(values.shape[2])).astype(values.dtype)
        write(target / file, values, profile, names, units)


def write(path: Path, values: np.ndarray, profile: Any, names: Any, units: Any) -> None:
    """A raster on the grid of another, with names and units of its bands."""
    plain = {key: profile[key] for key in ("height", "width", "crs", "transform", "nodata")}
    with rasterio.open(path, "w", driver="GTiff", count=len(values), dtype=str(values.dtype), **plain) as dataset:
        dataset.write(values)
        for band, (name, unit) in enumerate(zip(names, units, strict=True), start=1):
            dataset.set_band_description(band, name or f"band {band}")
            dataset.set_band_unit(band, unit or "")


def write_change(folder: Path, step: float) -> None:
    """map/change.tif and map/change.json; the p value is 2 / 5! where the factor is large, else 0.3."""
    with rasterio.open(folder / "map" / "fused.tif", driver="GTiff") as dataset:
        value, profile, unit = dataset.read(1), dataset.profile, dataset.units[0] or ""
    missing = ~np.isfinite(value) | (value == profile["nodata"] if profile["nodata"] is not None else False)
    each = np.broadcast_to(factor(value.shape[1]), value.shape)
    change = each * step * (len(NAMES) - 1)
    p_value = np.where(np.abs(each) > SMALL, 2 / 120, 0.3)
    bands = np.stack([change, each * step * 2, p_value, np.abs(each) > 0.75]).astype(np.float32)
    bands[:, missing] = np.nan
    profile = {**profile, "nodata": np.nan}
    write(folder / "map" / "change.tif", bands, profile, BANDS, (unit, f"{unit} decade-1", "1", ""))
    known = ~missing
    facts = {
        "first": NAMES[0],
        "last": NAMES[-1],
        "slices": list(NAMES),
        "unit": unit,
        "cells": int(known.sum()),
        "trend_cells": int(known.sum()),
        "mean_change": float(change[known].mean()),
        "mean_trend_per_decade": float(change[known].mean() / (len(NAMES) - 1) * 2),
        "significant_share": float((p_value[known] < 0.05).mean()),
        "rising_share": float(((p_value < 0.05) & (each > 0))[known].mean()),
        "falling_share": float(((p_value < 0.05) & (each < 0))[known].mean()),
        "significant_share_controlled": float((p_value[known] < 0.05).mean()),
        "beyond_share": float((np.abs(each) > 0.75)[known].mean()),
        "smallest_p_value": 2 / 120,
        "significance": 0.05,
        "methods": {},
    }
    write_json(folder / "map" / "change.json", facts)


def write_extents(folder: Path) -> None:
    """extent.json, reference_maps.json and the raster of a difference."""
    areas = [15.2e6, 14.9e6, 14.3e6, 14.0e6, 13.5e6]
    about = {"method": "sum of cell areas", "threshold": 0.0, "side": "below"}
    slices = [
        {
            "slice": name,
            "area_km2": area,
            "lower_km2": area * 0.93,
            "upper_km2": area * 1.08,
            **about,
        }
        for name, area in zip(NAMES, areas, strict=True)
    ]
    write_json(folder / "extent.json", {"name": "frozen ground", "unit": "", "slices": slices})
    with rasterio.open(folder / "map" / "fused.tif", driver="GTiff") as dataset:
        value, profile = dataset.read(1), dataset.profile
    write(folder / "map" / "difference_old_map.tif", (value - 0.1)[None].astype(np.float32), profile, ("difference",), ("",))
    scores = {"kappa": 0.71, "quantity": 0.06, "allocation": 0.09, "accuracy": 0.85, "cells": 1234}
    write_json(
        folder / "reference_maps.json",
        {"maps": [{"name": "old_map", **scores, "difference": "map/difference_old_map.tif"}]},
    )


def comparison() -> dict[str, Any]:
    """A comparison of four learners by two schemes: a winner by one, a tie by the other."""
    kinds = {"linear": "linear", "splines": "splines", "forest": "random_forest", "boosted": "xgboost"}
    schemes = {}
    for scheme, errors in (("random", (1.62, 1.45, 1.21, 1.24)), ("knndm", (1.74, 1.71, 1.55, 1.49))):
        learners = [
            {"name": name, "kind": kind, "r2": 1 - error**2 / 16, "rmse": error, "mae": 0.78 * error, "me": 0.01, "rmse_se": 0.06}
            for (name, kind), error in zip(kinds.items(), errors, strict=True)
        ]
        best = min(learners, key=lambda learner: learner["rmse"])
        differences = [
            {
                "learner": learner["name"],
                "against": best["name"],
                "rmse_difference": learner["rmse"] - best["rmse"],
                "standard_error": 0.05,
                "p_value": 0.4 if learner["rmse"] - best["rmse"] < 0.1 else 0.003,
            }
            for learner in learners
            if learner is not best
        ]
        tied = [best["name"], *(one["learner"] for one in differences if one["p_value"] > 0.05)]
        schemes[scheme] = {
            "folds": 10,
            "repeats": 3,
            "learners": learners,
            "differences": differences,
            "best": None if len(tied) > 1 else best["name"],
            "tied": tied if len(tied) > 1 else [],
            "sentence": f"{' and '.join(tied)} can't be told apart." if len(tied) > 1 else f"{best['name']} is best.",
        }
    features = ("warmth", "elevation", "wetness", "noise")
    importance = [
        {"feature": name, "value": value, "standard_error": 0.05 * value + 0.01}
        for name, value in zip(features, (0.82, 0.41, 0.17, 0.02), strict=True)
    ]
    combinations = [
        {"features": list(features[:count]), "rmse": error, "rmse_se": 0.05}
        for count, error in zip(range(1, 5), (1.9, 1.4, 1.22, 1.23), strict=True)
    ]
    return {"schemes": schemes, "importance": importance, "combinations": combinations, "chosen": list(features[:3])}
