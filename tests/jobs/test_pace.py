"""Time left over several stages."""

from __future__ import annotations

import pytest

from alm_core.jobs.pace import TYPICAL_SECONDS, Pace, expected_seconds
from alm_core.workspace import write_json


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def make(expected, *, known=False):
    """A pace and its clock."""
    clock = Clock()
    return Pace(expected, known, clock=clock), clock


def test_nothing_is_said_before_the_pace_is_known():
    """Typical times alone say nothing of this machine; those of an earlier run do."""
    assert make({"a": 10.0, "b": 30.0})[0].seconds_left() is None
    assert make({"a": 10.0, "b": 30.0}, known=True)[0].seconds_left() == pytest.approx(40)


def test_later_stages_go_at_the_pace_of_the_first():
    """Twice as slow as expected in the first: twice as slow in the rest."""
    pace, clock = make({"a": 10.0, "b": 30.0, "c": 5.0})
    clock.now = 20.0
    pace.end(skipped=False)
    assert pace.seconds_left() == pytest.approx(70)
    assert pace.fraction() == pytest.approx(10 / 45)


def test_the_stage_under_way_counts_by_its_own_steps():
    """Half of it in 30 s: 30 s more, whatever was expected."""
    pace, clock = make({"a": 10.0, "b": 30.0, "c": 20.0})
    clock.now = 10.0
    pace.end(skipped=False)
    clock.now = 40.0
    pace.advance(0.5)
    # 40 s were spent on what was expected to take 25.
    assert pace.seconds_left() == pytest.approx(30 + 20 * 40 / 25)


def test_stages_taken_from_an_earlier_run_say_nothing_of_the_pace():
    """They took no time; the rest is not believed to take none."""
    pace, clock = make({"a": 10.0, "b": 30.0}, known=True)
    clock.now = 0.01
    pace.end(skipped=True)
    assert pace.seconds_left() == pytest.approx(30, abs=0.1)
    assert pace.fraction() == 0.25


def test_at_the_end_nothing_is_left():
    """The part is one, the time nought, the stage the last one."""
    pace, _ = make({"a": 10.0})
    pace.end(skipped=False)
    assert (pace.fraction(), pace.seconds_left(), pace.stage) == (1.0, 0.0, "a")


def test_expected_seconds_are_those_of_earlier_runs(tmp_path):
    """Measured stages first, typical ones for the rest; linked stages and other studies are not measured."""
    stages = {
        "sites": {"state": "done", "seconds": 7.0, "linked_from": None},
        "map": {"state": "done", "seconds": 0.01, "linked_from": "abc"},
        "models": {"state": "running"},
    }
    write_json(tmp_path / "mine" / "r1" / "run.json", {"stages": stages})
    write_json(tmp_path / "other" / "r2" / "run.json", {"stages": {"map": {"state": "done", "seconds": 99.0}}})
    expected, known = expected_seconds(tmp_path, "mine", ["sites", "map", "models"])
    assert expected == {"sites": 7.0, "map": TYPICAL_SECONDS["map"], "models": TYPICAL_SECONDS["models"]}
    assert not known
    assert expected_seconds(tmp_path, "mine", ["sites"]) == ({"sites": 7.0}, True)
