"""Real ground temperatures and thaw depths north of 45 N through the pipeline, and the time of eight slices of the demo.

Run: ``python -m benchmarks.circumpolar [magt|alt|maps|slices|all] [--workspace DIR]``. The data lie beside the checkout, or where
ALM_SHARED_DATA says. Nothing here is a demo: figures of `magt` and `alt` are of measurements, those of `slices` of time alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core import Run, run
from benchmarks.common import SHARED_DATA, save
from benchmarks.real_data import covariate, finished_samples

GRIDS = SHARED_DATA / "grids_north45_0p25"
PUBLISHED = SHARED_DATA / "permafrost_maps"
LAYERS = (
    "elevation_m", "slope_deg", "t2m_annual_c", "t2m_annual_lapse_c", "t2m_jan_lapse_c", "t2m_jul_lapse_c", "t2m_range_c",
    "tdd_lapse", "fdd_lapse", "precip_annual_mm", "precip_jja_mm", "precip_djf_mm", "soil_sand_pct", "soil_clay_pct",
    "soil_silt_pct", "soil_organic_carbon_pct", "gldas_sm_0_10cm_kgm2_20160101", "gldas_sm_10_40cm_kgm2_20160101",
    "koppen_code", "permafrost_brown_extent",
)  # fmt: skip
CATEGORIES = ("koppen_code", "permafrost_brown_extent")
LOWLAND_CM = 200.0
DEGREES = f'like = "{(GRIDS / "elevation_m.tif").as_posix()}"'
POLAR = (
    'crs = "EPSG:3413"\nresolution = 25000.0\n'
    "bounds = { west = -5300000.0, south = -5300000.0, east = 5300000.0, north = 5300000.0 }"
)
COLD = """
[[derived]]
name = "frost_number"
method = "frost_number"
inputs = { freezing = "fdd_lapse", thawing = "tdd_lapse" }
group = "climate"
[[derived]]
name = "ttop"
method = "ttop"
inputs = { freezing = "fdd_lapse", thawing = "tdd_lapse" }
options = { freezing_factor = 0.5, thawing_factor = 1.0, conductivity_frozen = 1.6, conductivity_thawed = 1.2 }
group = "climate"
[[derived]]
name = "place_x"
method = "x"
[[derived]]
name = "place_y"
method = "y"
"""
DEPTH = """
[[derived]] # boreholes were read at 1 to 40 m; the map is made for 10 m
name = "depth"
method = "constant"
options = { value = 10.0, site_column = "depth_top" }
unit = "m"
"""
CCI = f"""
[[reference_maps]]
name = "cci_permafrost_fraction_2018"
path = "{(PUBLISHED / "cci_pfr_2018_nh_14km_percent.tif").as_posix()}"
thresholds = [0.0]
labels = ["permafrost", "none"]
ranges = {{ permafrost = [50.0, 101.0], none = [0.0, 50.0] }}
source = "ESA Permafrost_cci v3; cells below 14 % are absent, so most land without permafrost is not compared"
[[reference_maps]]
name = "brown_ipa"
path = "{(PUBLISHED / "brown_ipa_nh_12km_extent.tif").as_posix()}"
thresholds = [0.0]
labels = ["permafrost", "none"]
codes = {{ permafrost = [3, 4], none = [0, 1, 2] }}
source = "Brown et al. 2002, continuous and discontinuous against the rest; it is a covariate too, so agreement is no witness"
"""
SMALL_TABLE = {
    "extra_trees": "min_samples_leaf = 3",
    "xgboost": "n_estimators = 200, max_depth = 3",
    "catboost": "iterations = 250",
}
"""254 sites: the defaults are for twice as many, and learn the few deep sites by heart."""
COMMON = """
[selection]
enabled = false
{learners}
[bias]
method = "{bias}"
[fusion]
method = "{fusion}"
[validation]
schemes = {schemes}
headline = "{headline}"
folds = 10
repeats = {repeats}
inner_folds = 3
bootstrap = 200
{blocks}
"""


def magt_study(folder: Path, *, grid: str = DEGREES, **options: Any) -> Path:
    """Mean annual ground temperature of 531 boreholes, depth as a covariate."""
    table = SHARED_DATA / "sites_magt_north45" / "magt_sites_north45.csv"
    text = f"""
[study]
name = "circumpolar_magt{"_polar" if grid == POLAR else ""}"
title = "Mean annual ground temperature north of 45 N"
[target]
name = "magt"
unit = "degree_Celsius"
[grid]
{grid}
[sites]
table = "{table.as_posix()}"
groups = "survey"
[sites.columns]
site_id = "site_id"
longitude = "lon"
latitude = "lat"
value = "magt_c"
depth = "depth_m"
survey = "source"
[screening]
depth_minimum_m = 1
depth_maximum_m = 40
duplicate_distance_cells = "off"
outlier_z = "off"
neighbour_z = "off"
"""
    tail = '[extent]\nthreshold = 0.0\nname = "permafrost"\n' + CCI if grid == POLAR else ""
    return write(folder, text + common(grid, **options) + layers() + COLD + DEPTH + tail)


def alt_study(folder: Path, *, grid: str = DEGREES, **options: Any) -> Path:
    """Active layer thickness of the CALM network, site means, learned as a logarithm."""
    table = SHARED_DATA / "sites_calm_alt" / "calm_alt_sites.csv"
    text = f"""
[study]
name = "circumpolar_alt{"_polar" if grid == POLAR else ""}"
title = "Active layer thickness north of 45 N"
[target]
name = "alt"
unit = "cm"
minimum = 0.0
transform = "log"
[grid]
{grid}
[sites]
table = "{table.as_posix()}"
groups = "none"
[sites.columns]
site_id = "site"
longitude = "lon"
latitude = "lat"
value = "alt_cm"
[screening]
minimum = 1.0
duplicate_distance_cells = "off"
outlier_z = "off"
neighbour_z = "off"
"""
    options = {"learners": SMALL_TABLE, **options}
    return write(folder, text + common(grid, **options) + layers() + COLD)


def common(
    grid: str,
    *,
    bias: str = "none",
    fusion: str = "equal",
    repeats: int = 3,
    learners: dict[str, str] | None = None,
    schemes: tuple[str, ...] = ("random", "block", "knndm"),
    headline: str = "knndm",
) -> str:
    """Sections that both studies share; blocks of 5 degrees, or as many kilometres on a plane grid.

    The plain mean of three learners, not corrected: the figures to beat are R2 and RMSE, which corrections trade for range.
    """
    chosen = learners or {"extra_trees": "", "xgboost": "", "catboost": ""}
    members = "\n".join(f'[[learners]]\nname = "{name}"\noptions = {{ {options} }}' for name, options in chosen.items())
    blocks = "block_size_degrees = 5.0" if grid == DEGREES else "block_size_km = 555.0"
    listed = "[" + ", ".join(f'"{scheme}"' for scheme in schemes) + "]"
    return COMMON.format(
        bias=bias, fusion=fusion, repeats=repeats, learners=members, schemes=listed, headline=headline, blocks=blocks
    )


def layers() -> str:
    """Every layer of the 0.25 degree grid."""
    kinds = {name: "categorical" if name in CATEGORIES else "continuous" for name in LAYERS}
    return "".join(covariate(name, GRIDS / f"{name}.tif", kind=kind) for name, kind in kinds.items())


def write(folder: Path, text: str) -> Path:
    """Write study.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def figures(finished: Run, *, logarithm: bool = False) -> dict[str, Any]:
    """Pooled scores of the fused value and the members, per scheme."""
    pairs = pd.read_parquet(finished.file("out_of_fold.parquet"))
    names = [*finished.metrics()["learners"], "fused"]
    found: dict[str, Any] = {}
    for scheme, rows in pairs.groupby("scheme", sort=False):
        repeats = [part for _, part in rows.groupby("repeat")]
        found[scheme] = {name: over_repeats(repeats, name, logarithm=logarithm) for name in names}
        inside = (rows["observed"] >= rows["lower"]) & (rows["observed"] <= rows["upper"])
        found[scheme]["interval_coverage"] = float(inside.mean())
    return {"sites": len(finished_samples(finished)), "scores": found}


def over_repeats(repeats: list[pd.DataFrame], name: str, *, logarithm: bool) -> dict[str, Any]:
    """Mean of the scores over repeats, and the R2 of each: how much hangs on the deal of the folds."""
    each = [scores(part["observed"].to_numpy(), part[name].to_numpy(), logarithm=logarithm) for part in repeats]
    found: dict[str, Any] = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
    return found | ({"r2_of_repeats": [one["r2"] for one in each]} if len(each) > 1 else {})


def scores(observed: np.ndarray, predicted: np.ndarray, *, logarithm: bool) -> dict[str, float]:
    """R2 and RMSE in the unit; of a skewed target also R2 of logarithms, and both below 200 cm."""
    found = {"r2": r2(observed, predicted), "rmse": rmse(observed, predicted)}
    if logarithm:
        low = observed <= LOWLAND_CM
        logs = np.log(observed), np.log(np.maximum(predicted, 1.0))
        found |= {"r2_log": r2(*logs), "rmse_log": rmse(*logs), "rmse_to_200_cm": rmse(observed[low], predicted[low])}
        found |= {"r2_to_200_cm": r2(observed[low], predicted[low]), "sites_to_200_cm": int(low.sum())}
    return found


def r2(observed: np.ndarray, predicted: np.ndarray) -> float:
    """1 - SSE / SST."""
    return float(1 - np.sum((predicted - observed) ** 2) / np.sum((observed - observed.mean()) ** 2))


def rmse(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((predicted - observed) ** 2)))


def maps(folder: Path) -> dict[str, Any]:
    """Both maps on the polar grid: extent of permafrost and published maps beside it, with the time they took."""
    import json

    begun = time.perf_counter()
    few = {"grid": POLAR, "schemes": ("random", "knndm"), "repeats": 1}
    finished = run(magt_study(folder / "magt_polar", **few), workspace=folder / "workspace", workers=2)
    alt = run(alt_study(folder / "alt_polar", **few), workspace=folder / "workspace", workers=2)
    read = {name: json.loads(finished.file(f"{name}.json").read_text()) for name in ("extent", "reference_maps")}
    return {
        "seconds": time.perf_counter() - begun,
        "magt": figures(finished),
        "alt": figures(alt, logarithm=True),
        "extent": read["extent"],
        "reference_maps": [
            {key: one[key] for key in ("name", "accuracy", "kappa", "quantity", "allocation", "area_km2", "unclassified_cells")}
            for one in read["reference_maps"]["maps"]
        ],
    }


def slices(folder: Path) -> dict[str, Any]:
    """Wall-clock and CPU time of eight slices of both targets on a grid of 25 km, and of the same call again."""
    from alm_core.studies import DEMOS

    magt = DEMOS["circumpolar_permafrost"](folder / "demo", size="medium")
    found: dict[str, Any] = {}
    for label in ("first", "again"):
        begun, cpu = time.perf_counter(), time.process_time()
        for study in (magt, magt.parents[1] / "alt" / "study.toml"):
            run(study, workspace=folder / "workspace", workers=2)
        found[label] = {"wall_s": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu}
    return found


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="?", choices=["magt", "alt", "maps", "slices", "all"], default="all")
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.workspace or Path(temporary)
        if options.which in ("magt", "all"):
            finished = run(magt_study(folder / "magt"), workspace=folder / "workspace", workers=2, until="validation")
            save("circumpolar_magt", figures(finished))
        if options.which in ("alt", "all"):
            finished = run(alt_study(folder / "alt"), workspace=folder / "workspace", workers=2, until="validation")
            save("circumpolar_alt", figures(finished, logarithm=True))
        if options.which in ("maps", "all"):
            save("circumpolar_maps", maps(folder))
        if options.which in ("slices", "all"):
            save("circumpolar_slices", slices(folder))


if __name__ == "__main__":
    main()
