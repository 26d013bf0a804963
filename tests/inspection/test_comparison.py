"""The comparison of learners as it was written, in the form that pages show."""

from __future__ import annotations

from pathlib import Path

import pytest

from alm_core.inspection.comparison import combinations, model_comparison, scheme_comparison
from alm_core.workspace import Run, write_json
from tests.sliced_run import comparison


def written(folder: Path, content: dict) -> Run:
    """A run that has only a comparison."""
    write_json(folder / "comparison.json", content)
    return Run(folder)


def test_a_run_without_a_comparison_has_none(tmp_path: Path) -> None:
    """Nothing is made up."""
    assert model_comparison(Run(tmp_path)) is None


def test_a_winner_and_a_tie_are_told_apart(tmp_path: Path) -> None:
    """The leader has the smallest error in both cases; only a winner is called best."""
    found = model_comparison(written(tmp_path, comparison()))
    for compared in found.schemes.values():
        assert compared.leader == compared.scores["name"][compared.scores["rmse"].idxmin()]
        assert (compared.best is None) == bool(compared.tied)
    assert found.schemes["random"].tied == ("forest", "boosted")
    assert list(found.importance["value"]) == sorted(found.importance["value"], reverse=True)


def test_the_nearest_learner_is_the_one_closest_to_chance() -> None:
    """The largest p value, which is not always the second smallest error; without p values the smallest difference."""
    values = comparison()["schemes"]["random"]
    values["differences"][0]["p_value"] = 0.9
    assert scheme_comparison("random", values).nearest["learner"] == values["differences"][0]["learner"]
    for entry in values["differences"]:
        entry["p_value"] = None
    assert scheme_comparison("random", values).nearest["learner"] == "boosted"
    assert scheme_comparison("random", values | {"differences": []}).nearest is None


def test_the_curve_goes_through_the_first_set_of_each_size() -> None:
    """Sets that are tried around the best one are no part of it; an error that was not written is None."""
    sets = [{"features": ["a"], "rmse": 2.0, "rmse_se": 0.1}, {"features": ["a", "b"], "rmse": 1.0, "rmse_se": None}]
    sets.append({"features": ["b", "c"], "rmse": 0.9, "rmse_se": 0.1})
    found = combinations(sets, ("b", "a"))
    assert [one.leading for one in found] == [True, True, False]
    assert [one.chosen for one in found] == [False, True, False]
    assert found[1].rmse_se is None


@pytest.mark.parametrize("missing", ["importance", "combinations", "chosen"])
def test_parts_that_were_not_computed_are_empty(tmp_path: Path, missing: str) -> None:
    """[comparison] combinations may be off."""
    content = comparison()
    del content[missing]
    found = model_comparison(written(tmp_path, content))
    assert len(getattr(found, missing)) == 0
