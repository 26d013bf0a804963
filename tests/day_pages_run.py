"""A finished run of days, written by hand in seconds: what pages and readers of such runs look at.

Temperatures follow the season, the latitude and the height; the map is a plain function of them, so its answers are known.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

from alm_core.cubes.states import FROZEN, THAWED, UNKNOWN
from alm_core.cubes.store import CubeStore, Variable
from alm_core.grid import Grid
from alm_core.learning.day_samples import DaySamples
from alm_core.learning.day_scores import Resamples, day_groups
from alm_core.learning.day_validation import Scorer
from alm_core.options import StudyOptions
from alm_core.workspace import Run, write_json

GRID = Grid.from_bounds((88.0, 32.0, 92.0, 35.0), 0.25, crs="EPSG:4326")
FIRST, LAST = date(2014, 7, 1), date(2016, 6, 30)
UNKNOWN_DAY = date(2015, 1, 5)
STAGES = ("covariates", "cubes", "samples", "validation", "models", "map")
LEARNERS = ("extra_trees", "discriminant_published", "discriminant_refitted")
SCHEMES = ("random", "year", "block")
GAIN = {"count": 200, "learner": 0.9, "baseline": 0.85, "difference": 0.05, "interval": [0.02, 0.08]}
RIGHT = {"random": 0.97, "year": 0.9, "block": 0.92}
"""Part of the predictions that is right."""


def day_options() -> StudyOptions:
    """Options of the study."""
    states = [{"name": name, "path": f"{name}.nc", "quantity": "state"} for name in ("label", "second")]
    channels = [("tb_36v", 36.5, "V"), ("tb_18h", 18.7, "H")]
    tb = [
        {"name": name, "path": f"{name}.nc", "quantity": "brightness_temperature", "frequency_ghz": ghz, "polarisation": pol}
        for name, ghz, pol in channels
    ]
    air = {"name": "air", "path": "air.nc", "quantity": "temperature"}
    days = {
        "first": FIRST.isoformat(),
        "last": LAST.isoformat(),
        "variables": [*tb, air, *states],
        "labels": {"variable": "label"},
        "check": {"variable": "second", "frozen": [2], "thawed": [1]},
        "splits": {"schemes": list(SCHEMES), "random_because": "to compare with a published figure"},
        "discriminant": {"vertical_36": "tb_36v", "horizontal_18": "tb_18h"},
    }
    return StudyOptions.model_validate(
        {
            "study": {"name": "days", "title": "Small days", "simulated": True},
            "target": {"name": "state", "task": "classification"},
            "grid": {
                "crs": GRID.crs,
                "resolution": 0.25,
                "bounds": dict(zip(("west", "south", "east", "north"), GRID.bounds, strict=True)),
            },
            "days": days,
            "learners": [{"name": "extra_trees"}],
        }
    )


def temperatures() -> tuple[np.ndarray, np.ndarray]:
    """Temperature ``[day, cell]`` in degree Celsius, and the mapped cells: all but the first row."""
    cells = np.arange(GRID.shape[1], GRID.size)
    day = np.arange((LAST - FIRST).days + 1)
    season = 12.0 * np.cos(2 * np.pi * (day - 20) / 365.25)
    latitude = GRID.y[cells // GRID.shape[1]]
    wave = 1.5 * np.sin(day[:, None] / 3.0 + cells[None, :] / 7.0)
    return season[:, None] - 3.0 * (latitude[None, :] - 33.0) + wave, cells


def write_day_run(workspace: Path) -> Run:
    """Write the run and give it."""
    run = Run(workspace / "days" / "d0d0d0d0d0d0")
    run.folder.mkdir(parents=True)
    celsius, cells = temperatures()
    write_cubes(run, celsius, cells)
    write_maps(run, celsius, cells)
    write_phenology(run, celsius, cells)
    write_scores(run, celsius)
    stages = {name: {"state": "done", "key": name, "seconds": 1.0, "files": {}, "linked_from": None} for name in STAGES}
    head = {"run": run.id, "study": "days", "title": "Small days", "simulated": True, "study_file": None, "seed": 42}
    options = day_options().model_dump(mode="json")
    versions = {"alm_core": "0", "python": "3"}
    write_json(
        run.folder / "run.json",
        head | {"options": options, "inputs": {}, "versions": versions, "order": STAGES, "stages": stages},
    )
    return run


def write_cubes(run: Run, celsius: np.ndarray, cells: np.ndarray) -> CubeStore:
    """Channels, air temperature and the two products; the second has codes of its own and gaps."""
    random = np.random.default_rng(7)
    frozen = celsius < 0
    label = np.where(random.random(celsius.shape) < 0.05, ~frozen, frozen).astype(np.float32)
    second = np.where(random.random(celsius.shape) < 0.08, ~frozen, frozen) + np.float32(1)
    second[::2] = np.nan
    arrays = {
        "tb_36v": 0.9 * (celsius + 273.15) + 12 * frozen,
        "tb_18h": 0.8 * (celsius + 273.15) + 20 * frozen,
        "air": celsius + 273.15,
        "label": label,
        "second": second,
    }
    arrays["tb_36v"][place_of(UNKNOWN_DAY)] = np.nan
    variables = (
        Variable("tb_36v", "K", "brightness_temperature", 36.5, "V", "descending"),
        Variable("tb_18h", "K", "brightness_temperature", 18.7, "H", "descending"),
        Variable("air", "K", "temperature"),
        Variable("label", "1", "state"),
        Variable("second", "1", "state"),
    )
    facts = {name: {"files": 3, "days_missing": 1, "out_of_range": 4, "grid": "12 x 16 cells"} for name in arrays}
    return CubeStore.create(run.folder / "cubes", GRID, FIRST, celsius.shape[0], cells, variables, arrays, facts=facts)


def place_of(day: date) -> int:
    """Place of a day."""
    return (day - FIRST).days


def states(celsius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """State and probability of frozen in per cent; one day is unknown."""
    percent = np.rint(100 / (1 + np.exp(celsius))).astype(np.uint8)
    state = np.where(percent >= 50, FROZEN, THAWED).astype(np.uint8)
    state[place_of(UNKNOWN_DAY)] = percent[place_of(UNKNOWN_DAY)] = UNKNOWN
    return state, percent


def write_maps(run: Run, celsius: np.ndarray, cells: np.ndarray) -> None:
    """Two rasters and a NetCDF file for each calendar year."""
    state, percent = states(celsius)
    for year in range(FIRST.year, LAST.year + 1):
        start, stop = max(0, (date(year, 1, 1) - FIRST).days), min(celsius.shape[0], (date(year + 1, 1, 1) - FIRST).days)
        names = [(FIRST + timedelta(days=place)).isoformat() for place in range(start, stop)]
        for name, values in (("state", state), ("probability", percent)):
            write_bands(run.folder / f"map/days/{name}_{year}.tif", values[start:stop], cells, names, UNKNOWN)
        write_netcdf(run.folder / f"map/days/state_{year}.nc", state[start:stop], percent[start:stop], cells, names)


def write_netcdf(path: Path, state: np.ndarray, percent: np.ndarray, cells: np.ndarray, names: list[str]) -> None:
    """State and probability of a year."""
    import netCDF4

    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in zip(("time", "y", "x"), (len(names), *GRID.shape), strict=True):
            dataset.createDimension(name, size)
        dataset.createVariable("time", "i4", ("time",))[:] = np.array(names, "datetime64[D]").astype(int)
        for name, values in (("state", state), ("probability", percent)):
            full = np.full((len(names), GRID.size), UNKNOWN, np.uint8)
            full[:, cells] = values
            variable = dataset.createVariable(name, "u1", ("time", "y", "x"), fill_value=UNKNOWN)
            variable[:] = full.reshape(-1, *GRID.shape)


def write_phenology(run: Run, celsius: np.ndarray, cells: np.ndarray) -> None:
    """Onsets, counts and their trends of two freezing years."""
    frozen = celsius < 0
    onset, thaw, days = [], [], []
    for year in (2014, 2015):
        start = (date(year, 7, 1) - FIRST).days
        winter = frozen[start : start + 365]
        onset.append(winter.argmax(axis=0))
        thaw.append(winter.shape[0] - winter[::-1].argmax(axis=0))
        days.append(winter.sum(axis=0))
    tables = {"freeze_onset": onset, "thaw_onset": thaw, "frozen_days": days, "transitions": [np.full(cells.size, 2.0)] * 2}
    for name, values in tables.items():
        numbers = np.array(values, np.float32)
        folder = run.folder / "map/phenology"
        write_bands(folder / f"{name}.tif", numbers, cells, ["2014", "2015"], np.nan)
        slope = (numbers[1] - numbers[0]) * 10
        p_value = np.linspace(0, 1, cells.size, dtype=np.float32)
        write_bands(folder / f"trend_{name}.tif", np.stack([slope, p_value]), cells, ["trend_per_decade", "p_value"], np.nan)
    means = {name: np.array(values).mean(axis=1).tolist() for name, values in tables.items()}
    shares = {"rising_share": 0.04, "falling_share": 0.02, "significant_share_controlled": 0.01}
    field = shares | {"mean_per_decade": -2.34, "smallest_p_value": 1.0, "significance": 0.05}
    facts = {"phenology": {"years": [2014, 2015], "means": means}, "field_significance": dict.fromkeys(tables, field)}
    write_json(run.folder / "map/days.json", facts)


def write_scores(run: Run, celsius: np.ndarray) -> None:
    """Samples, predictions out of fold and metrics.json, as the stages write them; the random split is the kindest."""
    random = np.random.default_rng(11)
    count = 3000
    day, cell = random.integers(0, celsius.shape[0], count), random.integers(0, celsius.shape[1], count)
    dates = np.datetime64(FIRST, "D") + day
    label = (celsius[day, cell] < 0).astype(float)
    is_check = np.arange(count) % 5 == 0
    frame = pd.DataFrame({"cell": cell, "day": day, "date": dates.astype("datetime64[ns]"), "x": 90.0, "y": 33.0})
    frame = frame.assign(label=np.where(is_check, np.nan, label), check=np.where(is_check, label, np.nan))
    frame["year"], frame["month"] = frame["date"].dt.year, frame["date"].dt.month
    frame["feature:tb_36v"] = celsius[day, cell].astype(np.float32)
    samples = DaySamples(frame)
    pairs = pd.concat([_predictions(random, scheme, name, label, is_check) for scheme in SCHEMES for name in LEARNERS])
    groups = day_groups(samples.dates, categories={"land_cover": cell % 3}, heights={"elevation": 4000.0 + cell})
    scorer = Scorer(samples, groups, Resamples.of(cell, count=20))
    leak = {"near_days": 10, "near_km": 100.0, "median_days": 3.0, "median_km": 140.0, "both": 0.95}
    shares = {"random": (0.9, 0.25), "year": (0.01, 0.0), "block": (0.0, 0.2)}
    metrics = {
        "task": "classification",
        "classes": ["thawed", "frozen"],
        "headline": "year",
        "learner": "extra_trees",
        "schemes": {scheme: scorer.scheme(pairs[pairs["scheme"] == scheme]) for scheme in SCHEMES},
        "leaks": {scheme: leak | {"same_cell": cell, "same_day": same_day} for scheme, (cell, same_day) in shares.items()},
        "against_baselines": {"year": {name: {"transition months": GAIN, "all": GAIN} for name in LEARNERS[1:]}},
        "check": {"product": "second", "labels_agree": 0.87, "learners": scorer.check(pairs[pairs["scheme"] == "year"])},
    }
    write_json(run.folder / "importance.json", {"fused": {"tb_18h": 0.02, "tb_36v": 0.3}})
    frame.to_parquet(run.folder / "samples.parquet", index=False)
    pairs.to_parquet(run.folder / "out_of_fold.parquet", index=False)
    write_json(run.folder / "metrics.json", metrics)


def _predictions(random: np.random.Generator, scheme: str, learner: str, label: np.ndarray, is_check: np.ndarray) -> pd.DataFrame:
    """Right in as many cases as `RIGHT` says."""
    right = RIGHT[scheme] - (0.1 if learner != LEARNERS[0] else 0.0)
    truth = np.where(random.random(label.size) < right, label, 1 - label)
    probability = np.where(truth == 1, 0.9, 0.1).astype(np.float32)
    part = np.where(is_check, "check", "test").astype(object)
    if scheme == "random":
        part[~is_check] = random.choice(["training", "validation", "test"], int((~is_check).sum()), p=[0.7, 0.15, 0.15])
    rows = {"sample": np.arange(label.size), "scheme": scheme, "fold": 0, "part": part, "learner": learner}
    return pd.DataFrame(
        rows | {"probability": probability, "predicted": truth.astype(np.uint8), "observed": label.astype(np.uint8)}
    )


def write_bands(path: Path, values: np.ndarray, cells: np.ndarray, names: list[str], nodata: float) -> None:
    """Values ``[band, cell]`` as a GeoTIFF of the whole grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    full = np.full((len(values), GRID.size), nodata, values.dtype)
    full[:, cells] = values
    profile = {"driver": "GTiff", "count": len(values), "dtype": values.dtype, "nodata": nodata, "compress": "deflate"}
    size = {"height": GRID.shape[0], "width": GRID.shape[1], "crs": GRID.crs, "transform": GRID.affine}
    with rasterio.open(path, "w", **profile, **size) as dataset:
        dataset.write(full.reshape(-1, *GRID.shape))
        dataset.descriptions = names
