"""A study that runs in seconds, for tests of the whole pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from alm_core.grid import Grid
from tests.rasters import write_raster

GRID = Grid.from_bounds((90.0, 30.0, 94.0, 33.0), 0.1, crs="EPSG:4326")


def learner(name: str, kind: str, options: str = "") -> str:
    """The section of one learner in study.toml; options as TOML has them between braces."""
    return f'[[learners]]\nname = "{name}"\nkind = "{kind}"\n' + (f"options = {{{options}}}\n" if options else "")


LEARNERS = learner("forest", "random_forest", "n_estimators = 20") + learner(
    "boosted", "xgboost", "n_estimators = 30, max_depth = 3"
)
SECTIONS = {
    "study": 'name = "small"\ntitle = "A small study"\nseed = 7\nsimulated = true\nlicence = "CC-BY-4.0"',
    "target": 'name = "vwc"\nunit = "m3 m-3"\nminimum = 0.0\nmaximum = 0.7',
    "grid": (
        'crs = "EPSG:4326"\nresolution = 0.1\nmask = "mask.tif"\nbounds = {west = 90.0, south = 30.0, east = 94.0, north = 33.0}'
    ),
    "sites": 'table = "sites.csv"',
    "sites.columns": 'site_id = "id"\nlongitude = "lon"\nlatitude = "lat"\nvalue = "vwc"\nsurvey = "survey"',
    "selection": "enabled = false",
    "validation": 'schemes = ["random", "knndm"]\nfolds = 3\ninner_folds = 3\nbootstrap = 20\ndomain_points = 100',
    "map": 'time = "2009/2024"\nblock_size = 16\nworkers = 1',
}


def layers() -> dict[str, np.ndarray]:
    """Three smooth layers and one of noise, [row, column]."""
    x, y = np.meshgrid(GRID.x, GRID.y)
    rng = np.random.default_rng(3)
    return {
        "elevation": 4000 + 300 * np.sin(3 * x) * np.cos(2 * y),
        "wetness": np.sin(5 * x + y) + 0.2 * rng.normal(size=x.shape),
        "warmth": np.cos(4 * y - x),
        "noise": rng.normal(size=x.shape),
    }


def truth(values: dict[str, np.ndarray]) -> np.ndarray:
    """What the sites measure."""
    return 0.3 + 0.1 * values["wetness"] + 0.05 * values["warmth"] * (values["elevation"] > 4000)


def sites_table(count: int = 90) -> pd.DataFrame:
    """Sites in distinct cells."""
    rng = np.random.default_rng(11)
    values = layers()
    cells = rng.choice(GRID.size, size=count, replace=False)
    rows, columns = np.divmod(cells, GRID.shape[1])
    vwc = truth(values)[rows, columns] + 0.02 * rng.normal(size=count)
    survey = [f"survey{number % 5}" for number in range(count)]
    return pd.DataFrame(
        {
            "id": [f"p{number:03d}" for number in range(count)],
            "lon": GRID.x[columns],
            "lat": GRID.y[rows],
            "vwc": vwc,
            "survey": survey,
        }
    )


def write_small_study(
    folder: Path, *, learners: str = LEARNERS, change: Callable[[str, np.ndarray], None] | None = None, **sections: str
) -> Path:
    """Write the study and return the path of study.toml.

    Keywords replace or add whole sections; `change` gets the name and the values of each layer and may write into them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sites_table().to_csv(folder / "sites.csv", index=False)
    mask = np.ones(GRID.shape, np.uint8)
    mask[:, :4] = 0
    write_raster(folder / "mask.tif", mask, GRID)
    text = "".join(f"[{name}]\n{values}\n" for name, values in {**SECTIONS, **sections}.items()) + learners
    for name, values in layers().items():
        values = values.astype(np.float32)
        if change is not None:
            change(name, values)
        write_raster(folder / f"{name}.tif", values, GRID, nodata=-9999.0)
        text += f'\n[[covariates]]\nname = "{name}"\npath = "{name}.tif"\ngroup = "terrain"\n'
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path
