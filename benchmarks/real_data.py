"""Two real data sets through the whole pipeline: ground temperature north of 45 N, and zinc in the Meuse floodplain.

Run: ``python -m benchmarks.real_data [magt|meuse] [--workspace DIR]``. The data lie beside the checkout, or where
ALM_SHARED_DATA says.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd

from alm_core import Run, run
from benchmarks.common import SHARED_DATA, save

GROUPS = {"t2m": "climate", "precip": "climate", "tdd": "climate", "fdd": "climate", "soil": "soil", "gldas": "soil"}
MAGT_LAYERS = (
    "elevation_m", "slope_deg", "t2m_annual_c", "t2m_annual_lapse_c", "t2m_jan_lapse_c", "t2m_jul_lapse_c", "t2m_range_c",
    "tdd_lapse", "fdd_lapse", "precip_annual_mm", "precip_jja_mm", "precip_djf_mm", "soil_sand_pct", "soil_clay_pct",
    "soil_silt_pct", "soil_organic_carbon_pct", "gldas_sm_0_10cm_kgm2_20160101", "gldas_sm_10_40cm_kgm2_20160101",
    "koppen_code", "permafrost_brown_extent",
)  # fmt: skip
MAGT_CATEGORIES = ("koppen_code", "permafrost_brown_extent")
MAGT_PLACE = """
[[derived]]
name = "longitude"
method = "x"
[[derived]]
name = "latitude"
method = "y"
[[derived]] # boreholes were read at 1 to 40 m; the map is made for 10 m
name = "depth"
method = "constant"
options = {value = 10.0, site_column = "depth_top"}
unit = "m"
"""
PLAIN_MEAN = """[fusion] # what kriging spreads is the error of the plain mean: a corrected value has noisier errors
method = "equal"
[bias]
method = "none"
"""
MEUSE_PLACE = """
[[derived]]
name = "x"
method = "x"
[[derived]]
name = "y"
method = "y"
"""
MEUSE_LAYERS = ("dist", "dem", "ffreq", "soil", "slope", "twi", "rsp", "mrvbf", "chnl_dist", "landimg2", "landimg3", "landimg4")
MEUSE_CATEGORIES = ("ffreq", "soil")


def covariate(name: str, path: Path, *, kind: str = "continuous", crs: str = "") -> str:
    """One [[covariates]] table."""
    group = next((group for word, group in GROUPS.items() if name.startswith(word)), "terrain")
    lines = [f'name = "{name}"', f'path = "{path.as_posix()}"', f'group = "{group}"', f'kind = "{kind}"']
    if crs:
        lines.append(f'crs = "{crs}"')
    return "\n[[covariates]]\n" + "\n".join(lines) + "\n"


def magt_study(folder: Path, *, seed: int = 42) -> Path:
    """Mean annual ground temperature: 531 boreholes, 20 layers at 0.25 degree, place and depth."""
    grids = SHARED_DATA / "grids_north45_0p25"
    text = f"""
[study]
name = "magt_north45"
title = "Mean annual ground temperature north of 45 N"
seed = {seed}
[target]
name = "magt"
unit = "degree Celsius"
[grid]
like = "{(grids / "elevation_m.tif").as_posix()}"
[sites]
table = "{(SHARED_DATA / "sites_magt_north45" / "magt_sites_north45.csv").as_posix()}"
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
outlier_z = 8
neighbour_z = 8
[selection]
enabled = false
[validation]
schemes = ["random", "block", "knndm"]
block_size_degrees = 5.0
[applicability]
enabled = true
"""
    for name in MAGT_LAYERS:
        text += covariate(name, grids / f"{name}.tif", kind="categorical" if name in MAGT_CATEGORIES else "continuous")
    text += MAGT_PLACE
    return write(folder, text)


def meuse_study(folder: Path, *, residual: bool, seed: int = 42) -> Path:
    """log(zinc): 155 sites, 12 layers of 40 m that carry no CRS, and the place."""
    grids = SHARED_DATA / "benchmark_meuse"
    sites = geopandas.read_file(grids / "meuse.shp", engine="pyogrio")
    table = pd.DataFrame(
        {"site": np.arange(len(sites)), "x": sites.geometry.x, "y": sites.geometry.y, "log_zinc": np.log(sites["zinc"])}
    )
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "sites.csv", index=False)
    text = f"""
[study]
name = "meuse_zinc{"_kriged" if residual else ""}"
title = "log(zinc) in the Meuse floodplain"
seed = {seed}
[target]
name = "log_zinc"
unit = "log(mg kg-1)"
[grid]
like = "{(grids / "dist.tif").as_posix()}"
crs = "EPSG:28992"
[sites]
table = "sites.csv"
crs = "EPSG:28992"
groups = "none"
[sites.columns]
site_id = "site"
longitude = "x"
latitude = "y"
value = "log_zinc"
[selection]
enabled = false
[validation]
schemes = ["random"]
headline = "random"
folds = 10
inner_folds = 10
[kriging]
enabled = true
residual = {str(residual).lower()}
{PLAIN_MEAN if residual else ""}"""
    for name in MEUSE_LAYERS:
        kind = "categorical" if name in MEUSE_CATEGORIES else "continuous"
        text += covariate(name, grids / f"{name}.tif", kind=kind, crs="EPSG:28992")
    text += MEUSE_PLACE
    return write(folder, text)


def write(folder: Path, text: str) -> Path:
    """Write study.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.toml"
    path.write_text(text)
    return path


def measure(study: Path, workspace: Path) -> dict:
    """Run a study and read its pooled scores."""
    begun = time.monotonic()
    finished = run(study, workspace=workspace, workers=2)
    metrics = finished.metrics()
    scores = {
        scheme: {name: {key: values[key] for key in ("r2", "rmse")} for name, values in columns.items()}
        for scheme, columns in metrics["schemes"].items()
    }
    with_map = (finished.folder / "map" / "fused.tif").is_file()
    return {
        "sites": len(finished_samples(finished)),
        "scores": scores,
        "map_written": with_map,
        "seconds": time.monotonic() - begun,
    }


def finished_samples(finished: Run) -> pd.DataFrame:
    """Sites that a run kept."""
    return pd.read_parquet(finished.file("samples.parquet"))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="?", choices=["magt", "meuse", "all"], default="all")
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.workspace or Path(temporary)
        if options.which in ("magt", "all"):
            save("magt_north45", measure(magt_study(folder / "magt"), folder / "workspace"))
        if options.which in ("meuse", "all"):
            plain = measure(meuse_study(folder / "meuse", residual=False), folder / "workspace")
            kriged = measure(meuse_study(folder / "meuse_kriged", residual=True), folder / "workspace")
            save("meuse_zinc", {"fused": plain, "with_kriged_residual": kriged})


if __name__ == "__main__":
    main()
