"""The whole demo: the same bytes every time, readable by the rooms, tagged as simulated."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold, cross_val_predict

from alm_core.covariates.extraction import extract
from alm_core.covariates.layers import DerivedSource, LayerSource
from alm_core.covariates.stack import Stack, stage
from alm_core.errors import StudyError, WorkspaceError
from alm_core.grid import Grid
from alm_core.sites.screening import screen
from alm_core.sites.table import read_sites
from alm_core.studies import DEMOS
from alm_core.studies.active_layer_moisture import write_demo
from alm_core.studies.active_layer_moisture.field_sites import USABLE
from alm_core.studies.active_layer_moisture.layers import map_grid
from alm_core.studies.active_layer_moisture.recipe import study_text
from alm_core.study import Study, parse_options


def digests(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def study(small_demo: Path) -> Study:
    """The study of the small demo."""
    return Study.load(small_demo)


@pytest.fixture(scope="module")
def stack(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Its covariates on its grid."""
    layers = [LayerSource(**study.layer_fields(layer)) for layer in study.options.covariates]
    derived = [DerivedSource(**layer.model_dump()) for layer in study.options.derived]
    mask = study.file(study.options.grid.mask)
    return stage(layers, derived, map_grid("small"), tmp_path_factory.mktemp("stack"), mask_path=mask)


def test_same_seed_same_bytes(small_demo: Path, tmp_path: Path) -> None:
    """A second demo has the same files to the last byte; another seed has other sites and other truth."""
    seen: list[tuple[int, int]] = []
    DEMOS["active_layer_moisture"](
        tmp_path / "again", size="small", progress=lambda done, total, text: seen.append((done, total))
    )
    first, second = digests(small_demo), digests(tmp_path / "again")
    assert first == second
    assert [done for done, _ in seen] == list(range(1, seen[0][1] + 1))
    other = digests(write_demo(tmp_path / "other", size="small", seed=8).parent)
    assert set(other) == set(first)
    assert all(first[name] != other[name] for name in ("truth.tif", "sites.csv", "layers/elevation.tif"))


def test_every_raster_says_what_it_is(small_demo: Path) -> None:
    """Every raster is tagged as simulated, with licence, unit and description of every band."""
    rasters = sorted(small_demo.rglob("*.tif"))
    assert len(rasters) >= 14
    for path in rasters:
        with rasterio.open(path, driver="GTiff") as dataset:
            tags = dataset.tags()
            assert tags["SIMULATED"] == "yes", path.name
            assert tags["LICENCE"] == "CC-BY-4.0"
            assert all(dataset.descriptions)
            assert all(dataset.units)
    assert "SIMULATED" in (small_demo / "README.txt").read_text()
    assert "SIMULATED" in (small_demo / "study.toml").read_text()


def test_study_loads(study: Study) -> None:
    """The study is complete: simulated, with truth, 16 to 20 covariates, every kind of derived layer that it needs."""
    options = study.options
    offered = [layer.name for layer in options.covariates if layer.use] + [layer.name for layer in options.derived]
    assert options.study.simulated
    assert study.file(options.study.truth).is_file()
    assert 16 <= len(offered) <= 20
    assert {layer.method for layer in options.derived} == {
        "slope",
        "northness",
        "ndvi",
        "ndwi",
        "degree_days",
        "soil_moisture_change",
    }
    assert {"random", "block", "knndm"} <= set(options.validation.schemes)


@pytest.mark.parametrize("size", ["small", "medium", "full"])
def test_grid_of_the_study_is_the_grid_of_the_rasters(size: str) -> None:
    """Bounds and resolution written as text give the exact grid back."""
    import tomllib

    options = parse_options(tomllib.loads(study_text(size, 7))).grid
    box = options.bounds
    assert Grid.from_bounds((box.west, box.south, box.east, box.north), options.resolution, crs=options.crs) == map_grid(size)


def test_truth_and_mask_belong_together(small_demo: Path) -> None:
    """The truth has a value in every mapped cell and nowhere else, in its range."""
    with rasterio.open(small_demo / "truth.tif", driver="GTiff") as dataset:
        truth = dataset.read(1)
    with rasterio.open(small_demo / "permafrost_mask.tif", driver="GTiff") as dataset:
        mask = dataset.read(1)
    assert np.array_equal(np.isfinite(truth), mask == 1)
    assert np.nanmin(truth) >= 0.05
    assert np.nanmax(truth) <= 0.65
    assert 0.23 < np.nanmean(truth) < 0.28


def test_staging_fills_the_mapped_cells(stack: Stack) -> None:
    """Every covariate has a value in nearly every mapped cell, and none is constant."""
    with stack.reader() as reader:
        block = next(stack.grid.blocks(max(stack.grid.shape)))
        values, inside = reader.read(block), reader.mask(block)
    assert 16 <= len(values) <= 20
    for name, layer in zip(stack.names, values, strict=True):
        cells = layer[inside]
        assert np.isfinite(cells).mean() > 0.99, name
        assert np.nanstd(cells) > 0, name


@pytest.fixture(scope="module")
def found(study: Study, stack: Stack) -> pd.DataFrame:
    """The screened sites with truth and fault beside them, and their covariates."""
    sites, options = study.options.sites, study.options
    table = read_sites(
        study.file(sites.table),
        columns=sites.columns.model_dump(),
        sentinels=sites.sentinels,
        conversion=sites.conversion.model_dump(),
        bounds=stack.grid.bounds,
        value_maximum=options.target.maximum,
    )
    x, y = table.frame["longitude"].to_numpy(), table.frame["latitude"].to_numpy()
    features = extract(stack, x, y, method=options.extraction.method)
    cells = stack.grid.cell_index(x, y)
    with stack.reader() as reader:
        inside = reader.mask(next(stack.grid.blocks(max(stack.grid.shape)))).ravel()[np.maximum(cells, 0)] & (cells >= 0)
    categorical = [name for name in stack.names if stack.kinds[name] == "categorical"]
    rules = options.screening.model_dump()
    screened = screen(table, **rules, cell_index=cells, inside_mask=inside, features=features, categorical=categorical)
    answers = pd.read_csv(study.folder / "sites_answers.csv", keep_default_na=False).set_index("station")
    features.index = table.frame["site_id"]
    return screened.frame.set_index("site_id").join(answers).join(features)


def test_screening_leaves_342_sites(found: pd.DataFrame) -> None:
    """The study's rules take out the faulty rows and no others."""
    assert found["kept"].sum() == USABLE
    # of two measurements of one place either may stay
    plain = found[found["fault"] != "measured again"]
    lost = plain[(plain["fault"] == "") & ~plain["kept"]]
    assert not plain.loc[plain["fault"] != "", "kept"].any()
    assert (lost["rule"] == "duplicate").all()


def test_moisture_is_as_hard_to_learn_as_published(found: pd.DataFrame, stack: Stack) -> None:
    """Plain extra trees in five random folds come near the published R2 0.59-0.61 and RMSE 0.08."""
    kept = found[found["kept"]]
    value = kept["value"].to_numpy()
    trees = ExtraTreesRegressor(100, min_samples_leaf=2, max_features=0.6, random_state=0)
    predicted = cross_val_predict(trees, kept[list(stack.names)], value, cv=KFold(5, shuffle=True, random_state=1))
    assert 0.52 < 1 - np.sum((predicted - value) ** 2) / np.sum((value - value.mean()) ** 2) < 0.70
    assert 0.065 < np.sqrt(np.mean((predicted - value) ** 2)) < 0.09


def test_bad_requests_are_named(tmp_path: Path) -> None:
    """Unknown size, negative seed and a folder that is a file each give one clear message."""
    with pytest.raises(StudyError, match="no size 'tiny'"):
        write_demo(tmp_path, size="tiny")
    with pytest.raises(StudyError, match="seed is -1"):
        write_demo(tmp_path, size="small", seed=-1)
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(WorkspaceError, match="can't be written"):
        write_demo(blocker, size="small")
    assert blocker.read_text() == "not a folder"
