"""Explanations as rasters: they add up to the map, cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from alm_core.errors import LearnerError
from alm_core.inspection.query import ask
from alm_core.publishing.shap_layers import middles, shap_layers_job, write_shap_layers
from alm_core.serving.catalogue import layers
from alm_core.workspace import read_json, write_json
from tests.run_copies import copy_run, grid_of


@pytest.fixture
def run(dashboard_run, tmp_path):
    """A run to write to."""
    return copy_run(dashboard_run, tmp_path)


def read(path):
    """Bands ``[band, row, column]`` and the dataset's words."""
    with rasterio.open(path, driver="GTiff") as dataset:
        return dataset.read(), dataset.descriptions, dataset.units, dataset.tags()


@pytest.mark.parametrize("cells", [100_000, 200])
def test_base_and_bands_are_the_fused_value(run, cells):
    """On every cell where all are explained, on the middle cells of a coarse grid otherwise."""
    path = write_shap_layers(run, cells=cells, top=1)
    bands, names, units, tags = read(path)
    with rasterio.open(run.file("map/fused.tif")) as dataset:
        fused = dataset.read(1)
    factor = int(tags["factor"])
    middle = fused[np.ix_(middles(fused.shape[0], factor), middles(fused.shape[1], factor))]
    np.testing.assert_allclose(float(tags["base"]) + bands.sum(axis=0), middle, atol=2e-6)
    np.testing.assert_array_equal(np.isnan(bands[0]), np.isnan(middle))
    assert int(tags["explained_cells"]) == np.isfinite(middle).sum() <= cells
    assert (factor > 1) == (cells == 200)
    assert (len(names), names[-1], set(units)) == (2, "other", {"m3 m-3"})
    assert tags["simulated"].startswith("yes")
    assert cog_validate(path, strict=True)[0]


def test_bands_are_what_a_click_says(run):
    """The largest covariates come first, with the contributions that `ask` gives."""
    bands, names, _, _ = read(write_shap_layers(run, top=2))
    size = np.nanmean(np.abs(bands), axis=(1, 2))
    assert size[0] >= size[1]
    grid = grid_of(run)
    row, column = np.argwhere(np.isfinite(bands[0]))[77]
    explanation = ask(run, grid.x[column], grid.y[row]).explanation
    for name, value in zip(names[:-1], bands[:-1, row, column], strict=True):
        assert value == pytest.approx(explanation.contributions[name], abs=1e-6)


def test_chunks_do_not_matter(run, monkeypatch):
    """Small chunks write the same bytes."""
    whole = write_shap_layers(run).read_bytes()
    monkeypatch.setattr("alm_core.publishing.shap_layers.CHUNK", 97)
    assert write_shap_layers(run).read_bytes() == whole


def test_job_tells_its_progress_and_adds_layers(run, tmp_path):
    """The catalogue shows the new layers; progress never falls and ends."""
    steps = []
    spec = {"study": "small", "run": run.id, "cells": 300, "top": 2}
    result = shap_layers_job(spec, workspace=tmp_path, folder=tmp_path / "files", report=lambda *step: steps.append(step[:2]))
    assert result["cells"] <= 300
    assert result["layers"] == [layer.id for layer in layers(run) if layer.group == "shap"]
    done = [step[0] for step in steps]
    assert done == sorted(done)
    assert steps[-1] == (100, 100)


def test_what_is_no_tree_or_no_number_is_refused(run, class_run):
    """Classes, and members without a tree."""
    with pytest.raises(LearnerError, match="classes"):
        write_shap_layers(class_run)
    facts = read_json(run.file("models.json"))
    write_json(run.folder / "models.json", {**facts, "saved": facts["saved"][:1]})
    with pytest.raises(LearnerError, match="boosted"):
        write_shap_layers(run)


def test_middle_cells():
    """Within the grid, also where the last coarse cell is cut."""
    for count in (1, 5, 40, 41):
        for factor in (1, 2, 3, 7):
            found = middles(count, factor)
            assert (found < count).all()
            assert (found // factor == np.arange(len(found))).all()
