"""Ordinary and regression kriging."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest

from alm_core.errors import LearnerError
from alm_core.learning.folds import make_folds
from alm_core.learning.kriging import Kriging

RNG = np.random.default_rng(11)
X, Y = RNG.uniform(0, 1000, (2, 90))
VALUE = np.sin(X / 150) + np.cos(Y / 200)


@pytest.fixture(scope="module")
def meuse(shared_data):
    """155 sites with log(zinc) and the distance to the river."""
    return geopandas.read_file(shared_data / "benchmark_meuse" / "meuse.shp")


def test_dual_form_equals_gstools():
    """Our product of covariances and solved weights is GSTools' kriging, to rounding."""
    drift = np.column_stack([X, X * Y])
    model = Kriging(geographic=False).fit(X, Y, VALUE, drift)
    at = RNG.uniform(0, 1000, (2, 40))
    terms = np.column_stack([at[0], at[0] * at[1]])
    model.predict(*at, terms)  # a variance was asked for, so that GSTools' system is there
    places = (np.column_stack(at) - model._centre) / model._size
    theirs = model._system(places.T, ext_drift=model._columns(terms, 40)[:, 1:].T, store=False)[0]
    ours = model.predict(*at, terms)[0]
    np.testing.assert_allclose(ours, model._offset + theirs * model._spread, atol=1e-9)


def test_smooth_field_is_interpolated():
    """A smooth field is found between sites, and the variance grows away from them."""
    model = Kriging(geographic=False).fit(X, Y, VALUE)
    at = RNG.uniform(200, 800, (2, 50))
    value, variance = model.predict(*at)
    assert np.sqrt(np.mean((value - np.sin(at[0] / 150) - np.cos(at[1] / 200)) ** 2)) < 0.15
    far = model.predict([5000.0], [5000.0])
    assert far[1][0] > variance.max()


def test_linear_drift_is_exact():
    """A value that is linear in the drift is predicted without error, far from every site too."""
    drift = RNG.normal(size=(90, 2))
    model = Kriging(geographic=False).fit(X, Y, 3.0 + drift @ [2.0, -1.0], drift)
    value, variance = model.predict([9e5], [9e5], [[10.0, 20.0]])
    assert value[0] == pytest.approx(3.0)
    assert variance[0] == 0
    assert model.variogram_ is None


def test_known_mean_is_reached_far_away():
    """Simple kriging of residuals falls back to zero, which adds nothing to a map."""
    model = Kriging(geographic=False, mean=0.0).fit(X, Y, VALUE + 0.5)
    value, variance = model.predict([1e6, 500.0], [1e6, 500.0])
    assert value[0] == pytest.approx(0.0, abs=1e-9)
    assert variance[0] == pytest.approx(model.variogram_.nugget + model.variogram_.variance)
    assert abs(value[1]) > 0.1


def test_moving_and_scaling_changes_nothing():
    """Coordinates in kilometres and values in per cent give the same map in those units."""
    plain = Kriging(geographic=False).fit(X, Y, VALUE).predict([300.0], [400.0])
    other = Kriging(geographic=False).fit(X / 1000 + 5, Y / 1000 - 7, 100 * VALUE).predict([5.3], [-6.6])
    assert other[0][0] == pytest.approx(100 * plain[0][0], rel=1e-6)
    assert other[1][0] == pytest.approx(1e4 * plain[1][0], rel=1e-6)


def test_sphere_has_no_seam():
    """Sites on both sides of the 180th meridian see each other; turning the globe changes nothing."""
    longitude, latitude = RNG.uniform(-5, 5, 80), RNG.uniform(60, 70, 80)
    value = np.sin(longitude) + latitude / 10
    here = Kriging(geographic=True).fit(longitude, latitude, value).predict([0.2], [65.0])
    there = Kriging(geographic=True).fit((longitude + 360) % 360 - 180, latitude, value).predict([-179.8], [65.0])
    np.testing.assert_allclose(np.ravel(here), np.ravel(there), rtol=1e-6)


def test_chunks_and_variance_do_not_change_the_value(monkeypatch):
    """Bounded memory: pieces of three places give what one piece gives, with or without the variance."""
    model = Kriging(geographic=False).fit(X, Y, VALUE)
    at = RNG.uniform(0, 1000, (2, 20))
    whole = model.predict(*at)
    monkeypatch.setattr("alm_core.learning.kriging.BLOCK_CELLS", 3 * 90)
    np.testing.assert_allclose(model.predict(*at)[0], whole[0], rtol=1e-12)
    np.testing.assert_allclose(model.predict(*at)[1], whole[1], rtol=1e-9)
    value, variance = model.predict(*at, variance=False)
    np.testing.assert_allclose(value, whole[0], rtol=1e-12)
    assert variance is None


def test_gaps_in_the_drift_are_counted():
    """Sites without a drift value are left out and counted; places without one get no number."""
    drift = RNG.normal(size=(90, 1))
    drift[:3] = np.nan
    model = Kriging(geographic=False).fit(X, Y, VALUE, drift)
    value, variance = model.predict(X[:5], Y[:5], drift[:5])
    assert model.left_out_ == 3
    assert np.isnan(value).tolist() == np.isnan(variance).tolist() == [True] * 3 + [False] * 2
    assert model.to_dict()["sites"] == 87


def test_useless_drift_columns_are_left_out():
    """Constant and doubled columns don't make the system singular, and are reported."""
    first = RNG.normal(size=90)
    drift = np.column_stack([np.full(90, 7.0), first, 2 * first + 1])
    model = Kriging(geographic=False).fit(X, Y, VALUE, drift)
    assert len(model.drift_used_) == 1
    assert model.drift_used_[0] in (1, 2)
    alone = Kriging(geographic=False).fit(X, Y, VALUE, drift[:, 1:2])
    np.testing.assert_allclose(model.predict(X, Y, drift)[0], alone.predict(X, Y, drift[:, 1:2])[0], rtol=1e-8)


def test_sites_at_one_place_are_no_fault():
    """Two measurements at one spot are averaged, not a singular system."""
    model = Kriging(geographic=False).fit(np.append(X, X[:5]), np.append(Y, Y[:5]), np.append(VALUE, VALUE[:5] + 0.2))
    assert np.isfinite(model.predict(X, Y)).all()


def test_equal_values_are_predicted_as_they_are():
    """Nothing varies: the value is the prediction, and its variance is zero."""
    value, variance = Kriging(geographic=False).fit(X, Y, np.full(90, 0.3)).predict([1.0], [2.0])
    assert (value[0], variance[0]) == (pytest.approx(0.3), 0.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": slice(0, 6)}, "6 sites came for kriging"),
        ({"value": np.where(VALUE > 1, np.nan, VALUE)}, "missing"),
        ({"value": VALUE[:5]}, "three equal rows"),
        ({"drift": np.ones(90)}, r"\[place, term\]"),
        ({"drift": RNG.normal(size=(90, 85))}, "Name fewer covariates"),
        ({"drift": np.ones((90, 1)), "mean": 0.0}, "known mean"),
    ],
)
def test_faults_say_what_to_do(change, words):
    """Every unusable input has its own message."""
    rows = change.get("rows", slice(None))
    with pytest.raises(LearnerError, match=words):
        Kriging(geographic=False, mean=change.get("mean")).fit(
            X[rows], Y[rows], change.get("value", VALUE[rows]), change.get("drift")
        )


def test_predict_checks_its_drift():
    """Not fitted, no drift where one is needed, and another number of columns are refused."""
    with pytest.raises(LearnerError, match="before it was fitted"):
        Kriging(geographic=False).predict([0.0], [0.0])
    model = Kriging(geographic=False).fit(X, Y, VALUE, RNG.normal(size=(90, 2)))
    with pytest.raises(LearnerError, match="0 columns came and 2"):
        model.predict([0.0], [0.0])


@pytest.mark.parametrize(("with_drift", "least", "most"), [(False, 0.66, 0.74), (True, 0.70, 0.78)])
def test_meuse_ten_fold(meuse, with_drift, least, most):
    """log(zinc): ordinary kriging near R2 0.69, with the root of the distance to the river near 0.73."""
    x, y = meuse.geometry.x.to_numpy(), meuse.geometry.y.to_numpy()
    value = np.log(meuse["zinc"].to_numpy(float))
    drift = np.sqrt(meuse[["dist"]].to_numpy(float)) if with_drift else None
    found = np.empty(len(value))
    for _, _, train, test in make_folds("random", x=x, y=y, geographic=False, n_folds=10, seed=2).splits():
        parts = (None, None) if drift is None else (drift[train], drift[test])
        model = Kriging(geographic=False).fit(x[train], y[train], value[train], parts[0])
        found[test] = model.predict(x[test], y[test], parts[1])[0]
    r2 = 1 - ((value - found) ** 2).sum() / ((value - value.mean()) ** 2).sum()
    assert least < r2 < most
