"""As much of a faulty study.toml as can be read is read, whatever is wrong in it."""

from __future__ import annotations

import copy
import tomllib

import pytest

from alm_core.checking.salvage import salvage_study
from alm_core.toml_text import toml_value
from tests.checking.conftest import STUDY

GOOD = tomllib.loads(STUDY)
JUNK = ("junk", -1, [], {}, [1, "a"], {"a": 1}, True, 1e300)


def leaves(values, path=()):
    """Every place in nested tables and lists."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from leaves(value, (*path, key))


def write(tmp_path, values):
    """Write a study of inline tables."""
    path = tmp_path / "study.toml"
    path.write_text("\n".join(f"{name} = {toml_value(value)}" for name, value in values.items()), encoding="utf-8")
    return path


def test_sound_study_loses_nothing(tmp_path):
    """No faults, no stand-ins."""
    found = salvage_study(write(tmp_path, GOOD))
    assert (found.faults, found.lost) == ((), frozenset())
    assert found.study.name == "small"


@pytest.mark.parametrize("place", list(leaves(GOOD)), ids=lambda place: ".".join(map(str, place)))
def test_junk_at_any_place_leaves_a_study_and_a_fault(tmp_path, place):
    """Each value replaced by junk of each kind, and taken away."""
    for junk in (*JUNK, None):
        values = copy.deepcopy(GOOD)
        parent = values
        for key in place[:-1]:
            parent = parent[key]
        if junk is None:
            del parent[place[-1]]
        else:
            parent[place[-1]] = junk
        found = salvage_study(write(tmp_path, values))
        assert found.study is not None, junk
        assert found.faults or found.lost == frozenset()


def test_a_wrong_key_costs_only_itself(tmp_path):
    """The rest of the section stays."""
    values = copy.deepcopy(GOOD)
    values["validation"] = {"folds": 7, "fold": 3}
    found = salvage_study(write(tmp_path, values))
    assert found.study.options.validation.folds == 7
    assert [fault.where for fault in found.faults] == ["validation.fold"]
    assert "`folds`" in found.faults[0].message


def test_a_covariate_without_path_costs_only_itself(tmp_path):
    """The other covariates stay."""
    values = copy.deepcopy(GOOD)
    del values["covariates"][0]["path"]
    found = salvage_study(write(tmp_path, values))
    assert [layer.name for layer in found.study.options.covariates] == ["ndvi"]


def test_doubled_names_keep_the_first(tmp_path):
    """Two covariates of one name: named, and the first is checked."""
    values = copy.deepcopy(GOOD)
    values["covariates"][1]["name"] = "elevation"
    found = salvage_study(write(tmp_path, values))
    assert "share the name" in found.faults[0].message
    assert [layer.path for layer in found.study.options.covariates] == ["elevation.tif"]
