"""A window of the demo's full-size landscape with its sites and four full-size members: the data of the speed benchmarks.

Rasters follow the demo's own formulas at 3 arc-seconds and go through the staging room; the sites are the 342 usable ones of
the demo, with the covariates that the same formulas give at their cells (the window holds few of them); members, fusion,
interval and area of applicability are fitted by the stage that fits them in a run. Written once into a folder and used again.

Run: ``python -m benchmarks.plateau_window FOLDER [--size 4000]``
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio

from alm_core.covariates.derived import compute_block
from alm_core.covariates.samples import Samples, make_samples
from alm_core.covariates.stack import DerivedSource, LayerSource, Stack, stage
from alm_core.errors import AlmError
from alm_core.grid import Block, Grid
from alm_core.learning.applicability import Applicability
from alm_core.learning.fusion import Fusion
from alm_core.learning.learners import Learner, make_learner
from alm_core.learning.model_files import load_learner
from alm_core.progress import Reporter
from alm_core.stages.context import Context
from alm_core.stages.data import layer_sources, stage_covariates, study_grid
from alm_core.stages.mapping import stage_models
from alm_core.studies.active_layer_moisture.field_sites import USABLE, cell_centres, measured_sites
from alm_core.studies.active_layer_moisture.layers import RASTERS, Raster, cell_degrees, map_grid, native_grid
from alm_core.studies.active_layer_moisture.recipe import DEFAULT_SEED, LAYERS_FOLDER, NATIVES, study_text
from alm_core.studies.active_layer_moisture.truth import TrueLand
from alm_core.studies.active_layer_moisture.writing import MASK, compute, write_rasters
from alm_core.study import Study, parse_options
from alm_core.workspace import read_json, write_json
from benchmarks.common import CORES

CORNER = 89.0, 36.5
"""West and north of the window: 95 % permafrost, a few lakes, a road of the demo."""
SIZE = 4000
COVARIATES = (
    "elevation", "topographic_position", "slope", "northness", "ndvi", "ndwi", "land_cover", "soil_moisture_change",
    "sand", "clay", "organic_carbon", "precipitation", "surface_temperature", "thawing_degree_days",
)  # fmt: skip
"""What a study would choose: 13 continuous covariates and one of classes."""
FULL_DEPTH = {"n_estimators": 500, "min_samples_leaf": 1, "max_features": 1.0}
MEMBERS: dict[str, dict[str, Any]] = {
    "random_forest": FULL_DEPTH,
    "extra_trees": FULL_DEPTH,
    "xgboost": {"n_estimators": 600, "max_depth": 5, "max_bin": 256},
    "catboost": {"iterations": 1000, "depth": 6, "border_count": 254},
}
"""Forests as scikit-learn has them by default; boosting with the many split values that the libraries have by default."""


@dataclass(frozen=True)
class Window:
    """The prepared data."""

    context: Context

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return self.context.folder

    @property
    def stack(self) -> Stack:
        """The staged covariates."""
        return self.context.stack

    @cached_property
    def samples(self) -> Samples:
        """The sites."""
        return self.context.samples

    @cached_property
    def compiled(self) -> dict[str, Learner]:
        """Members as a map uses them, read from their files."""
        return {name: load_learner(self.folder / "models", name) for name in MEMBERS}

    @cached_property
    def native(self) -> dict[str, Any]:
        """The libraries' own estimators, fitted again: same seed, same data, same trees."""
        features, seed = self.samples.features.to_numpy(np.float32), self.context.options.study.seed
        made = {}
        for name, options in MEMBERS.items():
            learner = make_learner(name, seed=seed, options=options, feature_names=COVARIATES, categorical=("land_cover",))
            made[name] = learner.fit(features, self.samples.target).estimator
        return made

    @property
    def everything(self) -> tuple[Any, ...]:
        """All that was fitted, read from its files."""
        return self.samples, self.compiled, self.fusion, self.applicability

    @cached_property
    def fusion(self) -> Fusion:
        """Bias-aware fusion with its correction and interval."""
        return Fusion.from_dict(read_json(self.folder / "fusion.json"))

    @cached_property
    def applicability(self) -> Applicability:
        """Area of applicability."""
        return Applicability.from_dict(read_json(self.folder / "applicability.json"))


def prepare(folder: Path, *, size: int = SIZE, seed: int = DEFAULT_SEED) -> Window:
    """Write what is not there yet, and open it."""
    context = Context(window_study(folder, size, seed), folder, "window", {}, CORES, Reporter("", None))
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"size": size, "seed": seed, "covariates": list(COVARIATES), "members": MEMBERS}
    about = folder / "window.json"
    if about.is_file() and json.loads(about.read_text()) != facts:
        raise SystemExit(f"{folder} holds a window of other settings: name another folder, or remove it.")
    write_json(about, facts)
    if not _opens(lambda: context.stack):
        write_layers(context, seed)
    if not _opens(lambda: Window(context).everything):
        window_samples(context, seed).to_parquet(folder / "samples.parquet")
        write_json(folder / "selection.json", {"chosen": list(COVARIATES)})
        stage_models(context)
    return Window(context)


def known_size(folder: Path) -> int | None:
    """Side of the window that a folder holds; None where it holds none."""
    about = folder / "window.json"
    return json.loads(about.read_text())["size"] if about.is_file() else None


def _opens(read: Callable[[], Any]) -> bool:
    """False where files are not there, or another version of the program wrote them."""
    try:
        read()
    except (AlmError, OSError):
        return False
    return True


# ---- rasters ------------------------------------------------------------------------------------------------------------


def window_grid(size: int) -> Grid:
    """Cells of the full-size grid around the window."""
    full = map_grid("full")
    column, row = (round(float(value[0])) for value in full.row_column(np.array([CORNER[0]]), np.array([CORNER[1]]))[::-1])
    cell = full.resolution[0]
    west, north = full.transform[2] + column * cell, full.transform[5] - row * cell
    return Grid(full.crs, (cell, 0.0, west, 0.0, -cell, north), (size, size))


def window_study(folder: Path, size: int, seed: int) -> Study:
    """The study of the full-size demo, cut to the window, its 14 covariates and the full-size members."""
    values = tomllib.loads(study_text("full", seed))
    values["grid"]["bounds"] = dict(zip(("west", "south", "east", "north"), window_grid(size).bounds, strict=True))
    values["derived"] = [part for part in values["derived"] if part["name"] in COVARIATES]
    inputs = {name for part in values["derived"] for role in part["inputs"].values() for name in np.atleast_1d(role).tolist()}
    values["covariates"] = [part for part in values["covariates"] if part["name"] in inputs.union(COVARIATES)]
    values["learners"] = [{"name": name, "options": options} for name, options in MEMBERS.items()]
    return Study(parse_options(values), folder / "demo")


def write_layers(context: Context, seed: int) -> None:
    """Write the demo's rasters of the window and stage them."""
    demo, target = context.study.folder, study_grid(context.study)
    (demo / LAYERS_FOLDER).mkdir(parents=True, exist_ok=True)
    needed = {Path(layer.path).name for layer in context.options.covariates}
    for native in NATIVES:
        files = [(demo / LAYERS_FOLDER / raster.file, raster) for raster in RASTERS if raster.native == native]
        files = [(path, raster) for path, raster in files if raster.file in needed]
        files += [(demo / MASK.file, MASK)] if native == "map" else []
        write_rasters(files, native_grid(native, target), seed=seed, tick=lambda _: None)
    stage_covariates(context)
    shutil.rmtree(demo)


# ---- sites --------------------------------------------------------------------------------------------------------------


def window_samples(context: Context, seed: int) -> Samples:
    """The usable sites of the full-size demo; layers of coarser grids are taken at the cell, not resampled to it."""
    sites = measured_sites("full", seed).iloc[:USABLE].reset_index(drop=True)
    grid, derived = map_grid("full"), {source.name: source for source in layer_sources(context.study)[1]}
    x, y = cell_centres(grid, sites["longitude"].to_numpy(), sites["latitude"].to_numpy())
    cells = grid.cell_index(x, y)
    rows = [_covariates_of(int(cell), grid, derived, seed) for cell in cells]
    sites["site_id"], sites["value"] = [f"S{number:03d}" for number in range(len(sites))], sites["vwc"]
    return make_samples(sites, pd.DataFrame(rows), x, y)


def _covariates_of(cell: int, grid: Grid, derived: dict[str, DerivedSource], seed: int) -> dict[str, float]:
    """The covariates of one cell of the full-size grid."""
    row, column = divmod(cell, grid.shape[1])
    block = Block(0, 0, row, row + 1, column, column + 1, 0, grid.shape)
    read = _reader_of(row, column, grid, seed)
    return {
        name: float(compute_block(derived[name], block, grid, read)[0, 0] if name in derived else read(name, 0)[0, 0])
        for name in COVARIATES
    }


def _reader_of(row: int, column: int, grid: Grid, seed: int) -> Callable[[str, int], np.ndarray]:
    """Gives a layer on a cell and those around it, as the demo's file would hold it."""
    lands: dict[int, TrueLand] = {}

    def read(name: str, halo: int) -> np.ndarray:
        if halo not in lands:
            x, y = grid.x[column - halo : column + halo + 1], grid.y[row - halo : row + halo + 1]
            lands[halo] = TrueLand(*np.meshgrid(x, y), cell=cell_degrees(grid), seed=seed)
        raster, band = _band(name)
        stored = compute(replace(raster, bands=(raster.bands[band],)), lands[halo])[0]
        missing = np.isnan(stored) if np.isnan(raster.nodata) else stored == raster.nodata
        return np.where(missing, np.nan, stored * raster.scale + raster.offset)

    return read


def _band(name: str) -> tuple[Raster, int]:
    """The raster of the demo that holds a covariate, and the place of its band."""
    return next((raster, place) for raster in RASTERS for place, band in enumerate(raster.bands) if band.name == name)


# ---- other stacks made of the same cells --------------------------------------------------------------------------------


def cut(stack: Stack, folder: Path, side: int) -> Stack:
    """The middle of a stack, `side` cells wide and high."""
    row, column = ((length - side) // 2 for length in stack.grid.shape)
    width, height = stack.grid.resolution
    west, north = stack.grid.transform[2] + column * width, stack.grid.transform[5] - row * height
    grid = Grid(stack.grid.crs, (width, 0.0, west, 0.0, -height, north), (side, side))
    return _copy(stack, folder, grid, lambda values: values[row : row + side, column : column + side])


def shuffle(stack: Stack, folder: Path, side: int, *, seed: int = 0) -> Stack:
    """Cells of a stack that can be mapped, drawn at random and laid out in no order: the worst for pruning by blocks."""
    with stack.reader(COVARIATES) as reader:
        usable = np.concatenate([_usable(reader, block) for block in stack.grid.blocks(512)])
    chosen = np.random.default_rng(seed).choice(usable, side * side, replace=len(usable) < side * side)
    grid = Grid(stack.grid.crs, stack.grid.transform, (side, side))
    return _copy(stack, folder, grid, lambda values: values.ravel()[chosen].reshape(side, side))


def _usable(reader: Any, block: Block) -> np.ndarray:
    """Flat indices of the cells of a block that are in the mask and have every covariate."""
    rows, columns = np.nonzero(reader.mask(block) & np.isfinite(reader.read(block)).all(axis=0))
    return (rows + block.row_start) * block.grid_shape[1] + columns + block.column_start


def _copy(stack: Stack, folder: Path, grid: Grid, take: Callable[[np.ndarray], np.ndarray]) -> Stack:
    """A stack of the covariates on another grid, staged as any other; used again where it is there."""
    if _opens(lambda: Stack.open(folder)) and Stack.open(folder).grid == grid:
        return Stack.open(folder)
    with tempfile.TemporaryDirectory(dir=stack.folder.parent) as name:
        raw = Path(name)
        for layer in (*COVARIATES, "mask"):
            with rasterio.open(stack.file(layer), driver="GTiff") as source:
                profile = source.profile | {"height": grid.shape[0], "width": grid.shape[1], "transform": grid.affine}
                values = take(source.read(1))
            with rasterio.open(raw / f"{layer}.tif", "w", **profile) as target:
                target.write(values, 1)
        layers = [LayerSource(layer, raw / f"{layer}.tif", kind=stack.kinds[layer]) for layer in COVARIATES]
        return stage(layers, [], grid, folder, mask_path=raw / "mask.tif", workers=CORES)


def main() -> None:
    """Prepare the data and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=SIZE)
    wanted = parser.parse_args()
    begun = time.perf_counter()
    window = prepare(wanted.folder.resolve(), size=wanted.size)
    print(f"{window.stack.grid.shape} cells, {len(window.samples)} sites, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
