"""The guided tour."""

from __future__ import annotations

import json
import re

import pytest

from alm_core.inspection import tour
from alm_core.workspace import Run, write_json
from pages.parts.numbers import percent
from tests.pages.plain_run import copied, unfinished, without_uncertainty
from tests.pages.support import check_clean, open_app, texts

PAGE = "pages/7_Tour.py"
STEPS = tuple("123456")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("step", STEPS)
def test_every_step_opens_in_both_languages(dashboard_run, monkeypatch, step, lang):
    """With a picture, and with the mark of simulated data."""
    app = open_app(PAGE, dashboard_run, monkeypatch, step=step, lang=lang)
    check_clean(app)
    assert app.get("plotly_chart")
    assert {"en": "simulated", "zh": "模拟"}[lang] in texts(app)
    assert not re.search(r"\bnan\b|\{\w+\}", texts(app))


def test_the_buttons_walk_from_the_first_to_the_last_step(dashboard_run, monkeypatch):
    """Back is shut on the first step; the last leads to the first."""
    app = open_app(PAGE, dashboard_run, monkeypatch)
    assert app.button[0].disabled
    for step in STEPS[1:]:
        app.button[1].click().run()
        check_clean(app)
        assert app.subheader[0].value.startswith(step)
        assert app.query_params["step"] in (step, [step])
    app.button[0].click().run()
    assert app.subheader[0].value.startswith("5")
    app.button[1].click().run()
    app.button[1].click().run()
    assert app.subheader[0].value.startswith("1")


def test_numbers_are_those_of_the_run(dashboard_run, monkeypatch):
    """Scores of step 3, part outside of step 6, sites of step 2."""
    schemes = dashboard_run.metrics()["schemes"]
    text = texts(open_app(PAGE, dashboard_run, monkeypatch, step="3"))
    assert percent(schemes["random"]["fused"]["r2"]) in text
    assert percent(schemes["knndm"]["fused"]["r2"]) in text
    assert f"{tour.site_facts(dashboard_run).kept} sites" in texts(open_app(PAGE, dashboard_run, monkeypatch, step="2"))
    outside = tour.trust_facts(dashboard_run).outside
    text = texts(open_app(PAGE, dashboard_run, monkeypatch, step="6"))
    assert percent(outside) in text or outside == 0


def test_other_numbers_give_other_words(dashboard_run, tmp_path, monkeypatch):
    """Where both tests agree, the tour says so instead of warning."""
    folder = copied(dashboard_run, tmp_path)
    metrics = Run.open(folder).metrics()
    metrics["schemes"]["random"]["fused"]["r2"] = metrics["schemes"]["knndm"]["fused"]["r2"]
    write_json(folder / "metrics.json", metrics)
    assert "both tests agree" in texts(open_app(PAGE, Run.open(folder), monkeypatch, step="3"))
    metrics["schemes"]["random"]["fused"]["r2"] += 0.1
    write_json(folder / "metrics.json", metrics)
    assert "both tests agree" not in texts(open_app(PAGE, Run.open(folder), monkeypatch, step="3"))


def test_observed_data_are_not_called_simulated(dashboard_run, tmp_path, monkeypatch):
    """The mark belongs to simulated studies alone."""
    folder = copied(dashboard_run, tmp_path)
    record = Run.open(folder).record
    record["simulated"] = record["options"]["study"]["simulated"] = False
    write_json(folder / "run.json", record)
    for step in STEPS:
        assert "simulated" not in texts(open_app(PAGE, Run.open(folder), monkeypatch, step=step)).lower()


@pytest.mark.parametrize("step", STEPS)
def test_a_classification_has_a_tour_too(class_run, monkeypatch, step):
    """With its hardest class in place of the pull."""
    app = open_app(PAGE, class_run, monkeypatch, step=step)
    check_clean(app)
    if step == "4":
        assert percent(tour.hardest_class(class_run)[1]) in texts(app)


def test_a_run_without_uncertainty_says_what_it_lacks(dashboard_run, tmp_path, monkeypatch):
    """No ranges, no edge, no fault."""
    run = without_uncertainty(dashboard_run, tmp_path)
    assert "gives no ranges" in texts(open_app(PAGE, run, monkeypatch, step="5"))
    app = open_app(PAGE, run, monkeypatch, step="6")
    check_clean(app)
    assert "did not work out" in texts(app)


def test_an_unfinished_run_waits_for_its_map(dashboard_run, tmp_path, monkeypatch):
    """The missing files are named."""
    app = open_app(PAGE, unfinished(dashboard_run, tmp_path, after="models"), monkeypatch)
    check_clean(app)
    assert "map/fused.tif" in texts(app)


@pytest.mark.parametrize("step", ["1", "2", "6"])
def test_every_entry_of_a_legend_has_a_name(dashboard_run, monkeypatch, step):
    """The ground below the data is no entry."""
    app = open_app("pages/7_Tour.py", dashboard_run, monkeypatch, step=step)
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    assert figures
    for figure in figures:
        shown = [trace for trace in figure["data"] if trace.get("showlegend", True) and trace["type"] == "scatter"]
        assert len(shown) < 2 or all(trace.get("name") for trace in shown)
