"""Workspace: atomic writes, hashes, stages that are linked instead of run."""

from __future__ import annotations

import errno
import os

import pytest

from alm_core.errors import MissingFileError, WorkspaceError
from alm_core.workspace import FileHashes, Ledger, Run, atomic_path, hash_values, hold, link_stage, read_json, write_json


def test_atomic_write_leaves_the_old_file_on_failure(tmp_path):
    """A fault while writing keeps what was there, and no temporary file stays."""
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def broken():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        broken()
    assert read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_results_can_be_read_by_those_who_may_read_other_new_files(tmp_path):
    """A written file has the permissions of any new file, not those of a private temporary one."""
    (tmp_path / "plain.txt").write_text("x")
    write_json(tmp_path / "a.json", {"a": 1})
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_full_disk_is_one_clear_message(tmp_path, monkeypatch):
    """ENOSPC becomes WorkspaceError and the old file stays."""
    path = tmp_path / "a.json"
    write_json(path, 1)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WorkspaceError, match="disk is full"):
        write_json(path, 2)
    assert read_json(path) == 1


def test_folder_that_is_a_file_is_refused(tmp_path):
    """A workspace path that is a file is named."""
    (tmp_path / "w").write_text("")
    with pytest.raises(WorkspaceError, match="in the way"):
        write_json(tmp_path / "w" / "a.json", 1)


def test_hash_does_not_depend_on_key_order():
    """The same values give the same hash."""
    assert hash_values({"a": 1, "b": [1, 2]}) == hash_values({"b": [1, 2], "a": 1})
    assert hash_values({"a": 1}) != hash_values({"a": 2})


def test_file_hash_is_remembered_and_renewed(tmp_path):
    """A changed file gets a new hash; an unchanged one is not read again."""
    file = tmp_path / "x"
    file.write_text("one")
    hashes = FileHashes(tmp_path / "hashes.json")
    first = hashes(file)
    hashes.save()
    assert FileHashes(tmp_path / "hashes.json").known[str(file)][2] == first
    file.write_text("other")
    assert FileHashes(tmp_path / "hashes.json")(file) != first


def test_one_writer_at_a_time(tmp_path):
    """A second program is refused while the first holds the run."""
    with hold(tmp_path / "run"), pytest.raises(WorkspaceError, match="another program"), hold(tmp_path / "run"):
        pass


def test_finished_stage_is_linked_from_another_run(tmp_path):
    """Same key: files are linked; other key: nothing."""
    first = tmp_path / "study" / "one"
    first.mkdir(parents=True)
    (first / "a.txt").write_text("content")
    ledger = Ledger.begin(first, {"order": ["s"]})
    ledger.finish("s", "key", [first / "a.txt"], seconds=1.0)
    second = tmp_path / "study" / "two"
    second.mkdir()
    assert link_stage(tmp_path / "study", second, "s", "other") is None
    source, files = link_stage(tmp_path / "study", second, "s", "key")
    assert source == "one"
    assert files[0].read_text() == "content"


def test_stage_with_a_lost_file_is_not_done(tmp_path):
    """Deleting an output makes the stage run again."""
    (tmp_path / "a.txt").write_text("content")
    ledger = Ledger.begin(tmp_path, {"order": ["s"]})
    ledger.finish("s", "key", [tmp_path / "a.txt"], seconds=1.0)
    assert ledger.is_done("s", "key")
    assert not ledger.is_done("s", "other")
    (tmp_path / "a.txt").unlink()
    assert not ledger.is_done("s", "key")


def test_opening_what_is_no_run(tmp_path):
    """The message says how to find runs."""
    with pytest.raises(MissingFileError, match="list"):
        Run.open(tmp_path)
