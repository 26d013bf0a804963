"""The compiled fusion of a block has the bits of the plain array formulas, which are repeated here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alm_core.learning.bias import CORRECTIONS
from alm_core.learning.fusion import Fusion, fit_fusion
from alm_core.learning.interpolation import FEW_VALUES
from alm_core.learning.uncertainty import ErrorScale, IntervalModel, fit_interval
from alm_core.learning.weighting import METHODS

NAMES = ("forest", "extra", "boost", "cat")
CELLS = FEW_VALUES + 777


def tables(value, x, rows):
    """Rows of a table at a value."""
    return np.stack([np.interp(value, x, row) for row in rows])


def total(weights, members):
    """Sum over the members, one after the other."""
    result = np.zeros(members.shape[1:])
    for weight, member in zip(weights, members, strict=True):
        result += weight * member
    return result


def reference(fusion: Fusion, members: np.ndarray, residual: np.ndarray | None = None) -> tuple:
    """Value, lower, upper and number of clipped values, by numpy alone."""
    weighting, curve, interval = fusion.weighting, fusion.correction.curve, fusion.interval
    minimum, maximum = fusion.bounds
    if weighting.grid.size == 1:
        unbiased, weights = members.astype(float), weighting.weights[:, 0]
        value = total(weights, unbiased)
    else:
        own = [member - np.interp(member, weighting.grid, row) for member, row in zip(members, weighting.biases, strict=True)]
        unbiased = np.stack(own)
        value = total(np.ones(len(members)), unbiased) / len(members)
        for _ in range(2):
            weights = tables(value, weighting.grid, weighting.weights)
            value = total(weights, unbiased)
    spread = np.sqrt(total(weights, (unbiased - value) ** 2))
    if curve is not None:
        before, value = value, np.interp(value, curve.x, curve.y)
        if curve.left_slope != 0:
            value += curve.left_slope * np.minimum(before - curve.x[0], 0)
        if curve.right_slope != 0:
            value += curve.right_slope * np.maximum(before - curve.x[-1], 0)
    value = value if residual is None else value + residual
    value = np.where(np.isfinite(members.sum(axis=0)), value, np.nan)
    cut = np.clip(value, minimum, maximum)
    clipped = int(((cut != value) & ~np.isnan(value)).sum())
    if interval is None:
        return cut, None, None, clipped
    size = np.interp(cut, interval.scale.grid, interval.scale.factor)
    floor, slope = interval.scale.floor, interval.scale.slope
    size = size * floor if slope == 0 else size * np.sqrt(floor**2 + (slope * spread) ** 2)
    low, high = interval.quantiles["all"]
    return cut, np.clip(cut - low * size, minimum, maximum), np.clip(cut + high * size, minimum, maximum), clipped


def assert_same_bits(fusion: Fusion, members: np.ndarray, residual: np.ndarray | None = None) -> None:
    """The kernel is in use, and gives the reference."""
    assert fusion._is_for_kernel(members)
    found = fusion.predict(members, residual=residual)
    with np.errstate(invalid="ignore", over="ignore"):
        value, lower, upper, clipped = reference(fusion, members, residual)
    assert found.clipped == clipped
    np.testing.assert_array_equal(found.value, value)
    if fusion.interval is None:
        assert found.lower is None
        assert found.upper is None
        return
    np.testing.assert_array_equal(found.lower, lower)
    np.testing.assert_array_equal(found.upper, upper)


def training(seed: int = 0, n: int = 342) -> tuple[np.ndarray, np.ndarray]:
    """Four related members that pull towards the mean, and the truth."""
    rng = np.random.default_rng(seed)
    y = rng.beta(2, 3, n) * 0.6
    members = [0.25 + slope * (y - 0.25) + rng.normal(0, 0.05, n) for slope in (0.45, 0.55, 0.65, 0.6)]
    return np.stack(members), y


def fit(method: str = "bias_aware", *, interval: str = "spread", **options) -> Fusion:
    """A fusion with an interval of a kind."""
    members, y = training()
    fusion = fit_fusion(members, y, learners=NAMES, method=method, weights={"forest": 1, "cat": 3}, **options)
    if interval == "none":
        return fusion
    value, spread = fusion.predict(members).value, fusion.spread(members)
    model = fit_interval(value, spread, y, normalise=interval != "constant", asymmetric=interval == "asymmetric")
    scale = replace(model.scale, slope={"spread": 0.7, "asymmetric": 2.5}.get(interval, 0.0))
    return fusion.with_interval(replace(model, scale=scale))


def cells(kind: type = float, seed: int = 1) -> np.ndarray:
    """Members of many cells, also far outside of what was trained on."""
    rng = np.random.default_rng(seed)
    members = 0.25 + rng.normal(0, 0.15, (4, CELLS)) + rng.normal(0, 0.2, CELLS)
    members[:, :200] = rng.normal(0, 1e3, (4, 200))
    return members.astype(kind)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_every_weighting_and_correction(method, correction, kind):
    """With an interval that follows the spread."""
    assert_same_bits(fit(method, correction=correction, minimum=0.0, maximum=0.6), cells(kind))


@pytest.mark.parametrize("interval", ["none", "constant", "value", "spread", "asymmetric"])
@pytest.mark.parametrize("bounds", [(None, None), (0.0, None), (None, 0.4), (0.1, 0.4)])
def test_every_interval_and_range(interval, bounds):
    """One knot or many, symmetric or not, cut on no side, one side or both."""
    assert_same_bits(fit(interval=interval, minimum=bounds[0], maximum=bounds[1]), cells())


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["equal", "bias_aware"])
def test_missing_and_infinite_members(kind, method):
    """NaN, infinities and sums that overflow in the members' own type give NaN, there and nowhere else."""
    members = cells(kind)
    members[1, 5], members[2, 6], members[0, 7] = np.nan, np.inf, -np.inf
    members[0, 8], members[1, 8] = np.inf, -np.inf
    members[:, 9] = np.finfo(kind).max
    fusion = fit(method)
    assert_same_bits(fusion, members)
    found = fusion.predict(members)
    for part in (found.value, found.lower, found.upper):
        assert np.flatnonzero(np.isnan(part)).tolist() == [5, 6, 7, 8, 9]
        # One NaN only, so that files with it are the same bytes.
        assert not np.signbit(part[5:10]).any()


def test_residual_is_added_and_may_be_missing():
    """Before the cut; a missing or infinite residual as in the array formulas."""
    members = cells()
    residual = np.random.default_rng(2).normal(0, 0.05, CELLS)
    residual[3], residual[4], residual[5] = np.nan, np.inf, -np.inf
    members[0, 6] = np.nan
    before = residual.copy()
    for bounds in ((None, None), (0.0, 0.5)):
        assert_same_bits(fit(minimum=bounds[0], maximum=bounds[1]), members, residual)
    assert residual.tobytes() == before.tobytes()


def test_any_shape_and_layout():
    """Blocks, views with gaps and arrays in the other order: the values of the flat block."""
    fusion, members = fit(minimum=0.0), cells()[:, :4608]
    flat = fusion.predict(members)
    gaps = np.repeat(members, 2, axis=1)[:, ::2]
    for other in (members.reshape(4, 64, 72), np.asfortranarray(members), gaps, members.reshape(4, 2, 32, 72)):
        found = fusion.predict(other)
        for name in ("value", "lower", "upper"):
            assert getattr(found, name).shape == other.shape[1:]
            assert getattr(found, name).tobytes() == getattr(flat, name).tobytes()


def test_a_cell_does_not_depend_on_its_block():
    """Kernel for many, arrays for few: the same bits."""
    fusion, members = fit(minimum=0.0, maximum=0.6), cells()
    many, few = fusion.predict(members), fusion.predict(members[:, -600:])
    for name in ("value", "lower", "upper"):
        assert getattr(many, name)[-600:].tobytes() == getattr(few, name).tobytes()


def test_members_stay_as_they_are():
    """The kernel works on copies."""
    members = cells()
    before = members.copy()
    fit().predict(members)
    assert members.tobytes() == before.tobytes()


def test_values_on_the_knots():
    """Every knot of every table, and its neighbours."""
    fusion = fit(correction="distribution")
    knots = np.concatenate([fusion.weighting.grid, fusion.correction.curve.x, fusion.interval.scale.grid])
    near = np.concatenate([knots, np.nextafter(knots, -1), np.nextafter(knots, 1)])
    assert_same_bits(fusion, np.tile(np.resize(near, FEW_VALUES), (4, 1)))


def test_identical_members_and_flat_curves():
    """One knot in every table."""
    fusion = fit_fusion(np.full((2, 10), 0.4), np.linspace(0, 1, 10), learners=["a", "b"])
    fusion = fusion.with_interval(IntervalModel(0.9, ErrorScale(0.1, 1.0, np.array([0.4]), np.ones(1)), {"all": (1.0, 2.0)}))
    assert_same_bits(fusion, cells()[:2])


@pytest.mark.parametrize("method", ["equal", "bias_aware"])
@pytest.mark.parametrize("learners", [1, 2, 7])
def test_any_number_of_members(method, learners):
    """One member, or many."""
    members, y = training()
    names = [f"m{k}" for k in range(learners)]
    fusion = fit_fusion(np.resize(members, (learners, 342)), y, learners=names, method=method)
    assert_same_bits(fusion, np.resize(cells(), (learners, CELLS)))


def test_odd_tables_are_left_to_numpy():
    """Knots too near or too far for the search: the array formulas serve, with the same result."""
    fusion = fit()
    for grid in (np.array([0.0, 5e-324]), np.array([-1.7e308, 1.7e308])):
        scale = ErrorScale(0.1, 0.5, grid, np.array([1.0, 2.0]))
        odd = fusion.with_interval(replace(fusion.interval, scale=scale))
        members = cells()
        assert not odd._is_for_kernel(members)
        value, lower, upper, _ = reference(odd, members)
        found = odd.predict(members)
        for part, expected in ((found.value, value), (found.lower, lower), (found.upper, upper)):
            np.testing.assert_array_equal(part, expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(METHODS), st.sampled_from(CORRECTIONS), st.booleans(), st.floats(-5, 5))
def test_any_small_study(seed, method, correction, narrow, exponent):
    """Skewed and tied observations, members of any scale."""
    rng = np.random.default_rng(seed)
    scale = 10.0**exponent
    y = np.round(rng.lognormal(size=40), 2) * scale
    members = np.stack([y * a + rng.normal(0, b, 40) * scale for a, b in ((1, 0.01), (0.5, 0.3), (0.8, 2.0))])
    weights = {"a": 1.0, "b": 2.0}
    fusion = fit_fusion(members, y, learners=list("abc"), method=method, correction=correction, weights=weights, minimum=0.0)
    table = ErrorScale(0.1 * scale, float(rng.integers(0, 3)), np.sort(rng.random(9)) * scale, rng.lognormal(size=9))
    fusion = fusion.with_interval(IntervalModel(0.9, table, {"all": (1.5, 2.5)}))
    block = rng.lognormal(size=(3, FEW_VALUES)) * scale
    assert_same_bits(fusion, block.astype(np.float32 if narrow else np.float64))
