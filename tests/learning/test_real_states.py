"""Freeze/thaw state at real sites of the plateau, each predicted from the others."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.freeze_thaw_sites import CIRCLE, SETS, Sites

SEASON = "season of the place"


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


def test_accuracy_without_the_site(sites):
    """The bar of the study holds for sites that were left out, and the climate of the place adds to the calendar."""
    scores = sites.scores(sites.leave_site_out(*SETS[SEASON], n_estimators=15))
    assert scores["all"]["overall_accuracy"] >= 0.87
    assert scores["all"]["kappa"] >= 0.74
    assert len(scores["sites"]) == 11
    calendar = sites.scores(sites.leave_site_out(CIRCLE, [], n_estimators=15))
    mean = {name: np.mean([one["overall_accuracy"] for one in values["sites"].values()]) for name, values in
            (("place", scores), ("calendar", calendar))}  # fmt: skip
    assert mean["place"] > mean["calendar"]
