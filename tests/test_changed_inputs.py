"""Inputs of the map that were changed after training: refused before the first block, with the name of what changed."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from alm_core import run
from alm_core.checking.study import check_study
from alm_core.diagnostics.dissimilarity import map_dissimilarity
from alm_core.errors import AlmError, LearnerError, ModelFileError
from alm_core.inspection.query import ask
from alm_core.inspection.tour import trust_facts
from alm_core.learning.learners import LEARNERS
from alm_core.mapping.cog import describe_raster
from alm_core.progress import Reporter
from alm_core.stages import Context
from alm_core.stages.fitted import load_fitted
from alm_core.stages.mapping import final_plan, stage_map
from alm_core.study import Study
from alm_core.workspace import Run, read_json, write_json
from tests.rasters import read_raster
from tests.small_study import GRID, SECTIONS, learner, write_small_study

FOUR = (
    learner("forest", "random_forest", "n_estimators = 15")
    + learner("boosted", "xgboost", "n_estimators = 20, max_depth = 3")
    + learner("cat", "catboost", "iterations = 15")
    + learner("line", "Ridge")
)
ROUTED = SECTIONS["map"] + '\nmissing = "route"'
GAP = (slice(10, 14), slice(20, 25))
ALL_MISSING, INFINITE, MASKED = (2, 30), (4, 30), (6, 1)


def write_gappy_study(folder: Path, missing: str, *, learners: str = FOUR) -> Path:
    """Twenty cells lack one layer, one holds an infinity (staged as missing), one lacks all, as does one outside the mask."""

    def dig(name: str, values: np.ndarray) -> None:
        values[ALL_MISSING] = np.nan
        values[MASKED] = np.nan
        if name == "wetness":
            values[GAP] = np.nan
        if name == "warmth":
            values[INFINITE] = np.inf

    return write_small_study(
        folder,
        learners=learners,
        change=dig,
        map=f'{SECTIONS["map"]}\nmissing = "{missing}"',
        screening="maximum_missing = 0.9",
    )


@pytest.fixture(scope="module")
def routed(tmp_path_factory) -> Run:
    """A finished run of the gappy study with missing values routed; read-only."""
    folder = tmp_path_factory.mktemp("routed")
    return run(write_gappy_study(folder / "in", "route"), workspace=folder / "workspace")


@pytest.fixture(scope="module")
def fitted(routed, tmp_path_factory) -> Context:
    """The same run before its map, as the map stage gets it; copy its folder to write."""
    study = Study.load(routed.record["study_file"])
    keys = {name: entry["key"] for name, entry in routed.record["stages"].items()}
    return Context(study, routed.folder, routed.id, routed.record["inputs"], 1, Reporter("map", None), keys)


@pytest.fixture
def context(fitted, tmp_path) -> Context:
    """A copy of the run without its map, to spoil."""
    from dataclasses import replace

    folder = tmp_path / "study" / fitted.run_id
    shutil.copytree(fitted.folder, folder, ignore=shutil.ignore_patterns("map"))
    return replace(fitted, folder=folder)


# ---- missing and infinite covariates --------------------------------------------------------------------------------------


def test_routed_cells_are_mapped_counted_and_told(routed):
    """Values in the gap, none where all is missing; the number stands in map.json and on the card."""
    value = read_raster(routed.file("map/fused.tif"))
    expected = np.ones(GRID.shape, bool)
    expected[:, :4] = False
    expected[ALL_MISSING] = False
    np.testing.assert_array_equal(np.isfinite(value), expected)
    counts = read_json(routed.file("map/map.json"))["counts"]
    assert counts["routed"] == 21
    assert counts["missing"] == 1
    assert counts["mapped"] + counts["masked"] + counts["missing"] + counts["unpredicted"] == counts["cells"] == GRID.size
    card = routed.file("card.html").read_text(encoding="utf-8")
    assert "21 of them lack some covariates" in card
    assert "nobody has scored such predictions" in card
    names = [band["name"] for band in describe_raster(routed.file("map/uncertainty.tif"))["bands"]]
    trust = {name: read_raster(routed.file("map/uncertainty.tif"), names.index(name) + 1)[GAP] for name in names}
    assert (trust["inside"] == 0).all()
    assert np.isnan(trust["dissimilarity"]).all()
    assert np.isnan(trust["density"]).all()
    assert np.isfinite(trust["lower"]).all()


def test_left_out_cells_change_nothing_else(routed, tmp_path):
    """By default the gap stays empty, and every other cell is what it is with routing, bit for bit."""
    plain = run(write_gappy_study(tmp_path / "in", "leave_out"), workspace=tmp_path / "workspace")
    assert plain.id != routed.id
    counts = read_json(plain.file("map/map.json"))["counts"]
    assert (counts["routed"], counts["missing"]) == (0, 22)
    for name in ("fused", "members", "uncertainty"):
        for band in range(1, len(describe_raster(plain.file(f"map/{name}.tif"))["bands"]) + 1):
            found, other = (read_raster(one.file(f"map/{name}.tif"), band) for one in (plain, routed))
            kept = np.isfinite(read_raster(plain.file("map/fused.tif")))
            np.testing.assert_array_equal(found[kept], other[kept])
            assert np.isnan(found[GAP]).all()


def test_the_oracle_is_told(routed):
    """Members made of trees were compared; the other is said to have no oracle; card and map.json agree."""
    oracle = read_json(routed.file("map/map.json"))["oracle"]
    assert set(oracle["differences"]) == {"forest", "boosted", "cat"}
    assert oracle["without"] == ["line"]
    assert 0 < oracle["cells"] <= 256
    assert max(oracle["differences"].values()) <= oracle["tolerance"] < 1e-6
    assert set(oracle["largest_error"]) == set(oracle["differences"])
    assert 0 < max(oracle["largest_error"].values()) < oracle["tolerance"]
    card = routed.file("card.html").read_text(encoding="utf-8")
    assert "Compiled trees against their own libraries" in card
    assert "nothing to compare: line" in card


def test_the_dashboard_tells_of_routed_cells(routed):
    """A click says what was missing, that the place is outside, and names no site like it; the tour and the threshold count."""
    row, column = GAP[0].start, GAP[1].start
    found = ask(routed, GRID.x[column], GRID.y[row])
    assert (found.state, found.inside, found.dissimilarity) == ("mapped", False, None)
    assert found.value == read_raster(routed.file("map/fused.tif"))[row, column]
    assert "Predicted without wetness, missing here" in found.note
    assert len(found.analogues) == 0
    assert ask(routed, GRID.x[ALL_MISSING[1]], GRID.y[ALL_MISSING[0]]).state == "missing"
    counts = read_json(routed.file("map/map.json"))["counts"]
    facts = trust_facts(routed)
    assert facts.routed == 21 / counts["mapped"]
    assert facts.outside >= facts.routed
    inside = map_dissimilarity(routed).inside(facts.threshold)
    assert inside == pytest.approx(1 - facts.outside)


class Strict:
    """An estimator that takes no missing values."""

    def fit(self, X, y):
        """Keep the mean."""
        self.mean = float(np.mean(y))
        return self

    def predict(self, X):
        """The mean and a little of the first feature."""
        if np.isnan(X).any():
            raise ValueError("Input X contains NaN")
        return self.mean + 1e-3 * X[:, 0]


def test_members_that_take_no_missing_values_are_refused(tmp_path, monkeypatch):
    """By `check` before anything runs, and by the map; both name the learner and the way out."""
    monkeypatch.setitem(LEARNERS, "strict", lambda task, seed, options: Strict())
    learners = learner("forest", "random_forest", "n_estimators = 5") + learner("stubborn", "strict")
    study = write_small_study(tmp_path / "in", learners=learners, map=ROUTED)
    fault = next(fault for fault in check_study(study) if fault.code == "learner_missing")
    assert fault.where == "map.missing"
    assert "stubborn" in fault.message
    assert "forest" not in fault.message.split("takes no missing")[0]
    with pytest.raises(LearnerError, match=r"stubborn \(strict\) takes no missing values.*leave_out"):
        run(study, workspace=tmp_path / "workspace")
    assert not list((tmp_path / "workspace").rglob("fused.tif"))


# ---- staged covariates ----------------------------------------------------------------------------------------------------


def test_a_staged_layer_changed_behind_the_run_is_refused(tmp_path):
    """Through the whole program: other numbers of the same size in a staged file stop the map; put right, it goes on."""
    study, workspace = write_small_study(tmp_path / "in"), tmp_path / "workspace"
    done = run(study, workspace=workspace, until="models")
    layer = done.file("covariates/wetness.tif")
    content = layer.read_bytes()
    layer.write_bytes(content[:-30] + bytes(30))
    with pytest.raises(AlmError, match=r"staged layer wetness was changed after it was staged: its content is"):
        run(study, workspace=workspace)
    assert not list(workspace.rglob("fused.tif"))
    layer.write_bytes(content)
    assert run(study, workspace=workspace).finished


def tag_nodata(path: Path) -> None:
    """Declare another nodata in a staged file."""
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = -9999.0


def move(path: Path) -> None:
    """Move a staged file by half a cell."""
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = dataset.transform @ rasterio.Affine.translation(0.5, 0)


@pytest.mark.parametrize(
    ("name", "change", "words"), [("wetness", tag_nodata, "wetness.*nodata is -9999"), ("mask", move, "The mask.*grid is")]
)
def test_a_changed_header_stops_the_map(context, name, change, words):
    """The map stage looks before its first block."""
    path = context.folder / "covariates" / f"{name}.tif"
    change(path)
    stack = context.folder / "covariates" / "stack.json"
    values = json.loads(stack.read_text())
    values["files"][name]["size_bytes"] = path.stat().st_size  # as if the size had stayed
    stack.write_text(json.dumps(values))
    with pytest.raises(AlmError, match=words):
        stage_map(context)
    assert not (context.folder / "map").exists()


# ---- models ---------------------------------------------------------------------------------------------------------------


def edit(name: str, **values: object):
    """Change keys of a JSON file of the run."""

    def change(folder: Path) -> None:
        write_json(folder / name, read_json(folder / name) | values)

    return change


def cut(name: str):
    """Keep the first half of a file."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def swap_models(folder: Path) -> None:
    """Two members change places, JSON and all."""
    for first, second in (("forest.json", "boosted.json"), ("forest.npz", "boosted.npz"), ("forest.ubj", "boosted.ubj")):
        pair = [folder / "models" / name for name in (first, second)]
        texts = [path.read_bytes() if path.is_file() else None for path in pair]
        for path, text in zip(pair, reversed(texts), strict=True):
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_bytes(text)


def exchange(folder: Path) -> None:
    """The file of one member with the JSON of another."""
    (folder / "models" / "cat.cbm").write_bytes((folder / "models" / "boosted.ubj").read_bytes())


def other_area(folder: Path) -> None:
    """An area of the same number of other covariates."""
    area = read_json(folder / "applicability.json")
    write_json(folder / "applicability.json", area | {"names": ["x", *area["names"][1:]]})


def other_inner(folder: Path) -> None:
    """Out-of-fold members of another study."""
    path = folder / "models" / "inner.parquet"
    pd.read_parquet(path).rename(columns={"cat": "dog"}).to_parquet(path, index=False)


SPOILT = {
    "booster cut short": (cut("models/boosted.ubj"), r"boosted\.ubj is damaged, cut short or of another run"),
    "forest cut short": (cut("models/forest.npz"), r"forest\.npz is damaged"),
    "description cut short": (cut("models/cat.json"), r"cat\.json is damaged"),
    "model and JSON of two members": (exchange, r"cat\.cbm is damaged, cut short or of another run"),
    "members in each other's place": (swap_models, r"forest\.json is of another study: it has the kind xgboost; random_forest"),
    "member of other covariates": (
        edit("models/boosted.json", feature_names=list("abcd")),
        r"boosted\.json is of another",
    ),
    "member of another task": (edit("models/cat.json", task="classification"), r"cat"),
    "models of other covariates": (edit("models.json", features=["elevation"]), r"models\.json .* covariates elevation;"),
    "models of other learners": (
        edit("models.json", learners=[{"name": "forest", "kind": "random_forest", "options": {}}]),
        r"models\.json .* learners forest; forest, boosted, cat, line was expected",
    ),
    "models of classes": (edit("models.json", classes=[1, 2]), r"models\.json .* classes 1, 2; none"),
    "models of nothing": (lambda folder: write_json(folder / "models.json", {}), r"models\.json is damaged"),
    "fusion of other learners": (
        edit("fusion.json", learners=["forest", "cat", "boosted", "line"]),
        r"fusion\.json .* learners forest, cat, boosted",
    ),
    "fusion cut short": (cut("fusion.json"), r"fusion\.json is damaged"),
    "fusion of classes": (edit("fusion.json", weighting=None), r"fusion\.json can't be read as the fusion of a regression"),
    "area of other covariates": (other_area, r"applicability\.json is of another study: .* covariates x,"),
    "area without points": (edit("applicability.json", points="many"), r"applicability\.json can't be read"),
    "out-of-fold of other members": (other_inner, r"inner\.parquet is of another study: it lacks the columns cat"),
    "out-of-fold cut short": (cut("models/inner.parquet"), r"inner\.parquet can't be read"),
    "no models": (lambda folder: shutil.rmtree(folder / "models"), r"is not there"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_models_that_do_not_belong_together_stop_the_map(context, case):
    """One clear message before anything of the map is written."""
    change, words = SPOILT[case]
    change(context.folder)
    with pytest.raises(AlmError) as caught:
        stage_map(context)
    assert re.search(words, str(caught.value)), str(caught.value)
    assert not (context.folder / "map").exists()


def test_a_model_that_predicts_otherwise_is_caught_by_the_oracle(context, monkeypatch):
    """Every file is in order and still the compiled trees are wrong: the first block stops the map."""
    plan = final_plan(context, context.samples)
    members = load_fitted(context, context.samples, plan).members
    kind = type(members[1].learner.estimator)
    honest = kind.predict_block
    monkeypatch.setattr(kind, "predict_block", lambda self, values, valid: honest(self, values, valid) + 1e-5)
    with pytest.raises(LearnerError, match=r"compiled member forest predicts .* its own library predicts"):
        stage_map(context)
    assert not list((context.folder / "map").rglob("*.tif"))


def test_a_residual_of_other_sites_is_refused(context):
    """The residual model is fitted again from the sites, so they must be these."""
    from dataclasses import replace

    from alm_core.stages.fitted import load_residual

    plan = replace(final_plan(context, context.samples), residual="model")
    path = context.folder / "models" / "inner.parquet"
    inner = pd.read_parquet(path)
    inner.assign(site_id=["q" + name for name in inner["site_id"]]).to_parquet(path, index=False)
    with pytest.raises(ModelFileError, match=r"lacks \d+ sites of this one, such as p0"):
        load_residual(context, context.samples, plan)


def test_spoilt_models_heal_where_the_run_sees_them(tmp_path):
    """A model cut short before the map is noticed by its size: the stage is run again and the map is made."""
    study, workspace = write_small_study(tmp_path / "in"), tmp_path / "workspace"
    done = run(study, workspace=workspace, until="models")
    cut("models/boosted.ubj")(done.folder)
    assert run(study, workspace=workspace).finished
    assert os.path.getsize(done.file("models/boosted.ubj")) > 0
