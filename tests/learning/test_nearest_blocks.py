"""Distances by blocks: the bits of the plain distances, whatever the block looks like and however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alm_core.errors import DomainError
from alm_core.learning import nearest_blocks
from alm_core.learning.applicability import Applicability, fit_applicability


def assert_same_bits(area: Applicability, values: np.ndarray, valid: np.ndarray) -> None:
    """`predict_block` against `predict` on the same cells."""
    found, expected = area.predict_block(values, valid), area.predict(np.ascontiguousarray(values[:, valid].T))
    assert found.threshold == expected.threshold
    for name in ("dissimilarity", "density", "inside"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.dissimilarity.tobytes() == expected.dissimilarity.tobytes()


def smooth(covariates: int, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Waves of several lengths."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    waves = np.zeros((covariates, rows, columns))
    for wave in waves:
        for length in (9, 25, 70, 200):
            height, shift_x, shift_y = rng.random(3) * 6
            wave += height * np.sin(x / length + shift_x) * np.cos(y / length + shift_y)
    return waves.astype(np.float32)


def sites_of(values: np.ndarray, count: int = 342, seed: int = 1) -> np.ndarray:
    """Cells of the block with a little noise."""
    rng = np.random.default_rng(seed)
    flat = values.reshape(len(values), -1)
    return (flat[:, rng.integers(0, flat.shape[1], count)].T + rng.normal(0, 0.3, (count, len(values)))).astype(np.float32)


def shuffled(values: np.ndarray) -> np.ndarray:
    """The same cells anywhere."""
    order = np.random.default_rng(2).permutation(values[0].size)
    return values.reshape(len(values), -1)[:, order].reshape(values.shape)


@pytest.mark.parametrize("covariates", [1, 2, 4, 5, 9, 14])
@pytest.mark.parametrize("arrange", [lambda values: values, shuffled], ids=["smooth", "shuffled"])
def test_same_bits_as_every_distance(covariates, arrange):
    """Every cell, on blocks that are no multiple of a tile."""
    values = smooth(covariates, 75, 107)
    area = fit_applicability(sites_of(values), folds=np.arange(342) % 7)
    found = area.predict_block(arrange(values), np.ones((75, 107), bool))
    assert found.density.min() < 10 < found.density.max() or covariates > 9
    assert_same_bits(area, arrange(values), np.ones((75, 107), bool))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.2, 0.9])
def test_masks_of_any_density(share):
    """Tiles with no, one, few and many cells: results stay in row-major order."""
    values = smooth(6, 90, 130)
    area = fit_applicability(sites_of(values))
    valid = np.random.default_rng(3).random((90, 130)) < share
    assert_same_bits(area, values, valid)
    assert area.predict_block(values, valid).dissimilarity.size == valid.sum()


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (8, 8), (33, 31), (0, 5), (5, 0)])
def test_blocks_of_any_shape(shape):
    """Single cells, single rows, parts of tiles, nothing."""
    values = smooth(5, 200, 200)
    area = fit_applicability(sites_of(values))
    part = values[:, : shape[0], : shape[1]]
    assert_same_bits(area, part, np.ones(shape, bool))


def test_constant_block():
    """A box without extent: every bound is the distance itself."""
    values = smooth(5, 40, 40)
    area = fit_applicability(sites_of(values))
    assert_same_bits(area, np.repeat(values[:, 7:8, 9:10], 1600, axis=1).reshape(5, 40, 40), np.ones((40, 40), bool))


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_missing_covariates_give_nan_and_disturb_nobody(hole):
    """One missing number in a tenth of the cells, also in a covariate that weighs nothing."""
    values = smooth(5, 70, 70)
    area = fit_applicability(sites_of(values), weights=[1, 0, 0.3, 2, 0.1])
    valid = np.ones((70, 70), bool)
    whole = area.predict_block(values, valid)
    rng = np.random.default_rng(4)
    holes = rng.random((70, 70)) < 0.1
    values[rng.integers(0, 5, holes.sum()), *np.nonzero(holes)] = hole
    assert_same_bits(area, values, valid)
    found = area.predict_block(values, valid)
    assert np.array_equal(np.isnan(found.dissimilarity), holes.ravel())
    assert np.array_equal(found.dissimilarity[~holes.ravel()], whole.dissimilarity[~holes.ravel()])
    assert not found.inside[holes.ravel()].any()


def test_categories_known_unknown_infinite_and_missing():
    """Every level is a column; an infinite code is a level that no site has, as in `predict`."""
    rng = np.random.default_rng(5)
    values = smooth(4, 64, 80)
    values[2] = np.repeat(np.repeat(rng.integers(0, 4, (8, 10)), 8, axis=0), 8, axis=1)
    sites = sites_of(values)
    sites[:, 2] = np.clip(np.round(sites[:, 2]), 0, 3)
    area = fit_applicability(sites, categorical=[2], weights=[1, 0.5, 0.7, 0.2])
    assert area.points.shape[1] == 7
    values[2, rng.random((64, 80)) < 0.05] = 9
    values[2, rng.random((64, 80)) < 0.05] = np.inf
    values[2, 3, 3] = np.nan
    assert_same_bits(area, values, np.ones((64, 80), bool))
    assert np.isnan(area.predict_block(values, np.ones((64, 80), bool)).dissimilarity).sum() == 1


def test_constant_columns_are_left_out():
    """A covariate that is constant over the sites has no sd to scale by."""
    values = smooth(4, 50, 50)
    sites = sites_of(values)
    sites[:, 1] = 3
    assert_same_bits(fit_applicability(sites), values, np.ones((50, 50), bool))


def test_training_points_in_the_block_are_at_distance_zero():
    """Also side by side in one tile, and twice."""
    sites = sites_of(smooth(6, 90, 90), 400)
    block = np.ascontiguousarray(sites.T.reshape(6, 20, 20))
    area = fit_applicability(np.vstack([sites, sites[:7]]))
    assert (area.predict_block(block, np.ones((20, 20), bool)).dissimilarity == 0).all()
    assert_same_bits(area, block, np.ones((20, 20), bool))


def test_distances_next_to_the_limit_are_counted_as_training_distances_are():
    """Cells a few units of rounding about the limit, from both sides: counted by the quotient, not by the square."""
    space = fit_applicability(np.array([[-1.0], [0.0], [1.0]])).space
    area = Applicability(space, np.zeros((1, 1)), 0.7, 0.3, np.zeros(1), np.zeros(1))
    edge = 0.7 * 0.3
    steps = np.arange(-60, 60) * np.spacing(edge)
    cells = np.concatenate([edge + steps, -edge + steps]).reshape(1, 12, 20)
    found = area.predict_block(cells, np.ones((12, 20), bool))
    assert 0 < found.density.sum() < 240
    np.testing.assert_array_equal(found.density, (np.abs(cells.ravel()) / 0.7 < 0.3).astype(float))
    assert_same_bits(area, cells, np.ones((12, 20), bool))


def test_three_sites_and_one_covariate():
    """The least that can be fitted, with a threshold and without anything to prune."""
    area = fit_applicability(np.array([[0.0], [1.0], [2.5]], np.float32))
    assert_same_bits(area, smooth(1, 40, 40), np.ones((40, 40), bool))


def test_numbers_at_the_end_of_their_range():
    """Coordinates that overflow are infinitely far, which counts as missing; their neighbours keep their bits."""
    values = smooth(3, 40, 40)
    values[1, ::7, ::5] = 3e38
    area = fit_applicability(sites_of(smooth(3, 40, 40)), weights=[1e-140, 1e140, 1])
    tiny = fit_applicability(sites_of(smooth(3, 40, 40)) * np.float32(1e-30), weights=[1, 2, 3])
    assert np.isnan(area.predict_block(values, np.ones((40, 40), bool)).dissimilarity).sum() == 48
    for one in (area, tiny):
        assert_same_bits(one, values, np.ones((40, 40), bool))


def test_cutting_changes_nothing():
    """A block in four uneven pieces: the same numbers."""
    values = smooth(7, 90, 90)
    area = fit_applicability(sites_of(values), folds=np.arange(342) % 5)
    whole = area.predict_block(values, np.ones((90, 90), bool))
    for name in ("dissimilarity", "density"):
        together = getattr(whole, name).reshape(90, 90)
        for rows in (slice(0, 41), slice(41, 90)):
            for columns in (slice(0, 13), slice(13, 90)):
                part = values[:, rows, columns]
                found = getattr(area.predict_block(part, np.ones(part.shape[1:], bool)), name)
                assert np.array_equal(found, together[rows, columns].ravel())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_small_world(data):
    """Few levels make ties, equal points and distances on the limit; masks and sizes as they come."""
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    covariates, count = draw(st.integers(1, 9)), draw(st.integers(3, 60))
    rows, columns, levels = draw(st.integers(1, 70)), draw(st.integers(1, 70)), draw(st.integers(2, 40))
    scale = 10.0 ** draw(st.integers(-6, 6))
    sites = (rng.integers(0, levels, (count, covariates)) * scale).astype(np.float32)
    sites[0], sites[1] = 0, scale
    values = (rng.integers(0, levels + 1, (covariates, rows, columns)) * scale).astype(np.float32)
    if draw(st.booleans()):
        values = np.sort(np.sort(values, axis=1), axis=2)
    values[rng.random(values.shape) < draw(st.sampled_from([0.0, 0.05]))] = np.nan
    categorical = draw(st.lists(st.integers(0, covariates - 1), max_size=2, unique=True))
    weights = rng.random(covariates) * (rng.random(covariates) < 0.8)
    weights[0] = 1
    area = fit_applicability(sites, weights=weights, categorical=categorical)
    assert_same_bits(area, values, rng.random((rows, columns)) < draw(st.sampled_from([0.05, 0.5, 1.0])))


def test_most_points_are_never_visited():
    """On a smooth block a part keeps a small share of the sites; on a shuffled one it may keep all."""
    values = smooth(6, 64, 64)
    area = fit_applicability(sites_of(values))
    x = area.space.place(values[:, :8, :8].reshape(6, -1).T).T.copy()
    columns = np.ascontiguousarray(area.points.T)
    square = (area.threshold * area.mean_distance) ** 2
    work, kept = np.empty((4, 342)), np.empty_like(columns)
    near, n_near, n_sure = nearest_blocks._prune(x, 0, 64, columns, 342, (square, square), work, kept)
    assert n_near < 342 / 3
    distances = ((x.T[:, None] - columns.T[None]) ** 2).sum(axis=2)
    nearest_sites = {tuple(columns[:, site]) for site in distances.argmin(axis=1)}
    assert nearest_sites <= {tuple(column) for column in near[:, :n_near].T}
    within = (distances < square).sum(axis=1)
    assert n_sure <= within.min()
    assert within.max() <= n_sure + n_near


def test_shapes_that_do_not_fit_are_named():
    """Another number of covariates, and a mask of another block."""
    area = fit_applicability(sites_of(smooth(3, 20, 20)))
    with pytest.raises(DomainError, match=r"\[3, row, column\]"):
        area.predict_block(np.zeros((2, 4, 4), np.float32), np.ones((4, 4), bool))
    with pytest.raises(DomainError, match="are expected"):
        area.predict_block(np.zeros((3, 4, 4), np.float32), np.ones((4, 5), bool))


def test_other_kinds_of_arrays():
    """Double precision, whole numbers, views and masks of numbers: as `predict` takes them."""
    values = smooth(3, 30, 30)
    area = fit_applicability(sites_of(values))
    valid = np.ones((30, 30), bool)
    for kind in (values.astype(float), np.round(values * 2).astype(int), values[:, ::2], np.asfortranarray(values)):
        assert_same_bits(area, kind, valid[: kind.shape[1]])
