"""A run of three time slices: one command, a map for each, resumable to the same bytes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from alm_core.cli import app
from alm_core.covariates.samples import Samples
from alm_core.errors import RasterError, StudyError
from alm_core.mapping.cog import describe_raster, open_raster
from alm_core.mapping.slices import read_slices
from alm_core.pipeline import estimate, run
from alm_core.publishing.export import export_layer
from alm_core.workspace import Run
from tests.sliced_study import GRID, mask, write_sliced_study

NAMES = ("early", "middle", "late")
RASTERS = ("fused.tif", "members.tif", "uncertainty.tif")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Run:
    """A finished run of three slices; read-only."""
    folder = tmp_path_factory.mktemp("sliced")
    study = write_sliced_study(folder / "study", map="block_size = 16\nworkers = 1\npublish_as = 'MAGT'")
    return run(study, workspace=folder / "workspace")


@pytest.fixture
def unmapped(finished, tmp_path) -> Path:
    """A copy of the finished workspace whose maps are gone."""
    shutil.copytree(finished.folder.parents[1], tmp_path / "workspace")
    shutil.rmtree(tmp_path / "workspace" / "sliced" / finished.id / "map")
    return tmp_path / "workspace"


def maps(found: Run) -> dict[str, bytes]:
    """Every raster of a run's maps."""
    return {
        path.relative_to(found.folder).as_posix(): path.read_bytes() for path in sorted((found.folder / "map").rglob("*.tif"))
    }


def made(messages: list[str]) -> set[str]:
    """Slices whose blocks were made, by what was told on the way."""
    return {message.split(":")[0] for message in messages if ": block" in message and not message.startswith("change")}


def values(path: Path, band: int = 1) -> np.ndarray:
    """A band, NaN where missing."""
    with open_raster(path) as dataset:
        return dataset.read(band)


def test_every_slice_has_its_map_and_the_main_one_is_that_of_the_run(finished):
    """Rasters in their folders with their years in them; those in `map` are the last slice's, without a copy."""
    slices = read_slices(finished.folder)
    assert (slices.names, slices.main) == (NAMES, "late")
    assert json.loads((finished.folder / "map" / "slices.json").read_text())["slices"][0] == {
        "name": "early", "first_year": 1980, "last_year": 1984, "folder": "map/slices/early",
    }  # fmt: skip
    for one in slices.slices:
        for name in RASTERS:
            tags = describe_raster(slices.folder(one.name) / name)["tags"]
            assert (tags["slice"], tags["time"]) == (one.name, f"{one.first_year}/{one.last_year}")
    for name in RASTERS:
        assert os.path.samefile(finished.folder / "map" / name, slices.folder("late") / name)
    kept = json.loads((finished.folder / "map" / "map.json").read_text())
    assert kept["paths"]["fused"] == "map/fused.tif"
    assert kept["counts"]["mapped"] == int(mask().sum())


def test_later_slices_are_warmer_as_the_sites_are(finished):
    """The model learned from all slices; the change map shows the difference of the maps."""
    slices = read_slices(finished.folder)
    first, last = (values(slices.folder(name) / "fused.tif") for name in ("early", "late"))
    assert np.nanmean(last - first) > 0.8
    np.testing.assert_allclose(values(slices.change), last - first, atol=1e-5)
    facts = slices.change_facts
    assert (facts["first"], facts["last"]) == ("early", "late")
    assert facts["smallest_p_value"] == pytest.approx(1 / 3)
    assert facts["significant_share"] == 0.0
    np.testing.assert_array_equal(np.isnan(first), mask() == 0)


def test_rows_of_a_site_are_averaged_in_slices_and_never_split_over_folds(finished):
    """One row for each site and slice, with the layers of its slice; a fold holds whole sites."""
    samples = Samples.from_parquet(finished.folder / "samples.parquet")
    assert (len(samples), samples.to_dict()["places"]) == (79, 40)
    assert set(samples.slice) == set(NAMES)
    for name in NAMES:
        air = values(finished.folder / "covariates" / "slices" / name / "air.tif")
        rows = samples.slice == name
        cells = GRID.cell_index(samples.x[rows], samples.y[rows])
        np.testing.assert_allclose(samples.features["air"][rows], air.ravel()[cells], atol=1e-4)
    found = pd.read_parquet(finished.folder / "out_of_fold.parquet")
    site = dict(zip(samples.site_ids, samples.site_groups, strict=True))
    assert found.groupby([found["scheme"], found["repeat"], found["site_id"].map(site)])["fold"].nunique().max() == 1
    sites = pd.read_parquet(finished.folder / "sites.parquet")
    assert sites.loc[~sites["kept"], "reason"].tolist() == ["outside every slice: year 2003"]


def test_card_and_catalogue_tell_of_the_slices(finished):
    """Names, years and change on the card; an asset for each raster of each slice; a product for each slice."""
    card = (finished.folder / "card.html").read_text(encoding="utf-8")
    assert "Slices of time" in card
    assert "1985 to 1989" in card
    assert "too few to call any trend significant" in card
    item = json.loads((finished.folder / "stac.json").read_text())
    assert {f"fused-{name}" for name in NAMES} | {"change"} <= set(item["assets"])
    assert item["properties"]["start_datetime"].startswith("1980")
    assert item["properties"]["end_datetime"].startswith("1994")
    for name in NAMES:
        assert (finished.folder / "map" / "slices" / name / f"MAGT_{name}.tif").is_file()
    assert (finished.folder / "map" / "MAGT.tif").is_file()


def test_interrupted_in_the_second_slice_it_goes_on_and_ends_the_same(finished, unmapped):
    """The first slice is not made again, nor one that is whole when another is damaged; no byte differs."""
    study = Path(finished.record["study_file"])
    told = estimate(study, workspace=unmapped)
    assert (told.cells, told.blocks) == (3 * int(mask().sum()), 12)

    def interrupt(event):
        if event.stage == "map" and event.message.startswith("middle: block 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(study, workspace=unmapped, progress=interrupt)
    folder = unmapped / "sliced" / finished.id / "map" / "slices"
    before = {name: (folder / "early" / name).stat().st_mtime_ns for name in RASTERS}
    assert not (folder / "late").exists()
    messages = []
    again = run(study, workspace=unmapped, progress=lambda event: messages.append(event.message))
    assert maps(again) == maps(finished)
    assert {name: (folder / "early" / name).stat().st_mtime_ns for name in RASTERS} == before
    assert made(messages) == {"middle", "late"}
    path = folder / "middle" / "fused.tif"
    path.write_bytes(path.read_bytes()[:-10])
    messages.clear()
    assert maps(run(study, workspace=unmapped, progress=lambda event: messages.append(event.message))) == maps(finished)
    assert made(messages) == {"middle"}


def test_an_export_may_name_its_slice(finished, tmp_path):
    """By the command line and by the function; the change map is a layer too; another name is refused."""
    done = CliRunner().invoke(
        app, ["export", str(finished.folder), "--slice", "early", "--out", str(tmp_path / "early.tif")]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    slices = read_slices(finished.folder)
    np.testing.assert_array_equal(values(tmp_path / "early.tif"), values(slices.folder("early") / "fused.tif"))
    export_layer(finished, tmp_path / "air.tif", layer="covariate:air", slice="middle")
    wanted = values(finished.folder / "covariates" / "slices" / "middle" / "air.tif")
    np.testing.assert_allclose(values(tmp_path / "air.tif"), wanted, atol=1e-6)
    export_layer(finished, tmp_path / "change.tif", layer="change")
    assert describe_raster(tmp_path / "change.tif")["bands"][1]["name"] == "trend_per_decade"
    export_layer(finished, tmp_path / "own.tif", slice="early", weights={"forest": 1.0})
    member = values(slices.folder("early") / "members.tif")
    both = np.isfinite(member)
    assert np.corrcoef(values(tmp_path / "own.tif")[both], member[both])[0, 1] > 0.9
    with pytest.raises(StudyError, match="no slice 'z'"):
        export_layer(finished, tmp_path / "no.tif", slice="z")


def test_a_copied_layer_is_refused_before_anything_is_learned(tmp_path):
    """Two slices with the same file: the reason is told."""
    study = write_sliced_study(tmp_path / "study")
    shutil.copy(tmp_path / "study" / "air_early.tif", tmp_path / "study" / "air_middle.tif")
    with pytest.raises(RasterError, match=r"air has the same numbers .* early and middle: a climatology"):
        run(study, workspace=tmp_path / "workspace")


def test_several_studies_run_in_one_command(tmp_path):
    """All are read first, so that a fault in the last is told before the first has begun."""
    first, second = write_sliced_study(tmp_path / "one"), write_sliced_study(tmp_path / "two", study='name = "other"')
    arguments = ["run", str(first), str(second), "--until", "covariates", "--workspace", str(tmp_path / "workspace")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "workspace").iterdir()) == ["other", "sliced"]
    second.write_text("[study", encoding="utf-8")
    arguments[-1] = str(tmp_path / "untouched")
    assert isinstance(CliRunner().invoke(app, arguments).exception, StudyError)
    assert not (tmp_path / "untouched").exists()
