"""Predicting one block: masks first, exact values, honest counts."""

from __future__ import annotations

import numpy as np
import pytest

from alm_core.errors import DomainError, GridError, LearnerError
from alm_core.learning.class_fusion import fit_class_fusion
from alm_core.mapping.block import MapCounts, predict_block

from .conftest import Classes, Linear


def test_only_valid_cells_are_predicted(world):
    """Masked cells and cells that lack a covariate are NaN everywhere, and every cell is counted once."""
    found = predict_block(world.values, world.mask, world.members, world.fusion, world.applicability)
    valid = world.mask & np.isfinite(world.values).all(axis=0)
    for array in (found.value, found.lower, found.upper, found.dissimilarity, found.density, found.inside, *found.members):
        np.testing.assert_array_equal(np.isfinite(array), valid)
        assert array.dtype == np.float32
    counts = found.counts
    assert counts.missing == 200
    assert counts.cells == counts.mapped + counts.masked + counts.missing + counts.unpredicted
    assert counts.outside == int((found.inside == 0).sum())


def test_values_are_those_of_the_fusion(world):
    """The block holds exactly what members, fusion and applicability say of its cells."""
    found = predict_block(world.values, world.mask, world.members, world.fusion, world.applicability)
    valid = np.isfinite(found.value)
    features = world.values[:, valid].T
    members = np.stack([member.predict(features) for member in world.members])
    fused = world.fusion.predict(members)
    np.testing.assert_array_equal(found.value[valid], fused.value.astype(np.float32))
    np.testing.assert_array_equal(found.upper[valid], fused.upper.astype(np.float32))
    np.testing.assert_array_equal(found.members[:, valid], members.astype(np.float32))
    expected = world.applicability.predict(features)
    np.testing.assert_array_equal(found.dissimilarity[valid], expected.dissimilarity.astype(np.float32))
    assert found.counts.clipped == fused.clipped > 0


def test_infinite_covariates_are_missing(world):
    """An infinite covariate is as good as none."""
    world.values[0, 60, 60] = np.inf
    found = predict_block(world.values, world.mask, world.members, world.fusion)
    assert np.isnan(found.value[60, 60])
    assert found.counts.missing == 201


@pytest.mark.parametrize("kind", ["function", "object"])
def test_residual_is_added_at_its_place(world, kind):
    """A residual of 0.01 east of 90.5 moves exactly those cells."""

    class Model:
        def predict(self, features, value, x, y):
            assert features.shape == (len(value), 3)
            return np.where(x > 90.5, 0.01, 0.0)

    residual = Model() if kind == "object" else lambda x, y: np.where(x > 90.5, 0.01, 0.0)
    plain = predict_block(world.values, world.mask, world.members, world.fusion)
    moved = predict_block(
        world.values, world.mask, world.members, world.fusion, residual=residual, x=world.grid.x, y=world.grid.y
    )
    change = moved.value - plain.value
    free = (plain.value > -0.59) & (plain.value < 0.88)
    east = np.broadcast_to(world.grid.x > 90.5, change.shape)
    np.testing.assert_allclose(change[free & east], 0.01, atol=1e-6)
    assert (change[free & ~east] == 0).all()


def test_residual_without_places_is_refused(world):
    """A residual needs x and y."""
    with pytest.raises(DomainError, match="pass x and y"):
        predict_block(world.values, world.mask, world.members, world.fusion, residual=lambda x, y: x)


def test_empty_mask_gives_an_empty_block(world):
    """Nothing to map: all NaN, nothing predicted, all cells counted as masked."""
    found = predict_block(world.values, np.zeros_like(world.mask), world.members, world.fusion, world.applicability)
    assert np.isnan(found.value).all()
    assert found.counts == MapCounts(cells=world.mask.size, masked=world.mask.size)


def test_classes_give_codes_and_probabilities(world):
    """The code of the most probable class is written, with probabilities that sum to one."""
    members = (Classes("a"), Classes("b"))
    sites = np.random.default_rng(1).normal(size=(90, 3)).astype(np.float32)
    probabilities = np.stack([member.predict(sites).T for member in members])
    labels = probabilities.mean(axis=0).argmax(axis=0)
    fusion = fit_class_fusion(probabilities, labels, learners=("a", "b"), method="equal")
    found = predict_block(world.values, world.mask, members, fusion, class_codes=(3, 7, 9))
    valid = np.isfinite(found.value)
    assert found.members.shape == (2, 3, *world.grid.shape)
    assert set(np.unique(found.value[valid])) <= {3.0, 7.0, 9.0}
    np.testing.assert_allclose(found.probability[:, valid].sum(axis=0), 1, atol=1e-6)
    codes = np.array([3, 7, 9])[found.probability[:, valid].argmax(axis=0)]
    np.testing.assert_array_equal(found.value[valid], codes)
    assert np.isnan(found.probability[:, ~valid]).all()


def test_wrong_shapes_are_named(world):
    """A classifier in a regression, and a mask of another block, are refused by name."""
    with pytest.raises(LearnerError, match="odd gave predictions"):
        predict_block(world.values, world.mask, [Classes("odd"), Linear("x", (1, 1, 1))], world.fusion)
    with pytest.raises(GridError, match="must be one block"):
        predict_block(world.values, world.mask[:-1], world.members, world.fusion)


class Gap(Linear):
    """A member that takes a missing covariate for zero."""

    def predict_block(self, values, valid):
        return super().predict_block(np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf), valid)


@pytest.fixture
def gappy(world):
    """One cell without two covariates, one without any, one with an infinite one; members that take gaps."""
    world.values[0:2, 60, 60] = np.nan
    world.values[:, 61, 61] = np.nan
    world.values[2, 62, 62] = -np.inf
    world.values[0, 62, 62] = np.nan
    world.members = (Gap("first", (0.5, 0.1, 0.2)), Gap("second", (0.4, 0.2, 0.1)))
    return world


def test_routed_cells_are_predicted_and_counted(gappy):
    """Cells that lack some covariates get the value of the members; those that lack all, or hold an infinity, stay missing."""
    found = predict_block(gappy.values, gappy.mask, gappy.members, gappy.fusion, gappy.applicability, missing="route")
    counts = found.counts
    assert counts.routed == 200 + 1
    assert counts.missing == 2
    assert counts.cells == counts.mapped + counts.masked + counts.missing + counts.unpredicted
    assert np.isnan(found.value[[61, 62], [61, 62]]).all()
    zeros = np.nan_to_num(gappy.values[:, 60:61, 60])
    expected = gappy.fusion.predict(np.stack([member.predict(zeros.T) for member in gappy.members]))
    assert found.value[60, 60] == expected.value.astype(np.float32)[0]
    assert np.isfinite([found.lower[60, 60], found.upper[60, 60]]).all()


def test_routed_cells_are_never_inside(gappy):
    """No dissimilarity, no density, outside; the cells around them are as if nothing were missing."""
    routed = predict_block(gappy.values, gappy.mask, gappy.members, gappy.fusion, gappy.applicability, missing="route")
    plain = predict_block(gappy.values, gappy.mask, gappy.members, gappy.fusion, gappy.applicability)
    gaps = np.isfinite(routed.value) & ~np.isfinite(gappy.values).all(axis=0)
    assert gaps.sum() == 201
    assert (routed.inside[gaps] == 0).all()
    assert np.isnan(routed.dissimilarity[gaps]).all()
    assert np.isnan(routed.density[gaps]).all()
    assert routed.counts.outside == plain.counts.outside + 201
    for name in ("value", "lower", "upper", "dissimilarity", "density", "inside"):
        np.testing.assert_array_equal(getattr(routed, name)[~gaps], getattr(plain, name)[~gaps])


def test_a_block_of_routed_cells_alone(gappy):
    """Where every cell lacks something there is no cell to measure a distance for."""
    gappy.values[1] = np.nan
    found = predict_block(gappy.values, gappy.mask, gappy.members, gappy.fusion, gappy.applicability, missing="route")
    assert found.counts.routed == found.counts.mapped == found.counts.outside > 9000
    assert np.isnan(found.dissimilarity).all()


def test_left_out_is_the_default(gappy):
    """Nothing is routed unless it is asked for; another word is refused."""
    found = predict_block(gappy.values, gappy.mask, gappy.members, gappy.fusion)
    assert (found.counts.routed, found.counts.missing) == (0, 203)
    with pytest.raises(DomainError, match="`leave_out` or `route`"):
        predict_block(gappy.values, gappy.mask, gappy.members, gappy.fusion, missing="guess")


def test_counts_of_older_blocks_are_read():
    """A ledger without the count of routed cells adds up with new ones."""
    assert MapCounts(cells=2, mapped=2) + MapCounts(cells=1, mapped=1, routed=1) == MapCounts(cells=3, mapped=3, routed=1)
