"""A study of three time slices that runs in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from alm_core.grid import Grid
from tests.rasters import write_raster

GRID = Grid.from_bounds((90.0, 60.0, 93.0, 62.0), 0.1, crs="EPSG:4326")
SLICES = (("early", 1980, 1984), ("middle", 1985, 1989), ("late", 1990, 1994))
WARMING = {"early": 0.0, "middle": 1.0, "late": 2.0}
LEARNERS = """
[[learners]]
name = "forest"
kind = "random_forest"
options = {n_estimators = 10}
[[learners]]
name = "boosted"
kind = "xgboost"
options = {n_estimators = 20, max_depth = 2}
"""
SECTIONS = {
    "study": 'name = "sliced"\ntitle = "Three slices"\nseed = 7\nsimulated = true\nlicence = "CC-BY-4.0"',
    "target": 'name = "magt"\nunit = "degree_Celsius"',
    "grid": (
        'crs = "EPSG:4326"\nresolution = 0.1\nmask = "mask.tif"\nbounds = {west = 90.0, south = 60.0, east = 93.0, north = 62.0}'
    ),
    "sites": 'table = "sites.csv"\nrepeats = "slice_mean"\ngroups = "none"',
    "sites.columns": 'site_id = "id"\nlongitude = "lon"\nlatitude = "lat"\nvalue = "magt"\nyear = "year"',
    "selection": "enabled = false",
    "validation": 'schemes = ["random"]\nheadline = "random"\nfolds = 3\ninner_folds = 3\nbootstrap = 20\ndomain_points = 100',
    "map": "block_size = 16\nworkers = 1",
}


def relief() -> np.ndarray:
    """Elevation, [row, column], m."""
    x, y = np.meshgrid(GRID.x, GRID.y)
    return 300 + 200 * np.sin(3 * x) * np.cos(4 * y)


def air(name: str) -> np.ndarray:
    """Air temperature of a slice, [row, column], degree Celsius; warmer everywhere from slice to slice."""
    x, y = np.meshgrid(GRID.x, GRID.y)
    return -5 + 3 * np.sin(2 * x + y) + WARMING[name] * (1 + 0.2 * np.cos(5 * x))


def truth(name: str) -> np.ndarray:
    """What a borehole measures in a slice."""
    return air(name) + 2 - 0.002 * relief()


def sites_table(count: int = 40) -> pd.DataFrame:
    """Site-years: every site in two years of each slice but some in one only, and one row after the last slice."""
    rng = np.random.default_rng(11)
    inside = np.flatnonzero(mask().ravel())
    cells = rng.choice(inside, size=count, replace=False)
    rows, columns = np.divmod(cells, GRID.shape[1])
    found = []
    for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
        offset = 0.3 * rng.normal()
        for name, first, last in SLICES[: 1 + number % 3]:
            for year in (first, last):
                value = truth(name)[row, column] + offset + 0.1 * rng.normal()
                found.append((f"b{number:02d}", GRID.x[column], GRID.y[row], value, year))
    found.append(("b00", found[0][1], found[0][2], 1.0, 2003))
    return pd.DataFrame(found, columns=["id", "lon", "lat", "magt", "year"])


def mask() -> np.ndarray:
    """Cells to map, [row, column]."""
    wanted = np.ones(GRID.shape, np.uint8)
    wanted[:, :3] = 0
    return wanted


def write_sliced_study(folder: Path, *, covariates: str | None = None, slices: tuple = SLICES, **sections: str) -> Path:
    """Write the study and return the path of study.toml; keywords replace or add whole sections."""
    folder.mkdir(parents=True, exist_ok=True)
    sites_table().to_csv(folder / "sites.csv", index=False)
    write_raster(folder / "mask.tif", mask(), GRID)
    write_raster(folder / "elevation.tif", relief().astype(np.float32), GRID, nodata=-9999.0)
    for name, _, _ in SLICES:
        write_raster(folder / f"air_{name}.tif", air(name).astype(np.float32), GRID, nodata=-9999.0)
    text = "".join(f"[{name}]\n{values}\n" for name, values in {**SECTIONS, **sections}.items()) + LEARNERS
    for name, first, last in slices:
        text += f'[[slices]]\nname = "{name}"\nfirst_year = {first}\nlast_year = {last}\n'
    path = folder / "study.toml"
    path.write_text(text + (COVARIATES if covariates is None else covariates), encoding="utf-8")
    return path


COVARIATES = """
[[covariates]]
name = "elevation"
path = "elevation.tif"
group = "terrain"
[[covariates]]
name = "air"
path = "air_{slice}.tif"
group = "climate"
[[derived]]
name = "front"
method = "northness"
inputs = {elevation = "air"}
"""
