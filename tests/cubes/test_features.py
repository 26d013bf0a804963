"""Predictors of a day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from alm_core.cubes.feature_kinds import METHODS
from alm_core.cubes.features import FeaturePlan, compute_features, make_plan
from alm_core.cubes.store import CubeStore, Variable
from alm_core.errors import GridError, StudyError
from alm_core.grid import Grid

GRID = Grid.from_bounds((80, 30, 84, 33), 1, crs="EPSG:4326")
CELLS = np.array([0, 2, 3, 7, 11])
DAYS = 80
VARIABLES = (
    Variable("tb18h", "K", "brightness_temperature", 18.7, "H", "ascending"),
    Variable("tb36v", "K", "brightness_temperature", 36.5, "V", "ascending"),
    Variable("tb36h", "K", "brightness_temperature", 36.5, "H", "ascending"),
    Variable("tb36v_night", "K", "brightness_temperature", 36.5, "V", "descending"),
    Variable("soil", "degC", "temperature"),
    Variable("flag", "1", "state"),
)
STATIC = {
    "elevation": np.arange(5, dtype=np.float32),
    "t_year": np.full(5, -3.0, np.float32),
    "t_january": np.full(5, -16.0, np.float32),
    "t_july": np.full(5, 8.0, np.float32),
}
EVERY = [
    {"name": "v", "method": "value", "inputs": ["tb36v"]},
    {"name": "d", "method": "difference", "inputs": ["tb36v", "tb18h"]},
    {"name": "r", "method": "ratio", "inputs": ["tb18h", "tb36v"]},
    {"name": "p", "method": "polarisation_ratio", "inputs": ["tb36v", "tb36h"]},
    {"name": "m", "method": "running_mean", "inputs": ["tb36v"], "days": 11},
    {"name": "s", "method": "running_sd", "inputs": ["tb36v"], "days": 7},
    {"name": "g", "method": "running_range", "inputs": ["tb36v"], "days": 5},
    {"name": "c", "method": "change", "inputs": ["tb36v"], "days": 16},
    {"name": "sine", "method": "day_of_year_sine"},
    {"name": "cosine", "method": "day_of_year_cosine"},
    {"name": "air", "method": "seasonal_temperature", "inputs": ["t_year", "t_january", "t_july"], "days": 30},
]


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Fields of all variables with a tenth of the values missing."""
    rng = np.random.default_rng(seed)
    found = {one.name: rng.normal(240, 15, (DAYS, len(CELLS))).astype(np.float32) for one in VARIABLES}
    for field in found.values():
        field[rng.random(field.shape) < 0.1] = np.nan
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """80 days of five cells over a leap day."""
    return CubeStore.create(tmp_path_factory.mktemp("cubes"), GRID, date(2012, 1, 20), DAYS, CELLS, VARIABLES, arrays())


@pytest.fixture(scope="module")
def plan():
    """Every method once, and one layer."""
    return make_plan(EVERY, VARIABLES, ["elevation"], hidden=["t_year", "t_january", "t_july"])


def test_every_method_is_here(plan):
    """The list of these tests is that of the methods; columns are daily features, then layers."""
    assert {one["method"] for one in EVERY} == set(METHODS)
    assert plan.names == (*(one["name"] for one in EVERY), "elevation")
    assert plan.look_back == 16
    assert plan.layers == ("elevation", "t_year", "t_january", "t_july")
    assert FeaturePlan.from_dict(plan.to_dict()) == plan


def test_values_by_hand(store, plan):
    """Each method against its formula on one day."""
    day, found = 40, dict(zip(plan.names, compute_features(plan, store, STATIC, 40, 41)[:, 0], strict=True))
    v, h, low = (store.read(name).astype(np.float64) for name in ("tb36v", "tb36h", "tb18h"))
    expected = {
        "v": v[day],
        "d": v[day] - low[day],
        "r": low[day] / v[day],
        "p": (v[day] - h[day]) / (v[day] + h[day]),
        "m": np.nanmean(v[day - 10 : day + 1], axis=0),
        "s": np.nanstd(v[day - 6 : day + 1], axis=0, ddof=1),
        "g": np.nanmax(v[day - 4 : day + 1], axis=0) - np.nanmin(v[day - 4 : day + 1], axis=0),
        "c": v[day] - v[day - 16],
        "sine": np.full(5, np.sin(2 * np.pi * 59.5 / 366)),
        "cosine": np.full(5, np.cos(2 * np.pi * 59.5 / 366)),
        "elevation": STATIC["elevation"],
    }
    assert str(store.dates[day]) == "2012-02-29"
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=2e-6, err_msg=name)


def test_the_same_however_the_days_are_parted(store, plan, monkeypatch):
    """One call, calls of 1, 7 and 33 days, and some cells alone give the same bits."""
    whole = compute_features(plan, store, STATIC, 0, DAYS)
    monkeypatch.setattr("alm_core.cubes.features.CELLS_AT_ONCE", 2)
    for step in (1, 7, 33):
        parts = [compute_features(plan, store, STATIC, at, min(at + step, DAYS)) for at in range(0, DAYS, step)]
        assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()
    some = np.array([3, 1])
    assert compute_features(plan, store, STATIC, 9, 60, cells=some).tobytes() == whole[:, 9:60, some].tobytes()


def test_the_future_does_not_matter(tmp_path, store, plan):
    """Other fields after day 50 change no feature of day 50 or before, and some of day 51."""
    changed = arrays()
    for name, field in arrays(seed=9).items():
        changed[name][51:] = field[51:]
    other = CubeStore.create(tmp_path, GRID, date(2012, 1, 20), DAYS, CELLS, VARIABLES, changed)
    before, after = (compute_features(plan, one, STATIC, 0, DAYS) for one in (store, other))
    assert before[:, :51].tobytes() == after[:, :51].tobytes()
    assert not np.array_equal(before[:, 51], after[:, 51], equal_nan=True)


def test_the_past_of_the_first_days_is_missing(store, plan):
    """The first day has no change, and no mean over 11 days of which it is the only one."""
    first = dict(zip(plan.names, compute_features(plan, store, STATIC, 0, 1)[:, 0], strict=True))
    assert np.isnan(first["c"]).all()
    assert np.isnan(first["m"]).all()
    assert np.isfinite(first["air"]).all()


def test_no_value_out_of_nothing(tmp_path):
    """Missing inputs stay missing, and a divisor of 0 gives no infinity."""
    pair = (Variable("a", "K", "brightness_temperature", 36.5, "V"), Variable("b", "K", "brightness_temperature", 36.5, "H"))
    fields = {"a": np.array([[1.0, np.nan, 0.0]]), "b": np.array([[0.0, 1.0, 0.0]])}
    store = CubeStore.create(tmp_path, GRID, date(2012, 1, 1), 1, np.arange(3), pair, fields)
    plan = make_plan(
        [
            {"name": "r", "method": "ratio", "inputs": ["a", "b"]},
            {"name": "p", "method": "polarisation_ratio", "inputs": ["a", "b"]},
        ],
        pair,
        [],
    )
    found = compute_features(plan, store, {}, 0, 1)[:, 0]
    np.testing.assert_array_equal(found, [[np.nan, np.nan, np.nan], [1.0, np.nan, np.nan]])


def test_features_unasked():
    """Values of all but states, V and H pairs of one orbit, quasi-emissivity of the orbit that has both, the circle, layers."""
    assert make_plan([], VARIABLES, ["elevation"]).names == (
        "tb18h", "tb36v", "tb36h", "tb36v_night", "soil", "polarisation_ratio_36.5_ascending", "quasi_emissivity_ascending",
        "day_of_year_sine", "day_of_year_cosine", "elevation",
    )  # fmt: skip
    twice = (*VARIABLES, Variable("tb36v_b", "K", "brightness_temperature", 36.5, "V", "ascending"))
    assert not [name for name in make_plan([], twice, []).names if "ratio" in name or "quasi" in name]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"method": "polarisation_ratio", "inputs": ["tb36h", "tb36v"]}, "H first .* swap"),
        ({"method": "polarisation_ratio", "inputs": ["tb36v", "tb18h"]}, "one frequency is expected"),
        ({"method": "polarisation_ratio", "inputs": ["tb36v_night", "tb36h"]}, "one orbit is expected"),
        ({"method": "polarisation_ratio", "inputs": ["tb36v", "soil"]}, r"soil \(no polarisation\)"),
        ({"method": "difference", "inputs": ["tb36v"]}, "has 1 input"),
        ({"method": "difference", "inputs": ["tb36v", "soil"]}, "the same unit"),
        ({"method": "difference", "inputs": ["tb36v", "tb36v"]}, "twice"),
        ({"method": "running_mean", "inputs": ["flag"], "days": 3}, "codes of states"),
        ({"method": "running_sd", "inputs": ["tb36v"]}, "2 to 366"),
        ({"method": "value", "inputs": ["tb36v"], "days": 3}, "means nothing"),
        ({"method": "value", "inputs": ["tb37"]}, "asks for tb37"),
        ({"method": "day_of_year_sine", "inputs": ["tb36v"]}, "0 are expected: none"),
        ({"method": "runing_mean", "inputs": ["tb36v"]}, "did you mean running_mean"),
        ({"method": "seasonal_temperature", "inputs": ["soil", "elevation", "t"]}, "asks for soil, t: the static layers"),
        ({"name": "elevation", "method": "value", "inputs": ["tb36v"]}, "used twice"),
    ],
)
def test_features_that_can_not_be(values, text):
    """Each fault is told with the names that it is about."""
    with pytest.raises(StudyError, match=text):
        make_plan([{"name": "f", **values}], VARIABLES, ["elevation"])


def test_all_faults_at_once():
    """Two wrong features are one error of two lines."""
    wrong = [{"name": "a", "method": "value", "inputs": ["x"]}, {"name": "b", "method": "value", "inputs": ["y"]}]
    with pytest.raises(StudyError, match=r"(?s)2 fault.*feature a.*feature b"):
        make_plan(wrong, VARIABLES, [])


def test_layers_and_days_that_do_not_fit(store, plan):
    """A missing layer, one of other cells, and days beyond the store are refused."""
    with pytest.raises(GridError, match="'t_year' is needed"):
        compute_features(plan, store, {"elevation": STATIC["elevation"]}, 0, 1)
    with pytest.raises(GridError, match=r"shape \(4,\)"):
        compute_features(plan, store, STATIC | {"elevation": np.zeros(4)}, 0, 1)
    with pytest.raises(GridError, match="the store has days 0 to 80"):
        compute_features(plan, store, STATIC, 70, 81)
