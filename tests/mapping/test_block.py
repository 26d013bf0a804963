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
