"""Class by class."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.diagnostics.classes import class_areas, class_name, class_report
from alm_core.diagnostics.pairs import site_pairs
from alm_core.errors import StudyError
from alm_core.grid import Grid
from alm_core.mapping.cog import open_raster


def test_the_matrix_counts_every_site(class_run):
    """Rows are what was predicted, columns what was observed."""
    report = class_report(class_run, "knndm")
    pairs = site_pairs(class_run, "knndm")
    assert report.confusion.sum() == len(pairs)
    for row, mapped in enumerate(report.classes):
        for column, reference in enumerate(report.classes):
            both = (pairs["predicted"] == float(mapped)) & (pairs["observed"] == float(reference))
            assert report.confusion[row, column] == both.sum()


def test_scores_follow_from_the_matrix(class_run):
    """Recall per column, precision per row, F1 of both, and the overall accuracy of metrics.json."""
    report = class_report(class_run, "knndm")
    right = np.diag(report.confusion)
    np.testing.assert_allclose(report.recall, right / report.confusion.sum(axis=0))
    np.testing.assert_allclose(report.precision, right / report.confusion.sum(axis=1))
    recall, precision = np.array(report.recall), np.array(report.precision)
    np.testing.assert_allclose(report.f1, 2 * recall * precision / (recall + precision))
    assert report.overall_accuracy == pytest.approx(class_run.metrics()["schemes"]["knndm"]["fused"]["overall_accuracy"])


def test_areas_add_up_to_the_map(class_run):
    """Every mapped cell with its own area."""
    with open_raster(class_run.file("map/fused.tif")) as dataset:
        cells = dataset.read(1, masked=True)
        area = Grid.from_dataset(dataset).cell_area_square_metres()
    valid = ~np.ma.getmaskarray(cells)
    found = class_areas(class_run)
    assert sum(found.values()) == pytest.approx((valid.sum(axis=1) * area).sum() / 1e6, rel=1e-9)
    assert [class_name(label) for label in found] == ["1", "2"]


def test_area_adjusted_areas_keep_the_sum(class_run):
    """What is taken from one class goes to another."""
    report = class_report(class_run, "knndm")
    assert sum(report.area_adjusted["area"]) == pytest.approx(sum(class_areas(class_run).values()))


def test_numbers_have_no_classes(dashboard_run):
    """Said in words."""
    with pytest.raises(StudyError, match="maps numbers"):
        class_report(dashboard_run, "random")
