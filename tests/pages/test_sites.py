"""The page of the sites, without a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from alm_core.study_editing import change_screening, exclude_site, keep_site, read_screening, study_file
from alm_core.workspace import Run
from pages.parts.site_map import picked_sites
from tests.pages.support import check_clean, open_app, texts

PAGE = "pages/1_Sites.py"
"""Generous: the machine of a test may be busy. The bar of 0.5 s is measured on the medium demo."""


@pytest.fixture
def own_run(dashboard_run: Run, tmp_path: Path) -> Run:
    """A copy of the small run with a copy of its study, to write to."""
    study = tmp_path / "study"
    shutil.copytree(study_file(dashboard_run).parent, study)
    folder = tmp_path / "workspace" / dashboard_run.folder.parent.name / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["study_file"] = str(study / "study.toml")
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return Run(folder)


def slider(app: AppTest, name: str):
    """A slider of the thresholds."""
    return next(item for item in app.slider if item.key.endswith(f".{name}"))


def metric(app: AppTest, label: str) -> str:
    """The number of a metric."""
    return next(item.value for item in app.metric if item.label == label)


def badges(app: AppTest) -> str:
    """The counts beside the rules."""
    return "\n".join(item.value for item in app.markdown if "badge" in item.value)


def show_tab(app: AppTest, name: str) -> AppTest:
    """Open a tab, as a click does."""
    app.session_state["sites.tab"] = name
    return app.run()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("tab", [{"en": "Table", "zh": "表格"}, {"en": "One site", "zh": "单个站点"}])
def test_page_opens_in_both_languages(
    dashboard_run: Run, monkeypatch: pytest.MonkeyPatch, lang: str, tab: dict[str, str]
) -> None:
    """Every tab is drawn without a fault, and nothing is left in the other language."""
    app = show_tab(open_app(PAGE, dashboard_run, monkeypatch, lang=lang), tab[lang])
    check_clean(app)
    assert len(app.dataframe) >= 1
    assert next(item.label for item in app.metric) == {"en": "In the table", "zh": "表中站点"}[lang]


def test_counts_are_those_of_the_run(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """At first the thresholds are the run's own and nothing changes."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    check_clean(app)
    assert metric(app, "In the table") == "90"
    assert metric(app, "Kept in this run") == metric(app, "Kept now")
    assert "The study has these thresholds." in texts(app)
    assert app.button(key="sites.write").disabled


def test_moving_a_slider_changes_the_counts_at_once(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stricter maximum takes sites out, and the rule says so."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    before = int(metric(app, "Kept now"))
    low, _ = slider(app, "values").value
    slider(app, "values").set_range(low, 0.35).run()
    check_clean(app)
    after = int(metric(app, "Kept now"))
    assert after < before
    assert int(metric(app, "Kept in this run")) == before
    assert f"took 1, now {90 - after}" in badges(app)
    assert "maximum 0.6 → 0.35" in texts(app)


def test_switching_a_rule_off(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is off takes nobody."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    slider(app, "outlier_z").set_value(1.5).run()
    strict = int(metric(app, "Kept now"))
    next(item for item in app.toggle if item.key.endswith(".outlier.on")).set_value(False).run()
    check_clean(app)
    assert int(metric(app, "Kept now")) > strict
    assert "outlier z 4.5 → off" in texts(app)


def test_thresholds_are_written_to_the_study(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The button stores what the sliders say, and the page says that the run is behind now."""
    app = open_app(PAGE, own_run, monkeypatch)
    assert app.button(key="sites.run").disabled
    slider(app, "outlier_z").set_value(2.0).run()
    app.button(key="sites.write").click().run()
    check_clean(app)
    assert read_screening(study_file(own_run)).outlier_z == 2.0
    assert read_screening(study_file(own_run)).maximum == 0.6
    assert "outlier z 4.5 → 2" in texts(app)
    assert "still show the old screening" in texts(app)
    assert not app.button(key="sites.run").disabled


def test_reset_goes_back_to_the_study(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of mind the sliders stand where the study has them."""
    app = open_app(PAGE, own_run, monkeypatch)
    slider(app, "outlier_z").set_value(2.0).run()
    app.button(key="sites.reset").click().run()
    check_clean(app)
    assert slider(app, "outlier_z").value == 4.5
    assert metric(app, "Kept now") == metric(app, "Kept in this run")


def test_page_starts_from_a_study_that_has_moved_on(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study changed in an editor is what the sliders begin with."""
    change_screening(study_file(own_run), {"outlier_z": 1.75})
    app = open_app(PAGE, own_run, monkeypatch)
    check_clean(app)
    assert slider(app, "outlier_z").value == 1.75
    assert int(metric(app, "Kept now")) < int(metric(app, "Kept in this run"))


def test_site_is_excluded_with_its_reason(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason lands in study.toml, and the live count falls by one; releasing brings it back."""
    app = show_tab(open_app(PAGE, own_run, monkeypatch), "One site")
    kept = int(metric(app, "Kept now"))
    assert app.button(key="sites.exclude").disabled
    site = next(item for item in app.selectbox if item.label == "Site").value
    app.text_input(key=f"sites.reason.{site}").set_value("sensor in road fill").run()
    app.button(key="sites.exclude").click().run()
    check_clean(app)
    assert read_screening(study_file(own_run)).exclude == {site: "sensor in road fill"}
    assert int(metric(app, "Kept now")) == kept - 1
    assert "sensor in road fill" in texts(app)
    app.button(key="sites.release").click().run()
    assert read_screening(study_file(own_run)).exclude == {}
    assert int(metric(app, "Kept now")) == kept


def test_removed_site_is_kept_by_hand(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site above the maximum comes back in, and its verdict says by whose hand."""
    app = show_tab(open_app(PAGE, own_run, monkeypatch), "One site")
    next(item for item in app.selectbox if item.label == "Site").set_value("p005").run()
    assert "above the maximum" in texts(app)
    app.button(key="sites.keep").click().run()
    check_clean(app)
    assert read_screening(study_file(own_run)).keep == ("p005",)
    assert "kept by hand" in texts(app)


def test_study_that_is_gone(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds can still be tried, storing is off, and the page says where the study was."""
    study_file(own_run).unlink()
    app = open_app(PAGE, own_run, monkeypatch)
    check_clean(app)
    assert "not there any more" in texts(app)
    assert app.button(key="sites.write").disabled
    slider(app, "outlier_z").set_value(1.75).run()
    assert int(metric(app, "Kept now")) < int(metric(app, "Kept in this run"))


def test_read_only_study_is_a_clear_message(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused write is told, not raised."""
    study_file(own_run).chmod(0o444)
    app = open_app(PAGE, own_run, monkeypatch)
    slider(app, "outlier_z").set_value(2.0).run()
    app.button(key="sites.write").click().run()
    assert not app.exception
    assert "read-only" in app.error[0].value
    assert read_screening(study_file(own_run)).outlier_z == 4.5


def test_study_with_unknown_sites_by_hand(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in the study that the table does not have is told, and the run's own verdicts are shown."""
    exclude_site(study_file(own_run), "nobody", "typing error")
    app = open_app(PAGE, own_run, monkeypatch)
    assert not app.exception
    assert "nobody" in app.error[0].value
    assert metric(app, "Kept now") == metric(app, "Kept in this run")


def test_colours_of_the_map(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every meaning of the colour draws."""
    keep_site(study_file(own_run), "p005")
    app = open_app(PAGE, own_run, monkeypatch)
    for kind in ("value", "method", "survey", "year", "verdict", "change"):
        app.session_state["sites.colour"] = kind
        app.run()
        check_clean(app)


def test_chosen_sites_are_shared(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites that were picked in one figure are counted, lead the table and fill the detail; the button forgets them."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    key = f"sites.selection.{dashboard_run.folder.parent.name}/{dashboard_run.id}"
    app.session_state[key] = {"ids": ("p010", "p020"), "generation": 1, "first": ("p010", "p020")}
    show_tab(app, "Table")
    check_clean(app)
    assert metric(app, "Chosen here") == "2"
    assert app.dataframe[0].value.iloc[:, 0].tolist()[:2] == ["p010", "p020"]
    app.button(key="sites.clear").click().run()
    assert metric(app, "Chosen here") == "0"


def test_picked_points_become_site_ids() -> None:
    """Points carry one id, bars many; a site in two of them is picked once."""
    event = {"selection": {"points": [{"customdata": ["a"]}, {"customdata": ["b\na"]}, {"customdata": "c"}, {}]}}
    assert picked_sites(event) == ("a", "b", "c")
    assert picked_sites(None) == ()


def test_classification(class_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes have no outlier rules, and the page has no fault on any tab."""
    app = open_app(PAGE, class_run, monkeypatch)
    check_clean(app)
    assert not [item for item in app.slider if item.key.endswith("outlier_z")]
    for tab in ("Table", "One site"):
        check_clean(show_tab(app, tab))
    assert "**state** 2" in texts(app) or "**state** 1" in texts(app)
    assert "**state** 1.0" not in texts(app)


def test_no_run_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty workspace is no fault."""
    app = open_app(PAGE, None, monkeypatch, workspace=tmp_path)
    check_clean(app)
    assert "no run yet" in texts(app)


def test_run_without_sites_says_so(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was stopped early names the file that is missing."""
    (own_run.folder / "sites.parquet").unlink()
    app = open_app(PAGE, own_run, monkeypatch)
    check_clean(app)
    assert "sites.parquet" in texts(app)


def test_run_that_is_not_scored_yet(own_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites can be looked at before anything was learnt."""
    for name in ("out_of_fold.parquet", "applicability.json", "selection.json", "metrics.json"):
        (own_run.folder / name).unlink()
    app = show_tab(open_app(PAGE, own_run, monkeypatch), "One site")
    check_clean(app)
    assert "No prediction" in texts(app)
