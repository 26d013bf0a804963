"""The page of the features, without a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from alm_core.inspection.feature_set import FeatureSetScore, chosen_set, load_set, run_pairs, save_set
from alm_core.workspace import Run
from pages.parts import features_set
from tests.pages.support import check_clean, open_app, texts

PAGE = "pages/2_Features.py"
VIEWS = ("elimination", "stability", "correlation", "shap", "set")
SHAP_VIEWS = ("swarm", "bar", "groups", "dependence", "waterfall")


@pytest.fixture
def own_run(dashboard_run: Run, tmp_path: Path) -> Run:
    """A copy of the small run, to write to."""
    folder = tmp_path / "workspace" / dashboard_run.folder.parent.name / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    return Run(folder)


def show_view(app: AppTest, view: str, **state: object) -> AppTest:
    """Open a view, as a click does."""
    app.session_state["features.tab"] = view
    for key, value in state.items():
        app.session_state[key.replace("_", ".", 1)] = value
    return app.run()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_view_in_both_languages(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """Every view is drawn without a fault."""
    app = open_app(PAGE, dashboard_run, monkeypatch, lang=lang)
    for view in VIEWS:
        check_clean(show_view(app, view))
    assert next(item.value for item in app.metric) == "4"


@pytest.mark.parametrize("whose", ["fused", "boosted"])
def test_every_figure_of_shap(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch, whose: str) -> None:
    """The fused value and a member, in every figure; another covariate can be chosen."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    for view in SHAP_VIEWS:
        check_clean(show_view(app, "shap", features_whose=whose, features_view=view))
    show_view(app, "shap", features_whose=whose, features_view="dependence")
    box = app.selectbox(key="features.dependence")
    box.set_value(box.options[-1].replace(" ", "_")).run()
    check_clean(app)


def test_steps_mark_the_chosen_set(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of the path has one chosen row, of the size of the chosen set."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    table = app.dataframe[0].value
    chosen = table[table["mark"] == "chosen"]
    assert chosen["features"].tolist() == [len(chosen_set(dashboard_run))]


def test_selection_that_is_not_nested_says_so(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outer folds are not shown where nothing was selected in them."""
    app = show_view(open_app(PAGE, dashboard_run, monkeypatch), "stability")
    assert "nested = false" in texts(app)


def test_set_is_picked_and_sent_off(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The button submits a job with the picked covariates; a known set needs none."""
    sent = {}

    class SentJob:
        id = "20240101-000000-000000-abcdef"

    def submit(workspace: Path, kind: str, **spec: object) -> SentJob:
        sent.update(kind=kind, **spec)
        return SentJob()

    monkeypatch.setattr(features_set, "submit", submit)
    app = show_view(open_app(PAGE, own_run, monkeypatch), "set")
    assert "No set has been scored yet" in texts(app)
    app.multiselect[0].set_value(["wetness", "noise"]).run()
    app.button(key="features.score").click().run()
    assert not app.exception
    assert sent["kind"] == "score_set"
    assert sent["features"] == ["noise", "wetness"]
    assert sent["run"] == f"{own_run.folder.parent.name}/{own_run.id}"
    app.multiselect[0].set_value([]).run()
    assert app.button(key="features.score").disabled


def test_scored_sets_are_compared_and_deleted(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chosen set stands beside the one picked by hand, with the paired difference; a set can be forgotten."""
    schemes, pairs = own_run.metrics()["schemes"], run_pairs(own_run)
    pairs = pairs[pairs["scheme"].isin(["random", "knndm"])]
    save_set(own_run, FeatureSetScore(chosen_set(own_run), schemes, pairs, "knndm", "regression"))
    save_set(own_run, FeatureSetScore(("noise",), schemes, pairs.assign(fused=0.3), "knndm", "regression"))
    app = show_view(open_app(PAGE, own_run, monkeypatch), "set")
    check_clean(app)
    assert "scored already" in texts(app)
    table = app.dataframe[0].value
    assert table["name"].tolist()[:2] == ["This run", "Chosen set, held fixed"]
    assert table["verdict"].tolist()[-1] == "clearly worse"
    assert table["knndm"].iloc[0] == pytest.approx(table["knndm"].iloc[1])
    app.button(key="features.delete").click().run()
    check_clean(app)
    assert load_set(own_run, ["noise"]) is None


def test_buttons_fill_the_set(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All covariates, or those that were chosen."""
    app = show_view(open_app(PAGE, dashboard_run, monkeypatch), "set")
    app.button(key="features.take_all").click().run()
    assert len(app.multiselect[0].value) == 4
    app.button(key="features.take_chosen").click().run()
    assert tuple(sorted(app.multiselect[0].value)) == chosen_set(dashboard_run)


def test_damaged_set_is_a_clear_message(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that can't be read is named, and the rest of the page stands."""
    folder = own_run.folder / "feature_sets"
    folder.mkdir()
    (folder / "0123456789abcdef.json").write_text(json.dumps({"version": 99}), encoding="utf-8")
    app = show_view(open_app(PAGE, own_run, monkeypatch), "set")
    assert not app.exception
    assert "version 99" in app.error[0].value


def test_classification_explains_its_empty_views(class_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No selection, no SHAP values: the page says why, and what to do."""
    app = open_app(PAGE, class_run, monkeypatch)
    check_clean(app)
    assert "enabled = true" in texts(app)
    check_clean(show_view(app, "stability"))
    check_clean(show_view(app, "correlation"))
    check_clean(show_view(app, "shap"))
    assert "No SHAP values of sites for a classification" in texts(app)
    check_clean(show_view(app, "set"))


def test_run_without_fused_shap_shows_its_members(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a member is not made of trees, the others can still be seen."""
    (own_run.folder / "shap.parquet").unlink()
    app = show_view(open_app(PAGE, own_run, monkeypatch), "shap")
    check_clean(app)
    assert "can't be explained, because not every member" in texts(app)


def test_run_without_trees_explains_itself(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tree learner at all: nothing to show, and why."""
    (own_run.folder / "shap.parquet").unlink()
    facts = json.loads((own_run.folder / "models.json").read_text(encoding="utf-8"))
    (own_run.folder / "models.json").write_text(json.dumps({**facts, "saved": []}), encoding="utf-8")
    app = show_view(open_app(PAGE, own_run, monkeypatch), "shap")
    check_clean(app)
    assert "need members made of trees" in texts(app)


def test_run_without_selection_file_says_so(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was stopped early names what is missing."""
    (own_run.folder / "selection.json").unlink()
    app = open_app(PAGE, own_run, monkeypatch)
    check_clean(app)
    assert "selection.json" in texts(app)
