"""Runs of days on the pages: their own page, and a word on every other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from alm_core.publishing.provenance import study_toml
from alm_core.study import parse_options
from alm_core.workspace import Run, write_json
from pages.parts import days_map
from pages.parts.frame import PAGES, Page, read_options
from pages.parts.words import Words
from tests.day_pages_run import FIRST, LEARNERS, UNKNOWN_DAY, write_day_run
from tests.pages.support import check_clean, open_app, texts

DAYS = "pages/8_Days.py"
PLACE = {"lon": "90.10000", "lat": "33.10000"}


@pytest.fixture(scope="module")
def day_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of days in a workspace of its own."""
    return write_day_run(tmp_path_factory.mktemp("days") / "workspace")


def words_page(run: Run, language: str = "en") -> Page:
    """A page without its frame."""
    return Page("days", Words(language, "days"), language, run, read_options(run))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_place_answers_with_map_products_and_winters(day_run: Run, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """The address names day and place; both products, the dates of both winters and the chart are there."""
    app = open_app(DAYS, day_run, monkeypatch, day="2015-01-10", lang=language, **PLACE)
    check_clean(app)
    words = Words(language, "days")
    day, winters = (table.value for table in app.dataframe[:2])
    assert day.columns[1] == "2015-01-10"
    assert day.iloc[0, 1] == words("component.frozen")
    assert day.iloc[:, 0].tolist() == [words(f"place.{name}") for name in ("map", "probability", "labels", "check")]
    assert winters.iloc[:, 0].tolist() == ["2014/15", "2015/16"]
    assert winters.iloc[0, 1:].tolist() == ["2014-10-18", "2015-04-30", "186", "2"]
    assert app.multiselect(key="days-variables").value == ["tb_36v", "tb_18h"]


def test_an_unknown_day_is_told_as_unknown(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither frozen nor thawed, and has no probability."""
    app = open_app(DAYS, day_run, monkeypatch, day=UNKNOWN_DAY.isoformat(), **PLACE)
    check_clean(app)
    assert app.dataframe[0].value.iloc[:2, 1].tolist() == ["unknown", "–"]


def test_a_strange_address_falls_back(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day outside the study, a layer of another run and no place: the first winter and a request to click."""
    app = open_app(DAYS, day_run, monkeypatch, day="1999-13-77", layer="../x", lon="a", lat="b")
    check_clean(app)
    assert Words("en", "days")("place.none") in texts(app)
    app = open_app(DAYS, day_run, monkeypatch, lon="10", lat="10")
    check_clean(app)
    assert Words("en", "days")("place.outside") in texts(app)


def test_the_component_gets_what_the_map_is_made_of(day_run: Run) -> None:
    """Every year with its first day, every layer with its range, no address that leaves the program."""
    data = days_map.map_data(str(day_run.folder), ())
    assert [(one["first"], one["days"]) for one in data["years"]] == [
        ("2014-07-01", 184),
        ("2015-01-01", 365),
        ("2016-01-01", 182),
    ]
    assert data["years"][0]["first"] == FIRST.isoformat()
    assert [one["id"] for one in data["layers"]][:3] == ["state", "probability", "freeze_onset"]
    assert all(one["low"] < one["high"] for one in data["layers"] if one["kind"] != "day")
    assert all(one["low"] == -one["high"] for one in data["layers"] if one["kind"] == "trend")
    assert all(url is None or url.startswith("/alm/") for url in data["urls"].values())


def test_what_the_browser_says_is_checked(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of another layer, a day that is not mapped, a place that is none."""
    from alm_core.inspection.days import day_maps
    from pages.parts.days_data import checked

    maps = day_maps(day_run)
    assert checked(maps, {"layer": "trend_frozen_days", "day": "2016-02-29", "place": [90, 33]}) == {
        "layer": "trend_frozen_days", "day": "2016-02-29", "place": [90.0, 33.0],
    }  # fmt: skip
    assert checked(maps, {"layer": 3, "day": "2030-01-01", "place": [900, 33]}) == {
        "layer": "state", "day": "2015-01-15", "place": None,
    }  # fmt: skip
    assert checked(maps, "nonsense")["layer"] == "state"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_scores_say_what_the_random_split_hides(day_run: Run, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """Both accuracies and the leak in one sentence; every scheme and learner in one table; four matrices."""
    app = open_app(DAYS, day_run, monkeypatch, view="scores", scheme="random", lang=language)
    check_clean(app)
    told = texts(app)
    assert "96.8 %" in told
    assert "90.1 %" in told
    assert "90 %" in told
    table = app.dataframe[0].value
    assert len(table) == 4 * len(LEARNERS)
    assert Words(language, "days")("learner.discriminant_refitted") in set(table.iloc[:, 1])
    names = [Words(language, "days")(f"set.{name}") for name in ("training", "validation", "test", "check")]
    assert all(name in told for name in names)


def test_groups_of_every_kind_can_be_chosen(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seasons in words, quarters of the height by their bounds."""
    app = open_app(DAYS, day_run, monkeypatch, view="scores")
    picked = app.segmented_control(key="days-kind")
    assert picked.value == "season"
    assert {"Dec – Feb", "Jun – Aug"} <= set(next(table.value for table in app.dataframe if "Season" in table.value)["Season"])
    picked.set_value("elevation").run()
    check_clean(app)
    quarters = next(table.value for table in app.dataframe if "Elevation (m)" in table.value)["Elevation (m)"]
    assert quarters.iloc[0].startswith("4000 – ")


def test_parts_that_are_missing_are_left_out(day_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with one scheme and no check, no leaks, no groups, no phenology and no trend."""
    run = write_day_run(tmp_path / "workspace")
    metrics = run.metrics()
    entry = {name: {"count": 10, "overall_accuracy": 0.9, "kappa": None} for name in LEARNERS}
    write_json(
        run.folder / "metrics.json", {"task": "classification", "headline": "year", "schemes": {"year": entry}, "check": None}
    )
    for path in (run.folder / "map/phenology").glob("*.tif"):
        path.unlink()
    assert metrics["headline"] == "year"
    for view in ("scores", "map", "files"):
        check_clean(open_app(DAYS, run, monkeypatch, view=view, **PLACE))


def test_files_are_offered(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts of every daily quantity; the yearly files by name."""
    app = open_app(DAYS, day_run, monkeypatch, view="files")
    check_clean(app)
    table = app.dataframe[0].value
    assert len(table) == 5
    assert (table["Days missing"] == "1").all()


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("start", "days", "report")])
def test_other_pages_say_that_a_run_of_days_has_its_own(day_run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """One sentence and a link; nothing fails."""
    app = open_app(PAGES[name][0], day_run, monkeypatch)
    check_clean(app)
    assert [item.value for item in app.info] == [Words("en", "common")("empty.of_days")]


def test_the_days_page_says_that_a_run_of_sites_has_no_days(dashboard_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And links to the map."""
    app = open_app(DAYS, dashboard_run, monkeypatch)
    check_clean(app)
    assert [item.value for item in app.info] == [Words("en", "common")("empty.of_sites")]


def test_the_report_has_citation_and_provenance(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is offered, and the options can be read back."""
    for view in ("citation", "provenance", "card"):
        app = open_app("pages/6_Report.py", day_run, monkeypatch, report_view=view)
        check_clean(app)
    assert app.segmented_control(key="report_view").options == ["Citation", "Provenance"]
    assert parse_options(tomllib.loads(study_toml(day_run))).days == read_options(day_run).days


def test_the_start_page_tells_days_and_scores(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Span, cell-days and the scheme; no sites."""
    app = open_app("app.py", day_run, monkeypatch)
    check_clean(app)
    told = texts(app)
    assert "Every day from 2014-07-01 to 2016-06-30" in told
    assert "Years, which answers for the map" in told


def test_an_unfinished_run_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without maps the page says what is missing; its scores are there already."""
    run = write_day_run(tmp_path / "workspace")
    for path in (run.folder / "map/days").iterdir():
        path.unlink()
    (run.folder / "map/days").rmdir()
    app = open_app(DAYS, run, monkeypatch)
    check_clean(app)
    assert "map/days" in texts(app)
    app = open_app(DAYS, run, monkeypatch, view="scores")
    check_clean(app)
    assert "96.8 %" in texts(app)


def test_the_badge_of_simulated_data_is_there(day_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on every other page."""
    shown = "\n".join(str(item.proto) for item in open_app(DAYS, day_run, monkeypatch).get("html"))
    assert Words("en", "common")("simulated.short") in shown
