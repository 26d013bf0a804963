"""The fusion page without a browser: words, empty states, links, saving; its live part is tested in tests/browser."""

from __future__ import annotations

import json
import shutil

import pytest

from alm_core.errors import StudyError
from alm_core.scenarios.scenario import Scenario, default_scenario, list_scenarios, save_scenario
from alm_core.workspace import Run
from pages.parts.fusion_component import places, read_choice, to_choice
from tests.pages.support import check_clean, open_app, texts

PAGE = "pages/4_Fusion_and_bias.py"
LEARNERS = ("forest", "boosted")


@pytest.fixture
def own_run(dashboard_run, tmp_path) -> Run:
    """A copy of the run in a workspace of its own."""
    folder = tmp_path / "workspace" / dashboard_run.folder.parent.name / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    return Run(folder)


def component_data(app) -> dict:
    """What the live part was given."""
    (found,) = [element for element in app.main if element.type == "bidi_component"]
    return json.loads(found.proto.mixed.json if found.proto.HasField("mixed") else found.proto.json)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_opens_clean_in_both_languages(dashboard_run, monkeypatch, lang):
    """Scores, honest words and the mark of simulated data."""
    app = open_app(PAGE, dashboard_run, monkeypatch, lang=lang)
    check_clean(app)
    assert app.selectbox(key="fusion_scheme").value == "knndm"
    data = component_data(app)
    assert data["studio"]["learners"] == ["forest", "boosted"]
    assert data["studio"]["scheme"] == "knndm"
    assert "3" not in data["words"]["observed_x"]  # m³ m⁻³, not m3 m-3
    said = texts(app)
    assert {"en": "No correction improves both", "zh": "没有任何校正能同时改善"}[lang] in said
    assert {"en": "two standard errors", "zh": "两个标准误"}[lang] in said


def test_another_scheme_is_scored(dashboard_run, monkeypatch):
    """The table follows the choice; the inner folds say what they are."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    before = app.dataframe[-1].value.to_dict()
    app.selectbox(key="fusion_scheme").set_value("survey").run()
    check_clean(app)
    assert app.dataframe[-1].value["R²"].iloc[0] != before["R²"][0]
    app.selectbox(key="fusion_scheme").set_value("inner").run()
    assert "folds that the study's fusion is fitted with" in texts(app)


def test_a_link_opens_its_scenario(dashboard_run, monkeypatch):
    """The row of what is shown has the weights of the link."""
    app = open_app(
        PAGE, dashboard_run, monkeypatch, preset="manual", weights="0.25,0.75", correction="zscore", **{"lambda": "0.5"}
    )
    check_clean(app)
    table = app.dataframe[-1].value
    assert list(table["Scenario"]) == ["The study's own", "Shown now"]
    assert table["Weights"].iloc[1] == "forest 25 %, boosted 75 %"
    assert table["Correction"].iloc[1] == "Z-score"


@pytest.mark.parametrize("bad", [{"weights": "1,-1"}, {"preset": "../../etc"}])
def test_a_link_with_nonsense_is_said_and_ignored(dashboard_run, monkeypatch, bad):
    """A warning, and the study's own."""
    app = open_app(PAGE, dashboard_run, monkeypatch, **bad)
    check_clean(app)
    assert "study's own is shown" in app.warning[0].value
    assert list(app.dataframe[-1].value["Scenario"]) == ["The study's own"]


def test_saving_listing_and_a_bad_name(own_run, monkeypatch):
    """A name that could be a path is refused with its rule; a good one is kept and listed."""
    app = open_app(PAGE, own_run, monkeypatch, preset="equal")
    name, note = app.text_input
    name.set_value("../escape")
    app.button[0].click().run()
    assert "can't name a scenario" in app.error[0].value
    assert list_scenarios(own_run) == ()
    name, note = app.text_input
    name.set_value("even")
    note.set_value("<b>all alike</b>")
    app.button[0].click().run()
    check_clean(app)
    (saved,) = list_scenarios(own_run)
    assert (saved.name, saved.method, saved.note) == ("even", "equal", "<b>all alike</b>")
    assert "even" in list(app.dataframe[-1].value["Scenario"])
    assert "Saved as even" in texts(app)


def test_a_damaged_scenario_is_named(own_run, monkeypatch):
    """One bad file: its fault in a box, no traceback."""
    save_scenario(own_run, Scenario("good", method="equal"))
    (own_run.folder / "scenarios" / "bad.json").write_text("{")
    app = open_app(PAGE, own_run, monkeypatch)
    assert not app.exception
    assert "bad.json" in app.error[0].value


def test_classes_get_an_explanation(class_run, monkeypatch):
    """An empty state that says why and where to go."""
    app = open_app(PAGE, class_run, monkeypatch)
    check_clean(app)
    assert "maps classes" in app.info[0].value


def test_a_residual_model_gets_an_explanation(own_run, monkeypatch):
    """It can't be fitted for other weights here."""
    record = own_run.record
    record["options"]["bias"]["method"] = "residual"
    (own_run.folder / "run.json").write_text(json.dumps(record))
    app = open_app(PAGE, own_run, monkeypatch)
    check_clean(app)
    assert "residual model" in app.info[0].value


# ---- what goes to the controls and comes back ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("x", method="equal", correction="none"),
        Scenario("x", method="manual", weights={"forest": 8.0, "boosted": 2.0}, correction="blend", blend=0.25),
        Scenario("x", method="manual", weights={"boosted": 0.5}),
    ],
)
def test_controls_give_back_what_they_were_given(dashboard_run, scenario):
    """Weights above 1 are scaled to the sliders: the same shares, the same fusion."""
    choice = json.loads(json.dumps(to_choice(scenario, LEARNERS)))
    assert max(choice["weights"]) <= 1
    assert read_choice(dashboard_run, choice, LEARNERS).key == scenario.key


def test_the_studys_own_comes_back_as_itself(dashboard_run):
    """Not as a copy with another name."""
    own = default_scenario(dashboard_run)
    assert read_choice(dashboard_run, to_choice(own, LEARNERS), LEARNERS) == own


@pytest.mark.parametrize(
    "choice",
    [
        None,
        "manual",
        {},
        {"method": "manual", "weights": [1.0], "correction": "none", "blend": 0.5},
        {"method": "manual", "weights": ["1", "2"], "correction": "none", "blend": 0.5},
        {"method": "equal", "weights": [1.0, 1.0], "correction": "none", "blend": None},
        {"method": None, "weights": [1.0, 1.0], "correction": "none", "blend": 0.5},
    ],
    ids=str,
)
def test_what_no_control_would_send_is_refused(dashboard_run, choice):
    """The browser is not trusted."""
    with pytest.raises(StudyError):
        read_choice(dashboard_run, choice, LEARNERS)


def test_decimals_follow_the_range():
    """About a ten-thousandth of the range of values is shown."""
    assert places([0.0, 0.6])["rmse"] == 4
    assert places([-12.0, 8.0])["rmse"] == 2
    assert places([0.0, 4000.0])["mae"] == 0
