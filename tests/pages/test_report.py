"""The report page."""

from __future__ import annotations

import pytest

from alm_core.jobs import list_jobs
from alm_core.jobs.store import JobState
from alm_core.publishing.bundle import bundle_version, write_bundle
from alm_core.publishing.citation import cite
from alm_core.workspace import Run, write_json
from pages.parts import report_files
from tests.pages.plain_run import copied, unfinished
from tests.pages.support import check_clean, open_app, texts

PAGE = "pages/6_Report.py"
VIEWS = ("card", "citation", "provenance", "catalogue", "files")


def finished_job(run, workspace):
    """A zip that a job has made."""
    folder = workspace / ".jobs" / "20240101-000000-000000-abcdef"
    (folder / "files").mkdir(parents=True)
    bundle = write_bundle(run, folder / "files" / "run.zip")
    spec = {"run": f"{run.folder.parent.name}/{run.id}", "version": bundle_version(run)}
    write_json(folder / "job.json", {"kind": "bundle", "function": "a:b", "spec": spec, "submitted": 0.0})
    write_json(folder / "progress.json", JobState("done", result={"file": "run.zip", **bundle.to_dict()}).to_dict())


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_part_opens_in_both_languages(dashboard_run, monkeypatch, view, lang):
    """Nothing is an error."""
    app = open_app(PAGE, dashboard_run, monkeypatch, report_view=view, lang=lang)
    check_clean(app)
    assert app.title[0].value == {"en": "Report", "zh": "报告"}[lang]


def test_the_citation_is_that_of_the_run(dashboard_run, monkeypatch):
    """Both sentences can be copied, and simulated data are called so."""
    app = open_app(PAGE, dashboard_run, monkeypatch, report_view="citation")
    assert [item.value for item in app.code][:2] == list(cite(dashboard_run).text.values())
    assert "simulated" in app.warning[0].value


def test_provenance_names_hashes_and_options(dashboard_run, monkeypatch):
    """Every input with its whole hash; the study as it was run."""
    app = open_app(PAGE, dashboard_run, monkeypatch, report_view="provenance")
    tables = [table.value for table in app.dataframe]
    assert any(set(table.iloc[:, -1]) == set(dashboard_run.record["inputs"].values()) for table in tables)
    assert any("[validation]" in item.value for item in app.code)
    assert dashboard_run.id in [metric.value for metric in app.metric]


def test_the_catalogue_item_has_hints(dashboard_run, monkeypatch):
    """What is ready, and what a catalogue adds."""
    app = open_app(PAGE, dashboard_run, monkeypatch, report_view="catalogue")
    assert "ready" in texts(app)
    assert "no links yet" in texts(app)
    assert app.json


def test_the_button_starts_a_job_of_this_run(dashboard_run, tmp_path, monkeypatch):
    """The job goes into the address, so that a reload finds it."""
    started = []

    class Submitted:
        id = "20240101-000000-000000-abcdef"

    def submit(workspace, kind, **spec):
        started.append((kind, spec))
        return Submitted()

    monkeypatch.setattr(report_files, "submit", submit)
    run = Run.open(copied(dashboard_run, tmp_path))
    app = open_app(PAGE, run, monkeypatch, report_view="files")
    app.button[0].click().run()
    check_clean(app)
    assert started == [("bundle", {"run": f"{run.folder.parent.name}/{run.id}", "version": bundle_version(run)})]
    assert app.query_params["job"] in (Submitted.id, [Submitted.id])


def test_a_finished_zip_is_offered_until_the_run_changes(dashboard_run, tmp_path, monkeypatch):
    """Its size and hash are told; a saved scenario makes it old."""
    run = Run.open(copied(dashboard_run, tmp_path))
    finished_job(run, tmp_path)
    assert len(list_jobs(tmp_path)) == 1
    app = open_app(PAGE, run, monkeypatch, report_view="files")
    check_clean(app)
    assert "The zip is ready" in texts(app)
    assert "has changed since" not in texts(app)
    write_json(run.folder / "scenarios" / "wet.json", {"name": "wet"})
    assert "has changed since" in texts(open_app(PAGE, run, monkeypatch, report_view="files"))


def test_an_unfinished_run_says_what_is_missing(dashboard_run, tmp_path, monkeypatch):
    """Card, item and zip come at the end; citation and provenance are there from the start."""
    run = unfinished(dashboard_run, tmp_path, after="sites")
    for view in VIEWS:
        app = open_app(PAGE, run, monkeypatch, report_view=view)
        check_clean(app)
        if view in ("card", "catalogue", "files"):
            assert app.info


def test_a_classification_has_a_report_too(class_run, monkeypatch):
    """Every part."""
    for view in VIEWS:
        check_clean(open_app(PAGE, class_run, monkeypatch, report_view=view))
