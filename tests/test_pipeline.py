"""The whole pipeline on a small study: what it writes, what it skips, what it repeats bit by bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from distributed import LocalCluster

from alm_core import Run, run
from alm_core.errors import AlmError, EngineError, SitesError, StudyError, WorkspaceError
from alm_core.pipeline import estimate, neutral_options
from alm_core.publishing.export import export_layer
from alm_core.stages import STAGES
from alm_core.stages.data import staging_margin
from alm_core.study import Study
from tests.small_study import LEARNERS, SECTIONS, write_small_study

RASTERS = ("map/members.tif", "map/fused.tif", "map/uncertainty.tif")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Run:
    """One finished run."""
    folder = tmp_path_factory.mktemp("study")
    return run(write_small_study(folder / "in"), workspace=folder / "workspace")


def contents(found: Run, names: tuple[str, ...] = RASTERS) -> dict[str, bytes]:
    """Bytes of some files of a run."""
    return {name: (found.folder / name).read_bytes() for name in names}


def test_a_run_writes_what_the_design_promises(finished):
    """Every file of the layout is there and the run says that it is finished."""
    tables = ("sites.parquet", "samples.parquet", "out_of_fold.parquet", "shap.parquet")
    texts = ("run.json", "selection.json", "metrics.json", "fusion.json", "card.html", "stac.json")
    for name in (*tables, *texts, *RASTERS):
        assert (finished.folder / name).is_file(), name
    assert finished.finished
    assert not list(finished.folder.rglob("*.pkl"))


def test_scores_and_map_make_sense(finished):
    """Skill on a learnable truth; the map covers the mask and nothing else."""
    metrics = finished.metrics()
    assert metrics["schemes"]["random"]["fused"]["r2"] > 0.5
    assert metrics["headline"] == "knndm"
    with rasterio.open(finished.folder / "map/fused.tif", driver="GTiff") as fused:
        values = fused.read(1, masked=True)
        assert fused.units == ("m3 m-3",)
        assert fused.tags()["run"] == finished.id
        assert "simulated" in fused.tags()
    assert values.mask[:, :4].all()
    assert not values.mask[:, 4:].any()
    assert 0 <= values.min() <= values.max() <= 0.7


def test_a_second_run_does_nothing(finished):
    """Every stage is unchanged, and the same folder comes back."""
    messages = []
    study = Path(finished.record["study_file"])
    again = run(study, workspace=finished.folder.parents[1], progress=lambda event: messages.append(event.message))
    assert again.folder == finished.folder
    assert set(messages) == {"unchanged"}


def test_same_seed_two_workers_and_permuted_rows_give_the_same_bits(finished, tmp_path):
    """Rasters, scores and out-of-fold predictions are identical."""
    study = write_small_study(tmp_path / "in")
    table = pd.read_csv(tmp_path / "in" / "sites.csv", dtype=str)
    table.sample(frac=1, random_state=5).to_csv(tmp_path / "in" / "sites.csv", index=False)
    study.write_text(study.read_text().replace("block_size = 16", "block_size = 32"))
    other = run(study, workspace=tmp_path / "workspace", workers=2)
    one, two = (contents(found, ("metrics.json",)) for found in (finished, other))
    assert one == two
    for name in RASTERS:
        with rasterio.open(finished.folder / name, driver="GTiff") as a, rasterio.open(other.folder / name, driver="GTiff") as b:
            np.testing.assert_array_equal(a.read(), b.read())


def test_an_interrupted_run_goes_on_and_ends_the_same(finished, tmp_path):
    """Ctrl-C in the middle of the map; the resumed rasters have the same bytes."""
    study = write_small_study(tmp_path / "in")

    def interrupt(event):
        if event.stage == "map" and event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(study, workspace=tmp_path / "workspace", progress=interrupt)
    half = Run(next((tmp_path / "workspace" / "small").glob("*/run.json")).parent)
    assert not half.finished
    resumed = run(study, workspace=tmp_path / "workspace")
    assert resumed.finished
    assert contents(resumed) == contents(finished)


@pytest.fixture
def unmapped(finished, tmp_path) -> Path:
    """A copy of the finished workspace whose map is gone; the study is that of `finished`."""
    shutil.copytree(finished.folder.parents[1], tmp_path / "workspace")
    shutil.rmtree(tmp_path / "workspace" / "small" / finished.id / "map")
    return tmp_path / "workspace"


def test_an_engine_is_no_part_of_a_run(finished, unmapped, tmp_path):
    """Mapped on a cluster: the same run, the same bytes; the estimate is told and kept."""
    notes = []

    def listen(event):
        if event.lasting:
            notes.append((event.stage, event.message))

    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": 50, "local_directory": str(tmp_path / "scratch")}
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", **quiet) as cluster:
        study = Path(finished.record["study_file"])
        again = run(study, workspace=unmapped, scheduler=cluster.scheduler_address, progress=listen)
    assert again.id == finished.id
    assert contents(again) == contents(finished)
    kept = json.loads((again.folder / "map" / "estimate.json").read_text())
    assert notes == [("map", kept["text"])]
    assert kept["cells"] == json.loads((again.folder / "map" / "map.json").read_text())["counts"]["mapped"]


def test_an_estimate_before_the_map(finished, unmapped):
    """What the map will take; its blocks are kept for the map, which is the clean one."""
    study = Path(finished.record["study_file"])
    told = estimate(study, workspace=unmapped)
    assert (told.cells, told.cells_left, told.blocks_left) == (36 * 30, 36 * 30, 6)
    assert told.seconds > 0
    assert not (unmapped / "small" / finished.id / "map" / "fused.tif").exists()
    assert estimate(study, workspace=unmapped).blocks_left < 6
    assert contents(run(study, workspace=unmapped)) == contents(finished)


def test_no_estimate_without_models(tmp_path):
    """The message names the command that fits them."""
    study = write_small_study(tmp_path / "in")
    with pytest.raises(WorkspaceError, match="--until models"):
        estimate(study, workspace=tmp_path / "workspace")
    run(study, workspace=tmp_path / "workspace", until="sites")
    with pytest.raises(WorkspaceError, match="--until models"):
        estimate(study, workspace=tmp_path / "workspace")


def test_engines_that_mean_nothing_are_refused_first(tmp_path):
    """Before anything is computed or written."""
    study = write_small_study(tmp_path / "in")
    for options in ({"engine": "spark"}, {"engine": "threads", "scheduler": "tcp://a:1"}, {"scheduler": "a:1"}):
        with pytest.raises(EngineError):
            run(study, workspace=tmp_path / "workspace", **options)
    assert not (tmp_path / "workspace").exists()


def test_a_changed_option_reruns_only_what_depends_on_it(finished, tmp_path):
    """Another correction: covariates, sites and selection are linked from the first run."""
    workspace = tmp_path / "workspace"
    shutil.copytree(finished.folder.parents[1], workspace)
    study = write_small_study(tmp_path / "in", bias='method = "none"')
    states = {}
    run(study, workspace=workspace, progress=lambda event: states.__setitem__(event.stage, event.message))
    assert all(states[name].startswith("taken from run") for name in ("covariates", "sites", "selection"))
    assert all(states[name] == "done" for name in ("validation", "models", "map", "report"))


def test_a_product_is_the_fused_raster_under_its_name(finished, tmp_path):
    """The same bytes beside the map, on the card and in the catalogue item; a name alone repeats nothing but the report."""
    workspace = tmp_path / "workspace"
    shutil.copytree(finished.folder.parents[1], workspace)
    study = write_small_study(tmp_path / "in", map=SECTIONS["map"] + '\npublish_as = "ALM_small"')
    states = {}
    found = run(study, workspace=workspace, progress=lambda event: states.__setitem__(event.stage, event.message))
    assert [name for name, message in states.items() if message == "done"] == ["report"]
    product = found.folder / "map" / "ALM_small.tif"
    assert product.read_bytes() == (found.folder / "map" / "fused.tif").read_bytes()
    assert "map/ALM_small.tif" in (found.folder / "card.html").read_text(encoding="utf-8")
    item = json.loads((found.folder / "stac.json").read_text(encoding="utf-8"))
    assert item["assets"]["published"]["href"].endswith("map/ALM_small.tif")
    assert "map/ALM_small.tif" in found.record["stages"]["report"]["files"]


def test_a_product_needs_longitude_and_latitude(tmp_path):
    """A projected grid is refused before anything is staged, with what to do."""
    grid = 'crs = "EPSG:32645"\nresolution = 10000\nbounds = {west = 400000, south = 3400000, east = 800000, north = 3700000}'
    study = write_small_study(tmp_path / "in", grid=grid, map=SECTIONS["map"] + '\npublish_as = "ALM_small"')
    with pytest.raises(StudyError, match=r"publish_as is 'ALM_small', but the grid is in EPSG:32645"):
        run(study, workspace=tmp_path / "workspace")
    assert not list((tmp_path / "workspace").rglob("*.tif"))


@pytest.mark.parametrize(
    ("screening", "extraction", "margin"),
    [
        ("require_inside_mask = true", "", 16),
        ("require_inside_mask = true", 'method = "window_mean"\nwindow_cells = 33', 33),
        ("require_inside_mask = false", "", None),
        ('require_inside_mask = true\nkeep = ["p001"]', "", None),
    ],
    ids=["inside", "wide windows", "sites anywhere", "kept by hand"],
)
def test_only_what_sites_can_ask_for_is_staged(tmp_path, screening, extraction, margin):
    """Blocks far from the mask are left out only where no site outside it can be used."""
    study = Study.load(write_small_study(tmp_path / "in", screening=screening, extraction=extraction))
    assert staging_margin(study.options) == margin
    assert neutral_options(study)["staging_margin"] == margin


def test_until_stops_after_a_stage(tmp_path):
    """Nothing after the stage is written; an unknown stage lists the known ones."""
    study = write_small_study(tmp_path / "in")
    found = run(study, workspace=tmp_path / "workspace", until="sites")
    assert (found.folder / "samples.parquet").is_file()
    assert not (found.folder / "metrics.json").exists()
    with pytest.raises(StudyError, match="covariates, sites"):
        run(study, workspace=tmp_path / "workspace", until="siets")


@pytest.mark.parametrize(
    "sections",
    [
        {"selection": "minimum_features = 2\nrepeats = 1\nfolds = 3\nstep = 1"},
        {"bias": 'method = "residual"'},
        {"kriging": "enabled = true\nresidual = true"},
        {"fusion": 'method = "manual"\nweights = {forest = 1.0, boosted = 3.0}'},
        {"applicability": "enabled = false", "uncertainty": 'method = "none"'},
        {"map": 'dtype = "int16"\ncompression = "deflate"'},
        {"tuning": "enabled = true\ntrials = 2\nfolds = 2"},
    ],
    ids=["selection", "residual model", "kriging", "manual weights", "no trust layers", "int16", "tuning"],
)
def test_options_run_to_the_end(tmp_path, sections):
    """Every branch of the study makes a map."""
    found = run(write_small_study(tmp_path / "in", **sections), workspace=tmp_path / "workspace")
    assert found.finished


def test_a_learner_that_is_no_forest_is_mapped_too(tmp_path):
    """Ridge has no file format without pickle: it is fitted again for the map."""
    learners = LEARNERS + '[[learners]]\nname = "ridge"\nkind = "Ridge"\n'
    found = run(write_small_study(tmp_path / "in", learners=learners), workspace=tmp_path / "workspace")
    with rasterio.open(found.folder / "map/members.tif", driver="GTiff") as members:
        assert members.descriptions == ("forest", "boosted", "ridge")


def test_classes_are_mapped_with_probabilities(tmp_path):
    """A classification writes codes and never NaN into an integer raster."""
    study = write_small_study(tmp_path / "in")
    table = pd.read_csv(tmp_path / "in" / "sites.csv")
    table["vwc"] = 1 + (table["vwc"] > table["vwc"].median()).astype(int)
    table.to_csv(tmp_path / "in" / "sites.csv", index=False)
    text = study.read_text().replace('unit = "m3 m-3"', 'task = "classification"').replace("minimum = 0.0\nmaximum = 0.7\n", "")
    study.write_text(text)
    found = run(study, workspace=tmp_path / "workspace")
    with rasterio.open(found.folder / "map/fused.tif", driver="GTiff") as fused:
        assert set(np.unique(fused.read(1, masked=True).compressed())) <= {1, 2}
        assert fused.dtypes == ("uint8",)
    assert found.metrics()["schemes"]["random"]["fused"]["overall_accuracy"] > 0.7


# ---- export -------------------------------------------------------------------------------------------------------------


def test_export_of_a_box_holds_all_trust_layers(finished, tmp_path):
    """Value, bounds, dissimilarity, density and applicability, cut to the box."""
    result = export_layer(finished, tmp_path / "box.tif", bbox=(91.0, 30.5, 92.0, 31.5))
    assert result.cells == 100
    with rasterio.open(tmp_path / "box.tif", driver="GTiff") as box:
        assert {"value", "lower", "upper", "dissimilarity", "inside"} <= set(box.descriptions)
        assert box.tags()["run"] == finished.id


def test_export_with_weights_of_one_member_follows_it(finished, tmp_path):
    """All weight on one learner: the uncorrected order of its member is kept."""
    export_layer(finished, tmp_path / "weights.tif", weights={"boosted": 1.0})
    export_layer(finished, tmp_path / "member.tif", layer="boosted")
    with (
        rasterio.open(tmp_path / "weights.tif", driver="GTiff") as a,
        rasterio.open(tmp_path / "member.tif", driver="GTiff") as b,
    ):
        fused, member = a.read(1, masked=True).compressed(), b.read(1, masked=True).compressed()
        assert json.loads(a.tags()["weights"]) == {"boosted": 1.0}
    order = np.argsort(member, kind="stable")
    assert (np.diff(fused[order]) >= -1e-6).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "forst"}, "layers are fused"),
        ({"weights": {"forst": 1.0}}, "learners of this run"),
        ({"bbox": (10.0, 10.0, 11.0, 11.0)}, "outside"),
        ({"layer": "members", "weights": {"forest": 1.0}}, "fused"),
    ],
)
def test_export_refuses_what_it_cannot_do(finished, tmp_path, options, words):
    """The message says what there is."""
    with pytest.raises(AlmError, match=words):
        export_layer(finished, tmp_path / "x.tif", **options)
    assert not (tmp_path / "x.tif").exists()


# ---- faults -------------------------------------------------------------------------------------------------------------


def test_fewer_sites_than_folds_is_said(tmp_path):
    """The message counts both."""
    study = write_small_study(tmp_path / "in")
    table = pd.read_csv(tmp_path / "in" / "sites.csv").head(6)
    table.to_csv(tmp_path / "in" / "sites.csv", index=False)
    study.write_text(study.read_text().replace("folds = 3\ninner", "folds = 30\ninner"))
    with pytest.raises(SitesError, match="fewer than the 30 folds"):
        run(study, workspace=tmp_path / "workspace")


def test_workspace_that_is_a_file_is_refused(tmp_path):
    """Nothing is written over."""
    study = write_small_study(tmp_path / "in")
    (tmp_path / "w").write_text("mine")
    with pytest.raises(WorkspaceError):
        run(study, workspace=tmp_path / "w")
    assert (tmp_path / "w").read_text() == "mine"


def test_every_stage_names_sections_that_exist():
    """A misspelt section would leave a stage unchanged when its options change."""
    from alm_core.options import StudyOptions

    known = {*StudyOptions.model_fields, "seed", "staging_margin", "publish_as", "main_slice"}
    for stage in STAGES:
        assert set(stage.sections) <= known, stage.name


def test_a_constant_layer_takes_the_sites_own_values(tmp_path):
    """Sites keep their depth, the map is made for one depth, and the coordinates are layers too."""
    derived = (
        '[[derived]]\nname = "depth"\nmethod = "constant"\noptions = {value = 2.0, site_column = "depth_top"}\n'
        '[[derived]]\nname = "east"\nmethod = "x"\n[[derived]]\nname = "north"\nmethod = "y"\n'
    )
    study = write_small_study(tmp_path / "in", learners=derived + LEARNERS)
    table = pd.read_csv(tmp_path / "in" / "sites.csv")
    table["depth"] = np.linspace(1, 3, len(table))
    table.to_csv(tmp_path / "in" / "sites.csv", index=False)
    study.write_text(study.read_text().replace('survey = "survey"', 'survey = "survey"\ndepth = "depth"'))
    found = run(study, workspace=tmp_path / "workspace", until="sites")
    samples = pd.read_parquet(found.file("samples.parquet"))
    np.testing.assert_allclose(samples["covariate:depth"], table["depth"], rtol=1e-6)
    np.testing.assert_allclose(samples["covariate:east"], samples["x"], atol=0.051)
    with rasterio.open(found.folder / "covariates" / "depth.tif", driver="GTiff") as depth:
        assert set(np.unique(depth.read(1))) == {2.0}


def test_another_program_does_not_find_its_stages_done(finished, monkeypatch):
    """What an older program computed is never taken for finished."""
    monkeypatch.setattr("alm_core.pipeline.program_hash", lambda: "another")
    messages = []
    study = Path(finished.record["study_file"])
    other = run(study, workspace=finished.folder.parents[1], until="sites", progress=lambda event: messages.append(event.message))
    assert other.id != finished.id
    assert not any(message == "unchanged" or message.startswith("taken") for message in messages)
