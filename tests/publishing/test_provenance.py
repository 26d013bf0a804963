"""Where a run comes from."""

from __future__ import annotations

import shutil
import tomllib

from alm_core.publishing.provenance import created, provenance, study_toml
from alm_core.study import parse_options
from alm_core.workspace import Run, read_json, write_json


def test_it_tells_what_the_record_tells(dashboard_run):
    """Inputs, versions, seed, stages in their order with their times."""
    facts, record = provenance(dashboard_run), dashboard_run.record
    assert facts.inputs == record["inputs"]
    assert facts.versions == record["versions"]
    assert (facts.run, facts.seed, facts.simulated) == (dashboard_run.id, 7, True)
    assert [name for name, _, _ in facts.stages] == record["order"]
    assert facts.seconds == sum(entry["seconds"] for entry in record["stages"].values())
    assert facts.created == read_json(dashboard_run.file("stac.json"))["properties"]["created"]


def test_an_unfinished_run_has_waiting_stages(dashboard_run, tmp_path):
    """And a time from its record."""
    record = dashboard_run.record
    del record["stages"]["map"], record["stages"]["report"]
    write_json(tmp_path / "run.json", record)
    run = Run.open(tmp_path)
    assert provenance(run).stages[-2:] == (("map", "waiting", None), ("report", "waiting", None))
    assert len(created(run)) == 20


def test_the_study_text_gives_the_same_options(dashboard_run, class_run, tmp_path):
    """Of numbers and of classes, with rules switched off and names that need quotes."""
    for run in (dashboard_run, class_run):
        assert parse_options(tomllib.loads(study_toml(run))) == parse_options(run.record["options"])
    record = dashboard_run.record
    record["options"]["screening"] |= {"outlier_z": None, "duplicate_distance_cells": None, "exclude": {"p 1": 'it is "wet"'}}
    record["options"]["grid"] |= {"crs": "EPSG:4326"}
    shutil.copy(dashboard_run.folder / "stac.json", tmp_path)
    write_json(tmp_path / "run.json", record)
    found = parse_options(tomllib.loads(study_toml(Run.open(tmp_path))))
    assert found == parse_options(record["options"])
    assert found.screening.outlier_z is None
    assert found.screening.exclude == {"p 1": 'it is "wet"'}
