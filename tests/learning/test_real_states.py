"""Freeze/thaw state at real sites of the plateau, each predicted from the others."""

from __future__ import annotations

import pytest

from benchmarks.freeze_thaw_sites import SETS, Sites


@pytest.fixture(scope="module")
def sites(shared_data, tmp_path_factory):
    """11 sites, their cells and layers."""
    return Sites(shared_data, tmp_path_factory.mktemp("sites"))


def test_every_usable_site_is_there(sites):
    """All but QT04, whose uppermost sensor lies at 50 cm; nine at 10 cm; no row lost."""
    depth = sites.table.groupby("site")["depth_cm"].first()
    assert len(depth) == 11
    assert (depth == 10).sum() == 9
    assert sites.states.counts["kept"] == len(sites.table) == 32_843


def test_the_impossible_record_is_named(sites):
    """ZNHAL is warmest in December: no season can predict it, and the table says so."""
    assert sites.states.out_of_season == ("ZNHAL",)


def test_accuracy_without_the_site(sites):
    """The bar of the study holds for sites that were left out, the impossible record among them; all others are fair each."""
    scores = sites.scores(sites.leave_site_out(*SETS["circle and all layers"], n_estimators=10))
    assert scores["all"]["overall_accuracy"] >= 0.87
    assert scores["all"]["kappa"] >= 0.74
    assert len(scores["sites"]) == 11
    others = [one["overall_accuracy"] for name, one in scores["sites"].items() if name != "ZNHAL"]
    assert min(others) > 0.8
    assert scores["in season"]["overall_accuracy"] > 0.91
