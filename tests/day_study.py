"""A study of days that runs in seconds, for tests of the whole pipeline: 40 cells, three years, five variables."""

from __future__ import annotations

from pathlib import Path

from alm_core.studies.surface_freeze_thaw.land import Extent
from alm_core.studies.surface_freeze_thaw.recipe import FOLDERS, write_extent

EXTENT = Extent((88.0, 31.0, 96.0, 36.0), 1.0, 3500.0, 2011, 2013, 4)
SECTIONS = {
    "study": 'name = "days"\ntitle = "A small study of days"\nseed = 7\nsimulated = true\nlicence = "CC-BY-4.0"',
    "target": 'name = "freeze_thaw"\ntask = "classification"',
    "grid": (
        'crs = "EPSG:4326"\nresolution = 1.0\nmask = "layers/mask.tif"\n'
        "bounds = {west = 88.0, south = 31.0, east = 96.0, north = 36.0}"
    ),
    "days": 'first = 2011-01-01\nlast = 2013-12-31\nlearner = "extra_trees"\nmissing = "route"',
    "days.labels": 'variable = "label_state"',
    "days.check": 'variable = "second_state"',
    "days.samples": "count = 2500\ncheck_count = 800",
    "days.splits": (
        'schemes = ["random", "year", "block", "site"]\nheadline = "year"\nfolds = 3\nblock_size_km = 300\ngap_days = 5\n'
        'random_because = "to compare with published scores"'
    ),
    "days.discriminant": 'vertical_36 = "tb36v"\nhorizontal_18 = "tb18h"',
    "map": "block_size = 16\nworkers = 1",
}
LEARNERS = """
[[learners]]
name = "extra_trees"
options = {n_estimators = 15, min_samples_leaf = 3}
[[learners]]
name = "boosted"
kind = "xgboost"
options = {n_estimators = 15, max_depth = 3}
"""
VARIABLES = {
    "tb36v": (
        'path = "tb/*_36V_D_*.nc"\nquantity = "brightness_temperature"\nfrequency_ghz = 36.5\npolarisation = "V"\n'
        'orbit = "descending"'
    ),
    "tb18h": (
        'path = "tb/*_18H_D_*.nc"\nquantity = "brightness_temperature"\nfrequency_ghz = 18.7\npolarisation = "H"\n'
        'orbit = "descending"'
    ),
    "air": 'path = "gldas/*_Tair_f_inst_*.nc"\nquantity = "temperature"',
    "label_state": 'path = "label/*.nc"\nquantity = "state"',
    "second_state": 'path = "second/*.nc"\nquantity = "state"\nmost_missing_days = 0.7',
}
"""What is in the files of each variable."""
FEATURES = {
    "tb36v": ("value", "tb36v"),
    "quasi_emissivity": ("ratio", "tb18h", "tb36v"),
    "tb36v_mean5": ("running_mean", "tb36v"),
    "air": ("value", "air"),
    "air_mean5": ("running_mean", "air"),
    "day_sine": ("day_of_year_sine",),
    "day_cosine": ("day_of_year_cosine",),
}
COVARIATES = """
[[covariates]]
name = "elevation"
path = "layers/elevation.tif"
group = "terrain"
[[covariates]]
name = "land_cover"
path = "layers/land_cover.tif"
kind = "categorical"
use = false
"""


def variables(change: dict[str, str] | None = None) -> str:
    """The [[days.variables]] of the study; `change` replaces the text of some, or takes one out where it is empty."""
    texts = {**VARIABLES, **(change or {})}
    return "".join(f'[[days.variables]]\nname = "{name}"\n{text}\n' for name, text in texts.items() if text)


def features() -> str:
    """The [[days.features]]."""
    text = ""
    for name, (method, *inputs) in FEATURES.items():
        text += f'[[days.features]]\nname = "{name}"\nmethod = "{method}"\n'
        text += f"inputs = {list(inputs)}\n".replace("'", '"') if inputs else ""
        text += "days = 5\n" if name.endswith("5") else ""
    return text


def write_day_files(folder: Path) -> Path:
    """The demo's files of the tiny place; see `alm_core.studies.surface_freeze_thaw`."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_extent(folder, EXTENT, seed=5, progress=lambda done, total, message: None)
    return folder


def write_day_study(
    folder: Path, *, learners: str = LEARNERS, files: bool = True, variable: dict[str, str] | None = None, **sections: str
) -> Path:
    """Write the study and return the path of study.toml.

    Keywords replace or add whole sections, an empty one takes it out; `variable` is the `change` of `variables`; without `files`
    only study.toml is written, beside files that are there.
    """
    if files:
        write_day_files(folder)
    chosen = {name: values for name, values in {**SECTIONS, **sections}.items() if values}
    text = "".join(f"[{name}]\n{values}\n" for name, values in chosen.items())
    path = folder / "study.toml"
    path.write_text(text + variables(variable) + features() + learners + COVARIATES, encoding="utf-8")
    return path
