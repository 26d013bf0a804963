"""Zinc in the Meuse floodplain through the whole pipeline, with and without a kriged residual.

Run: ``python -m benchmarks.real_data [--workspace DIR]``. The data lie beside the checkout, or where
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
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.workspace or Path(temporary)
        plain = measure(meuse_study(folder / "meuse", residual=False), folder / "workspace")
        kriged = measure(meuse_study(folder / "meuse_kriged", residual=True), folder / "workspace")
        save("meuse_zinc", {"fused": plain, "with_kriged_residual": kriged})


if __name__ == "__main__":
    main()
