"""Extent and published maps as a run wrote them down."""

from __future__ import annotations

from pathlib import Path

from alm_core.inspection.published_maps import map_extent, published_maps
from alm_core.workspace import Run, write_json


def test_a_run_that_measured_nothing_has_nothing(tmp_path: Path) -> None:
    """No file, no claim."""
    assert map_extent(Run(tmp_path)) is None
    assert published_maps(Run(tmp_path)) == ()


def test_an_extent_without_intervals_keeps_its_areas(tmp_path: Path) -> None:
    """A study may have no intervals and no slices."""
    entry = {"slice": "", "area_km2": 5.0, "lower_km2": None, "upper_km2": None, "threshold": 0.0, "side": "below"}
    write_json(tmp_path / "extent.json", {"name": "permafrost", "slices": [entry]})
    found = map_extent(Run(tmp_path))
    assert (found.name, found.threshold, found.side) == ("permafrost", 0.0, "below")
    assert (found.slices[0].area_km2, found.slices[0].lower_km2, found.slices[0].slice) == (5.0, None, "")


def test_a_map_of_values_has_no_scores_of_classes(tmp_path: Path) -> None:
    """Kappa and its kin are None; the raster of the difference is found below the run."""
    entry = {"name": "old", "cells": 7, "kappa": None, "quantity": None, "allocation": None, "accuracy": None, "rmse": 2.0}
    write_json(tmp_path / "reference_maps.json", {"maps": [entry | {"difference": "map/difference_old.tif"}]})
    (found,) = published_maps(Run(tmp_path))
    assert (found.kappa, found.cells, found.values["rmse"]) == (None, 7, 2.0)
    assert found.difference == tmp_path / "map" / "difference_old.tif"
