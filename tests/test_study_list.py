"""The studies that a page offers."""

from __future__ import annotations

import json

import pytest

from alm_core.errors import MissingFileError
from alm_core.study_list import find_study, list_studies
from alm_core.workspace import write_json
from tests.small_study import write_small_study


def test_studies_are_found_in_their_folder_and_by_their_runs(tmp_path):
    """Once each, with their runs; the id is that of the path."""
    inside = write_small_study(tmp_path / "studies" / "one")
    outside = write_small_study(tmp_path / "elsewhere", study='name = "zwei"')
    for name, file in (("r1", outside), ("r2", outside), ("r3", inside)):
        write_json(tmp_path / "workspace" / "small" / name / "run.json", {"study_file": str(file)})
    found = list_studies(tmp_path / "studies", tmp_path / "workspace")
    assert [(study.name, study.path) for study in found] == [("small", inside), ("zwei", outside)]
    assert found[1].runs == ("small/r1", "small/r2")
    assert (found[0].title, found[0].covariates, found[0].sites) == ("A small study", 4, "sites.csv")
    assert find_study(tmp_path / "studies", tmp_path / "workspace", found[1].id) == found[1]
    assert json.dumps(found[0].to_dict())


def test_a_study_that_can_not_be_read_is_listed_with_its_fault(tmp_path):
    """It is not hidden, and hides no other."""
    write_small_study(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "study.toml").write_text("[study")
    bad, good = list_studies(tmp_path, tmp_path / "workspace")
    assert (bad.name, good.name) == ("bad", "small")
    assert "not valid TOML" in bad.fault
    assert good.fault == ""


def test_drafts_and_studies_that_are_gone_are_not_listed(tmp_path):
    """Neither hidden folders nor runs whose study was deleted, nor runs that are damaged."""
    write_small_study(tmp_path / "studies" / ".uploads")
    write_json(tmp_path / "workspace" / "a" / "r1" / "run.json", {"study_file": str(tmp_path / "gone.toml")})
    (tmp_path / "workspace" / "a" / "r2").mkdir()
    (tmp_path / "workspace" / "a" / "r2" / "run.json").write_text("{")
    assert list_studies(tmp_path / "studies", tmp_path / "workspace") == []


@pytest.mark.parametrize("id", ["", "..", "../../etc/passwd", "0" * 12])
def test_an_unknown_id_is_refused(tmp_path, id):
    """An id is looked up, never joined to a path."""
    with pytest.raises(MissingFileError, match="There is no study"):
        find_study(tmp_path, tmp_path, id)
