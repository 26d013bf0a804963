"""The start page."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

from alm_core.jobs import Job, find_job, list_jobs
from alm_core.workspace import read_json, write_json
from tests.pages.support import check_clean, open_app, texts
from tests.small_study import write_small_study
from tests.uploads import files

LANGUAGES = {"en": "Runs", "zh": "运行"}


@pytest.fixture
def empty(tmp_path):
    """A workspace without runs, and an empty folder of studies beside it."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "workspace").mkdir()
    yield tmp_path / "workspace"
    for job in list_jobs(tmp_path / "workspace"):
        job.cancel()
    until = time.monotonic() + 20
    working = [job for job in list_jobs(tmp_path / "workspace") if (job.folder / "pid.json").is_file()]
    while any(job.unfinished() for job in working) and time.monotonic() < until:
        time.sleep(0.05)


def add_job(workspace, number, state, **values):
    """A job that has ended so, without a worker."""
    folder = workspace / ".jobs" / f"20240101-00000{number}-000000-abcdef"
    (folder / "files").mkdir(parents=True)
    spec = {"size": "small", "studies": str(workspace.parent / "studies")}
    write_json(folder / "job.json", {"kind": "demo", "function": "a:b", "spec": spec, "submitted": 0.0})
    write_json(folder / "progress.json", {"state": state, "started": 1.7e9, "ended": 1.7e9 + 90, **values})
    return Job(folder)


def pieces(app):
    """All HTML of the page."""
    return "\n".join(str(item.value) for item in app.html)


def labels(app):
    """Labels of all buttons."""
    return [button.label for button in app.button]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_a_run_it_says_what_to_do(empty, monkeypatch, lang):
    """The demo is offered in two sizes, nothing is an error."""
    app = open_app("app.py", None, monkeypatch, workspace=empty, lang=lang)
    check_clean(app)
    assert {"en": "Start the demo below", "zh": "请启动下方的演示"}[lang] in texts(app)
    assert labels(app).count({"en": "Start", "zh": "启动"}[lang]) == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_is_a_card_with_its_scores(dashboard_run, monkeypatch, lang):
    """Title, mark of simulated data, scores in plain words, picture and links."""
    app = open_app("app.py", dashboard_run, monkeypatch, lang=lang)
    check_clean(app)
    html = pieces(app)
    scores = dashboard_run.metrics()["schemes"]["knndm"]["fused"]
    assert "A small study" in html
    assert f"{scores['r2']:.2f}" in html
    assert {"en": "simulated", "zh": "模拟数据"}[lang] in html
    assert f"/alm/run/small/{dashboard_run.id}/thumbnail.png" in html
    assert {"en": "Map", "zh": "地图"}[lang] in [link.label for link in app.page_link]
    assert {"en": "Run again", "zh": "再次运行"}[lang] in labels(app)


def test_classes_have_their_own_scores(class_run, monkeypatch):
    """Accuracy and kappa in place of R² and RMSE."""
    app = open_app("app.py", class_run, monkeypatch)
    check_clean(app)
    html = pieces(app)
    assert "Right class" in html
    assert "R²" not in html


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_failed_job_is_told_with_its_reason(empty, monkeypatch, lang):
    """The text of the fault, a button to go on, one to hide it, which deletes it."""
    job = add_job(empty, 1, "failed", error="No CRS came. Give [one](http://a).")
    app = open_app("app.py", None, monkeypatch, workspace=empty, lang=lang)
    assert not app.exception
    assert [item.value for item in app.error] == [r"No CRS came. Give \[one\](http\://a)."]
    app.button(f"forget-{job.id}").click().run()
    assert not app.error
    assert list_jobs(empty) == []


def test_a_died_job_says_that_finished_stages_stay(empty, monkeypatch):
    """A job whose process is gone."""
    job = add_job(empty, 1, "running")
    write_json(job.folder / "pid.json", {"pid": 2**22 + 1, "started": "1"})
    app = open_app("app.py", None, monkeypatch, workspace=empty)
    check_clean(app)
    assert "finished stages are kept" in texts(app)


def test_the_job_of_the_address_is_found_after_a_reload(empty, monkeypatch):
    """A finished one shows its end, an unknown one says so, and neither stops the page."""
    job = add_job(empty, 1, "done", result={"run": "a/b"})
    app = open_app("app.py", None, monkeypatch, workspace=empty, job=job.id)
    check_clean(app)
    assert "Done in about 90 s." in texts(app)
    app = open_app("app.py", None, monkeypatch, workspace=empty, job="../../etc/passwd")
    check_clean(app)
    assert "not there any more" in texts(app)


def test_a_study_is_run_and_shown_while_it_works(empty, monkeypatch):
    """The button starts the job, the address keeps it, the panel has a bar and a way to cancel; a reload finds it."""
    write_small_study(empty.parent / "studies" / "small")
    app = open_app("app.py", None, monkeypatch, workspace=empty)
    next(button for button in app.button if button.key.startswith("run-")).click().run()
    check_clean(app)
    (job,) = list_jobs(empty)
    assert app.query_params["job"] in (job.id, [job.id])
    assert job.spec["study"] == str(empty.parent / "studies" / "small" / "study.toml")
    again = open_app("app.py", None, monkeypatch, workspace=empty)
    assert f"cancel-{job.id}" in [button.key for button in again.button]
    assert next(button for button in again.button if button.key.startswith("run-")).disabled
    again.button(f"cancel-{job.id}").click().run()
    assert job.cancel_asked


def test_an_unfinished_run_can_go_on(dashboard_run, tmp_path, monkeypatch):
    """It says where it stopped; the button submits its study."""
    workspace = tmp_path / "workspace"
    shutil.copytree(dashboard_run.folder.parent, workspace / "small")
    record = workspace / "small" / dashboard_run.id / "run.json"
    values = read_json(record)
    values["stages"]["map"]["state"] = "running"
    write_json(record, values)
    app = open_app("app.py", None, monkeypatch, workspace=workspace)
    check_clean(app)
    count = len(values["order"])
    assert f"Stopped after {count - 1} of {count} stages; next: map" in texts(app)
    submitted = []

    def submit(folder, kind, **spec):
        submitted.append((kind, spec))
        return add_job(workspace, 1, "done")

    monkeypatch.setattr("pages.parts.start_studies.submit", submit)
    app.button(f"go-on-small/{dashboard_run.id}").click().run()
    check_clean(app)
    assert submitted == [("run", {"study": values["study_file"], "title": "A small study"})]


def test_a_damaged_run_does_not_stop_the_page(dashboard_run, tmp_path, monkeypatch):
    """A run whose scores are gone is named, the page goes on."""
    workspace = tmp_path / "workspace"
    shutil.copytree(dashboard_run.folder.parent, workspace / "small")
    (workspace / "small" / dashboard_run.id / "metrics.json").write_text("{")
    app = open_app("app.py", None, monkeypatch, workspace=workspace)
    assert not app.exception
    assert "is damaged" in app.error[0].value


def upload(app, rasters=None):
    """Name, table and rasters into the form, and check them."""
    noise = np.random.default_rng(2).random(files.GRID.shape).astype(np.float32)
    rasters = rasters or [("DEM.tif", files.geotiff()), ("ndvi.tif", files.geotiff(noise))]
    app.text_input("new-study-name").input("My area").run()
    app.file_uploader("new-study-table").upload("sites.csv", files.csv_table(), "text/csv").run()
    uploader = app.file_uploader("new-study-rasters")
    for name, data in rasters:
        uploader.upload(name, data, "image/tiff")
    uploader.run()
    app.button("new-study-check").click().run()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_new_study_is_made_from_uploads(empty, monkeypatch, lang):
    """Checked, corrected, created, and offered to be run."""
    app = open_app("app.py", None, monkeypatch, workspace=empty, lang=lang)
    assert app.button("new-study-check").disabled
    upload(app)
    check_clean(app)
    assert app.selectbox("new-study-target").value == "vwc"
    app.selectbox("new-study-target").select("note_depth").run()
    check_clean(app)
    app.selectbox("new-study-target").select("vwc").run()
    app.button("new-study-create").click().run()
    check_clean(app)
    study = (empty.parent / "studies" / "My_area" / "study.toml").read_text(encoding="utf-8")
    assert 'value = "vwc"' in study
    assert 'title = "My area"' in study
    assert app.button("new-study-run").label == {"en": "Run it now", "zh": "现在运行"}[lang]
    assert "My area" in texts(app)


def test_refused_uploads_are_named_and_nothing_stays(empty, monkeypatch):
    """A VRT in disguise beside a good raster."""
    app = open_app("app.py", None, monkeypatch, workspace=empty)
    upload(app, rasters=[("dem.tif", files.geotiff()), ("evil.tif", files.VRT)])
    assert not app.exception
    (fault,) = app.error
    assert fault.value.startswith("evil.tif is not a GeoTIFF but a VRT")
    assert not [path for path in (empty.parent / "studies").rglob("*") if path.is_file()]


def test_a_study_of_that_name_is_not_replaced(empty, monkeypatch):
    """Told before anything is uploaded into its place."""
    (empty.parent / "studies" / "My_area").mkdir()
    app = open_app("app.py", None, monkeypatch, workspace=empty)
    upload(app)
    assert "There is a study My\\_area already" in app.error[0].value


def test_the_demo_that_works_is_not_started_twice(empty, monkeypatch):
    """Its button is off while a job makes it."""
    job = add_job(empty, 1, "queued")
    write_json(job.folder / "job.json", {**read_json(job.folder / "job.json"), "submitted": time.time()})
    app = open_app("app.py", None, monkeypatch, workspace=empty)
    check_clean(app)
    assert app.button("demo-small").disabled
    assert not app.button("demo-medium").disabled
    assert find_job(empty, job.id).state().state == "queued"
