"""Everything of a run in one zip."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
import zipfile

import pytest

from alm_core.errors import MissingFileError
from alm_core.publishing.bundle import FILES, MANIFEST, TABLES, bundle_job, bundle_name, bundle_version, write_bundle
from alm_core.study import parse_options
from alm_core.workspace import Run, write_json


@pytest.fixture(scope="module")
def bundle(dashboard_run, tmp_path_factory):
    """A zip of the small run."""
    return write_bundle(dashboard_run, tmp_path_factory.mktemp("bundle") / "run.zip")


@pytest.fixture
def copied(dashboard_run, tmp_path):
    """A run that may be changed."""
    folder = tmp_path / "workspace" / dashboard_run.folder.parent.name / dashboard_run.id
    shutil.copytree(dashboard_run.folder, folder, ignore=shutil.ignore_patterns("blocks", "covariates"))
    return Run.open(folder)


def test_every_file_of_the_run_is_in_it_unchanged(dashboard_run, bundle):
    """Byte for byte, under the name that it has in the run; tables as CSV."""
    with zipfile.ZipFile(bundle.path) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        there = [name for name in FILES if (dashboard_run.folder / name).is_file()]
        assert {"map/fused.tif", "map/uncertainty.tif", "card.html", "stac.json", "metrics.json"} <= set(there) <= names
        for name in there:
            assert archive.read(name) == (dashboard_run.folder / name).read_bytes()
        assert {name for name, (source, _) in TABLES.items() if (dashboard_run.folder / source).is_file()} <= names
        assert {"README.txt", "study.toml", "run.json", "CITATION.txt", "citation.bib", "citation.ris", MANIFEST} <= names


def test_the_manifest_tells_the_hash_of_every_other_file(bundle):
    """As sha256sum writes it."""
    with zipfile.ZipFile(bundle.path) as archive:
        lines = archive.read(MANIFEST).decode().splitlines()
        listed = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in lines}
        assert set(listed) == set(archive.namelist()) - {MANIFEST}
        for name, digest in listed.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
    assert listed == bundle.files
    assert hashlib.sha256(bundle.path.read_bytes()).hexdigest() == bundle.sha256


def test_the_same_run_gives_the_same_bytes(dashboard_run, bundle, tmp_path):
    """No time and no order of the disk in it."""
    assert write_bundle(dashboard_run, tmp_path / "other.zip").sha256 == bundle.sha256


def test_files_come_in_the_order_of_their_names_and_can_be_large(bundle):
    """Rasters are stored as they are, texts are packed, all at one time."""
    with zipfile.ZipFile(bundle.path) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries[:-1]] == sorted(entry.filename for entry in entries[:-1])
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    kinds = {entry.filename: entry.compress_type for entry in entries}
    assert kinds["map/fused.tif"] == zipfile.ZIP_STORED
    assert kinds["metrics.json"] == zipfile.ZIP_DEFLATED


def test_the_readme_says_what_each_file_is(bundle):
    """And that the data are simulated."""
    with zipfile.ZipFile(bundle.path) as archive:
        text = archive.read("README.txt").decode()
        for name in archive.namelist():
            assert f"{name} " in text
    assert "SIMULATED DATA" in text


def test_the_study_in_it_runs_as_the_run_did(dashboard_run, bundle):
    """study.toml gives the same options; run.json tells no place of this machine."""
    with zipfile.ZipFile(bundle.path) as archive:
        options = parse_options(tomllib.loads(archive.read("study.toml").decode()))
        record = json.loads(archive.read("run.json"))
    assert options == parse_options(dashboard_run.record["options"])
    assert record["study_file"] == "study.toml"
    assert record["inputs"] == dashboard_run.record["inputs"]


def test_saved_scenarios_go_with_it_and_make_it_new(copied, tmp_path):
    """A scenario changes the version and is in the zip."""
    before = bundle_version(copied)
    assert bundle_version(copied) == before
    write_json(copied.folder / "scenarios" / "wet.json", {"name": "wet"})
    assert bundle_version(copied) != before
    assert "scenarios/wet.json" in write_bundle(copied, tmp_path / "run.zip").files


def test_the_job_finds_its_run_and_tells_how_far_it_is(copied, tmp_path):
    """Progress never falls and ends at the end; the result names the file."""
    seen = []
    workspace = copied.folder.parents[1]
    spec = {"run": f"{copied.folder.parent.name}/{copied.id}", "version": "x"}
    result = bundle_job(spec, workspace=workspace, folder=tmp_path, report=lambda *step: seen.append(step))
    assert result["file"] == bundle_name(copied)
    assert (tmp_path / result["file"]).stat().st_size == result["size_bytes"]
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1]


def test_an_unknown_run_and_one_without_a_map_are_refused(copied, tmp_path):
    """In words, without a file left behind."""
    with pytest.raises(MissingFileError, match="no run"):
        bundle_job({"run": "../../etc"}, workspace=copied.folder.parents[1], folder=tmp_path, report=None)
    (copied.folder / "map" / "fused.tif").unlink()
    with pytest.raises(MissingFileError, match="no map yet"):
        write_bundle(copied, tmp_path / "run.zip")
    assert not list(tmp_path.glob("*.zip"))


def test_a_stopped_bundle_leaves_nothing(dashboard_run, tmp_path):
    """Cancelled half way, no zip and no half of one."""

    def stop(done, total, message):
        if message.startswith("map/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(dashboard_run, tmp_path / "run.zip", progress=stop)
    assert not list(tmp_path.iterdir())
