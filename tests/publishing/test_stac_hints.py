"""Whether a catalogue would take the item of a run."""

from __future__ import annotations

import pytest

from alm_core.publishing.stac_hints import stac_hints
from alm_core.workspace import read_json


@pytest.fixture
def item(dashboard_run):
    """The item of the small run."""
    return read_json(dashboard_run.file("stac.json"))


def levels(item, run):
    """Level of every hint by its code."""
    return {hint.code: hint.level for hint in stac_hints(item, run.folder)}


def test_the_item_of_a_run_has_no_fault(item, dashboard_run):
    """It lacks links, which a catalogue adds, and is marked as simulated."""
    found = levels(item, dashboard_run)
    assert found.pop("links") == found.pop("simulated") == "hint"
    assert set(found.values()) == {"good"}
    assert set(found) == {"members", "time", "place", "files", "licence"}


@pytest.mark.parametrize("name", ["id", "geometry", "assets"])
def test_a_missing_member_is_named(item, dashboard_run, name):
    """A catalogue refuses it."""
    del item[name]
    assert [hint.detail for hint in stac_hints(item, dashboard_run.folder) if hint.level == "fault"] == [name]


def test_a_changed_or_lost_file_is_named(item, dashboard_run):
    """By its size; one that leads out of the folder counts as lost."""
    item["assets"]["fused"]["file:size"] += 1
    item["assets"]["card"]["href"] = "../../run.json"
    hints = {hint.code: hint for hint in stac_hints(item, dashboard_run.folder)}
    assert (hints["files"].level, hints["files"].detail) == ("fault", "fused, card")


def test_time_place_and_licence_are_missed(item, dashboard_run):
    """Without time it is refused; the others are worth adding."""
    item["properties"] |= {"start_datetime": None, "end_datetime": None, "datetime": None, "license": "other"}
    item["geometry"] = None
    found = levels(item, dashboard_run)
    assert (found["time"], found["place"], found["licence"]) == ("fault", "hint", "hint")
