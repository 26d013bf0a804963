"""A study with a log target, censored values, an extent and a published map, through the pipeline."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import StudyError
from alm_core.pipeline import run
from alm_core.study import Study
from tests.rasters import read_raster, write_raster
from tests.small_study import GRID, LEARNERS, write_small_study

TARGET = 'name = "alt"\nunit = "cm"\nminimum = 0.0\ntransform = "log"\ncensored = "bounds"'
PUBLISHED = """
[[reference_maps]]
name = "zones"
path = "zones.tif"
thresholds = [100.0]
labels = ["shallow", "deep"]
codes = { shallow = [1], deep = [2] }
"""


@pytest.fixture(scope="module")
def thaw_run(tmp_path_factory):
    """A finished run of it; the table holds three bounds, one of them impossible."""
    folder = tmp_path_factory.mktemp("thaw")
    study = write_small_study(
        folder,
        target=TARGET,
        extent='threshold = 100.0\nside = "above"\nname = "deep thaw"',
        learners=LEARNERS + PUBLISHED,
    )
    table = pd.read_csv(folder / "sites.csv")
    value = np.exp(4 * table["vwc"]) * 30
    text = value.round(1).astype(str)
    text[3], text[7], text[9] = f"<{value[3] * 3:.0f}", f">{value[7] / 3:.0f}", ">5000"
    table.assign(vwc=text).to_csv(folder / "sites.csv", index=False)
    write_raster(folder / "zones.tif", np.where(GRID.x < 92, 1, 2).astype(np.uint8) * np.ones(GRID.shape, np.uint8), GRID)
    return run(study, workspace=folder / "workspace")


def read(finished, name):
    """A JSON file of the run."""
    return json.loads(finished.file(name).read_text())


def test_bounds_are_counted_and_scored_under_every_scheme(thaw_run):
    """Two hold and one can't; none of them is among the samples."""
    assert read(thaw_run, "sites.json")["bounds"] == {"rows": 3, "kept": 3, "left_out": {}}
    found = read(thaw_run, "metrics.json")["censored"]
    assert set(found) == {"random", "knndm"}
    for scores in found.values():
        assert (scores["count"], scores["below"], scores["above"]) == (3, 1, 2)
        assert scores["respected"] == pytest.approx(2 / 3)
        assert scores["largest_violation"] > 4000
    assert not set(pd.read_parquet(thaw_run.file("samples.parquet"))["site_id"]) & {"p003", "p007", "p009"}


def test_everything_is_in_the_unit(thaw_run):
    """Out-of-fold members, intervals and the map lie where the values of the sites do."""
    pairs = pd.read_parquet(thaw_run.file("out_of_fold.parquet"))
    samples = pd.read_parquet(thaw_run.file("samples.parquet"))["target"]
    for column in ("forest", "boosted", "fused"):
        assert pairs[column].median() == pytest.approx(samples.median(), rel=0.2)
    assert (pairs["lower"] <= pairs["fused"]).all()
    inside = (pairs["observed"] >= pairs["lower"]) & (pairs["observed"] <= pairs["upper"])
    assert inside.mean() > 0.75
    mapped = read_raster(thaw_run.file("map/fused.tif"))
    assert np.nanmedian(mapped[mapped > 0]) == pytest.approx(samples.median(), rel=0.3)
    assert all(entry["smearing"] > 1 for entry in read(thaw_run, "models.json")["learners"])


def test_extent_is_written_with_its_interval(thaw_run):
    """Under an empty slice in a study without slices."""
    found = read(thaw_run, "extent.json")
    assert (found["name"], found["unit"]) == ("deep thaw", "cm")
    (one,) = found["slices"]
    assert one["slice"] == ""
    assert one["lower_km2"] <= one["area_km2"] <= one["upper_km2"] < one["mapped_km2"]


def test_published_map_is_compared(thaw_run):
    """With a raster of differences on the grid of the map."""
    (one,) = read(thaw_run, "reference_maps.json")["maps"]
    assert one["accuracy"] + one["quantity"] + one["allocation"] == pytest.approx(1.0)
    assert read_raster(thaw_run.folder / one["difference"]).shape == GRID.shape
    assert thaw_run.finished


def test_a_published_map_that_is_not_there_is_named(thaw_run, tmp_path):
    """When the study is read, not at its end."""
    study = write_small_study(tmp_path, learners=LEARNERS + PUBLISHED)
    with pytest.raises(Exception, match=r"published zones: .*zones\.tif"):
        Study.load(study)


def test_an_unknown_slice_of_a_published_map_is_refused(tmp_path):
    """A study without slices has none."""
    study = write_small_study(tmp_path, learners=LEARNERS + PUBLISHED + 'slice = "1980-1984"\n')
    with pytest.raises(StudyError, match="there is no slice '1980-1984', but none"):
        Study.load(study)


def test_values_of_zero_can_not_be_learned_as_logarithms(tmp_path):
    """The message says how many there are, and what to do."""
    study = write_small_study(tmp_path, target=TARGET)
    table = pd.read_csv(tmp_path / "sites.csv")
    table.loc[4, "vwc"] = 0.0
    table.to_csv(tmp_path / "sites.csv", index=False)
    with pytest.raises(Exception, match="1 of 90 sites have a alt of 0 or less"):
        run(study, workspace=tmp_path / "workspace", until="sites")
