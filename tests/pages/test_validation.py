"""The page of the cross-validation."""

from __future__ import annotations

import pytest

from alm_core.diagnostics.threshold import threshold_study
from pages.parts.numbers import fixed, percent
from tests.pages.plain_run import unfinished, without_uncertainty
from tests.pages.support import check_clean, open_app, texts

PAGE = "pages/3_Cross_validation.py"
VIEWS = ("scores", "distances", "sites", "spread", "threshold")


@pytest.fixture
def opened(dashboard_run, monkeypatch):
    """Open the page of the small run."""

    def open_it(**parameters):
        app = open_app(PAGE, dashboard_run, monkeypatch, **parameters)
        check_clean(app)
        return app

    return open_it


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_part_opens_in_both_languages(opened, view, lang):
    """With at least one figure, and no help box without words."""
    app = opened(view=view, lang=lang)
    assert app.get("plotly_chart")
    assert app.title[0].value == {"en": "Cross-validation", "zh": "交叉验证"}[lang]


def test_it_says_what_random_folds_would_have_printed(opened, dashboard_run):
    """Both scores of metrics.json are on the tiles."""
    schemes = dashboard_run.metrics()["schemes"]
    values = [metric.value for metric in opened().metric]
    assert values[:2] == [fixed(schemes["random"]["fused"]["r2"]), fixed(schemes["knndm"]["fused"]["r2"])]


def test_the_address_chooses_scheme_learner_and_part(opened, dashboard_run):
    """And a choice goes into the address."""
    app = opened(view="sites", scheme="block", learner="boosted")
    r2 = dashboard_run.metrics()["schemes"]["block"]["boosted"]["r2"]
    assert f"R² {fixed(r2)}" in texts(app)
    app.selectbox(key="scheme").set_value("survey").run()
    check_clean(app)
    assert app.query_params["scheme"] in ("survey", ["survey"])


def test_nonsense_in_the_address_is_passed_over(opened):
    """The page opens at its beginning."""
    app = opened(view="../etc", scheme="nope", learner="<script>", edge="nan", metric="x")
    assert app.session_state["scheme"] == "knndm"
    assert app.session_state["learner"] == "fused"


def test_the_what_if_starts_at_the_edge_of_the_run_and_follows_the_slider(opened, dashboard_run):
    """Part of the map and sites inside come from alm_core."""
    study = threshold_study(dashboard_run, "knndm")
    app = opened(view="threshold")
    assert app.metric[0].value == percent(study.at(study.threshold).map_inside, 1)
    smaller = round(app.slider(key="edge").value / 2, 3)
    app.slider(key="edge").set_value(smaller).run()
    check_clean(app)
    assert app.metric[0].value == percent(study.at(app.slider(key="edge").value).map_inside, 1)


def test_a_classification_has_a_matrix_and_no_taylor_diagram(class_run, monkeypatch):
    """Every part of it opens."""
    for view in ("scores", "distances", "sites", "classes", "threshold"):
        app = open_app(PAGE, class_run, monkeypatch, view=view)
        check_clean(app)
    app = open_app(PAGE, class_run, monkeypatch, view="classes")
    assert "Confusion matrix" in texts(app)
    assert "Taylor" not in texts(app)
    assert "mapped area" in texts(app)


def test_a_run_without_intervals_and_applicability_says_how_to_get_them(dashboard_run, tmp_path, monkeypatch):
    """In place of the figures."""
    run = without_uncertainty(dashboard_run, tmp_path)
    for view, extra, expected in (
        ("spread", {}, "cross_conformal"),
        ("threshold", {}, "[applicability] enabled = true"),
        ("distances", {"space": "covariates"}, "[applicability] enabled = true"),
        ("sites", {}, "R²"),
        ("scores", {}, "Random folds"),
    ):
        app = open_app(PAGE, run, monkeypatch, view=view, **extra)
        check_clean(app)
        assert expected in texts(app)


def test_an_unfinished_run_says_what_is_missing(dashboard_run, tmp_path, monkeypatch):
    """Before validation nothing can be shown; after it all but the edge can."""
    early = open_app(PAGE, unfinished(dashboard_run, tmp_path / "early", after="selection"), monkeypatch)
    check_clean(early)
    assert "metrics.json" in texts(early)
    assert not early.metric
    late = unfinished(dashboard_run, tmp_path / "late", after="validation")
    for view in VIEWS:
        check_clean(open_app(PAGE, late, monkeypatch, view=view))


@pytest.mark.parametrize("view", VIEWS)
def test_a_rerun_says_the_same(opened, view):
    """Nothing of a page depends on how often it was drawn."""
    app = opened(view=view)
    before = texts(app)
    app.run()
    check_clean(app)
    assert texts(app) == before
