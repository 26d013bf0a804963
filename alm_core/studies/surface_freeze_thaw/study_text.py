"""The study.toml of the demo: which files hold what, and which predictors are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from string import Template

from alm_core.studies.surface_freeze_thaw.land import EXTENTS
from alm_core.studies.surface_freeze_thaw.radiation import BANDS, CHANNELS, ORBITS

LAYERS = {"elevation": "m", "vegetation": "1", "forest": "1", "clay": "percent", "sand": "percent"}
"""Layers that are predictors, with their units; land cover and the mask are written beside them."""
EFFORT = {
    "small": {"trees": 30, "forest_trees": 20, "rounds": 40, "samples": 6000, "check_samples": 3000, "folds": 3, "block_km": 400},
    "medium": {
        "trees": 100,
        "forest_trees": 60,
        "rounds": 150,
        "samples": 60000,
        "check_samples": 20000,
        "folds": 5,
        "block_km": 300,
    },
}


def study_text(size: str, seed: int) -> str:
    """The study.toml of one size, with comments."""
    extent = EXTENTS[size]
    west, south, east, north = extent.bounds
    template = resources.files(__package__).joinpath("study_template.toml").read_text(encoding="utf-8")
    return Template(template).substitute(
        size=size,
        seed=seed,
        first=f"{extent.first_year}-01-01",
        last=f"{extent.last_year}-12-31",
        first_year=extent.first_year,
        last_year=extent.last_year,
        cell=repr(extent.cell),
        west=repr(west),
        south=repr(south),
        east=repr(east),
        north=repr(north),
        features="\n".join(feature_texts()),
        channels="\n".join(_channel_text(name, orbit) for orbit in ORBITS for name in CHANNELS),
        layers="\n".join(_layer_text(name, unit) for name, unit in LAYERS.items()),
        **EFFORT[size],
    )


def _channel_text(name: str, orbit: str) -> str:
    band, polarisation = name[:2], name[2]
    return (
        f'[[days.variables]]\nname = "tb{name.lower()}_{ORBITS[orbit]}"\npath = "tb/*_{name}_{orbit}_EASE2_*.nc"\n'
        f'variable = "TB"\nquantity = "brightness_temperature"\nfrequency_ghz = {BANDS[band].frequency_ghz}\n'
        f'polarisation = "{polarisation}"\norbit = "{ORBITS[orbit]}"\n'
    )


def feature_texts() -> Iterator[str]:
    """The predictors: channels, their ratios and gradients, what they did in the days before, temperatures, season."""
    for orbit in ORBITS.values():
        for name in CHANNELS:
            yield feature_text(f"tb{name.lower()}_{orbit}", "value", f"tb{name.lower()}_{orbit}")
        for band in BANDS:
            yield feature_text(
                f"polarisation_ratio{band}_{orbit}", "polarisation_ratio", f"tb{band}v_{orbit}", f"tb{band}h_{orbit}"
            )
        yield feature_text(f"quasi_emissivity_{orbit}", "ratio", f"tb18h_{orbit}", f"tb36v_{orbit}")
        yield feature_text(f"gradient_{orbit}", "difference", f"tb36v_{orbit}", f"tb18v_{orbit}")
    for name in ("tb36v_descending", "tb18h_descending", "tb36v_ascending", "tb18h_ascending"):
        yield feature_text(f"{name}_mean5", "running_mean", name, days=5)
    yield feature_text("tb36v_descending_mean15", "running_mean", "tb36v_descending", days=15)
    yield feature_text("tb36v_descending_sd15", "running_sd", "tb36v_descending", days=15)
    for name in ("air_temperature", "soil_temperature"):
        yield feature_text(name, "value", name)
    yield feature_text("air_temperature_mean5", "running_mean", "air_temperature", days=5)
    yield feature_text("air_temperature_mean30", "running_mean", "air_temperature", days=30)
    yield feature_text("day_sine", "day_of_year_sine")
    yield feature_text("day_cosine", "day_of_year_cosine")


def feature_text(name: str, method: str, *inputs: str, days: int = 1) -> str:
    """One predictor of study.toml."""
    listed = ", ".join(f'"{one}"' for one in inputs)
    text = f'[[days.features]]\nname = "{name}"\nmethod = "{method}"\n' + (f"inputs = [{listed}]\n" if inputs else "")
    return text + (f"days = {days}\n" if days > 1 else "")


def _layer_text(name: str, unit: str) -> str:
    group = {"elevation": "terrain", "vegetation": "vegetation", "forest": "vegetation"}.get(name, "soil")
    return (
        f'[[covariates]]\nname = "{name}"\npath = "layers/{name}.tif"\ngroup = "{group}"\nunit = "{unit}"\nsource = "simulated"\n'
    )
