"""Onset and end of freezing: made-up series whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from alm_core.errors import DomainError
from alm_core.mapping.field_trend import field_trend
from alm_core.mapping.phenology import NAMES, find_phenology, freezing_years, map_phenology, onset_date
from alm_core.mapping.trend import mann_kendall, theil_sen
from tests.mapping.day_world import CELLS, celsius, make_all, make_map, write_cubes

YEAR = np.arange("2014-07-01", "2015-07-01", dtype="datetime64[D]")
LEAP = np.arange("2015-07-01", "2016-07-01", dtype="datetime64[D]")


def winter(*spans, dates=YEAR, unknown=()):
    """A series of one cell, frozen in spans of days, unknown in others."""
    state = np.zeros((len(dates), 1), np.uint8)
    for start, stop in spans:
        state[start:stop] = 1
    for start, stop in unknown:
        state[start:stop] = 255
    return state


def numbers(state, dates=YEAR, **options):
    """The four numbers of the first year of the only cell."""
    values = find_phenology(state, dates, **options).values
    return [float(values[name][0, 0]) for name in NAMES]


CASES = {
    "one winter": (winter((100, 250)), [100, 250, 150, 2]),
    "a short frost before and a short thaw within count for nothing": (
        winter((80, 84), (100, 180), (184, 250)),
        [100, 250, 150, 2],
    ),
    "five days are enough": (winter((80, 85), (100, 250)), [80, 250, 155, 4]),
    "a thaw of five days in winter makes two more": (winter((100, 180), (185, 250)), [100, 250, 145, 4]),
    "a late frost moves the final thaw": (winter((100, 250), (260, 265)), [100, 265, 155, 4]),
    "never frozen": (winter(), [np.nan, np.nan, 0, 0]),
    "always frozen": (winter((0, 365)), [np.nan, np.nan, 365, 0]),
    "frozen from the first day on, and again later": (winter((0, 20), (100, 250)), [100, 250, 170, 3]),
    "frozen to the end": (winter((100, 365)), [100, np.nan, 265, 1]),
    "unknown days in the run of the onset": (winter((100, 250), unknown=((101, 104),)), [100, 250, 147 * 365 / 362, 2]),
    "as many unknown days as a run before the onset": (winter((100, 250), unknown=((95, 100),)), [100, 250, 150 * 365 / 360, 2]),
    "one more: the day is not known, the change is": (
        winter((100, 250), unknown=((94, 100),)),
        [np.nan, 250, 150 * 365 / 359, 2],
    ),
    "a gap within winter changes nothing but the scaling": (
        winter((100, 250), unknown=((120, 160),)),
        [100, 250, 110 * 365 / 325, 2],
    ),
    "all unknown": (winter(unknown=((0, 365),)), [np.nan] * 4),
}


@pytest.mark.parametrize("name", CASES)
def test_known_answers(name):
    """One series each."""
    state, answer = CASES[name]
    assert numbers(state) == pytest.approx(answer, nan_ok=True, rel=1e-6)


def test_more_unknown_days_than_allowed_leave_a_year_without_numbers():
    """The limit itself is allowed."""
    unknown = ((0, 50),)
    assert np.isfinite(numbers(winter((100, 250), unknown=unknown), most_missing=50 / 365)).all()
    assert np.isnan(numbers(winter((100, 250), unknown=unknown), most_missing=49 / 365)).all()


def test_a_leap_year_has_its_day():
    """29 February counts, and dates are those of the calendar."""
    state = winter((100, 250), dates=LEAP)
    assert len(LEAP) == 366
    assert numbers(state, LEAP) == [100, 250, 150, 2]
    assert numbers(winter((0, 366), dates=LEAP), LEAP)[2] == 366
    assert str(onset_date(2015, 243)) == "2016-02-29"
    assert str(onset_date(2014, 243)) == "2015-03-01"
    assert str(onset_date(2014, 0, first_month=10)) == "2014-10-01"


def test_runs_cross_the_border_of_two_years():
    """Frost from 28 June to 3 July is one run of six days: its onset is in the year in which it begins."""
    dates = np.arange("2014-07-01", "2016-07-01", dtype="datetime64[D]")
    found = find_phenology(winter((362, 368), dates=dates), dates)
    assert found.years == (2014, 2015)
    assert found.values["freeze_onset"][:, 0].tolist() == pytest.approx([362, np.nan], nan_ok=True)
    assert found.values["thaw_onset"][:, 0].tolist() == pytest.approx([np.nan, 3], nan_ok=True)
    assert found.values["transitions"][:, 0].tolist() == [1, 1]


def test_incomplete_years_are_left_out_and_told():
    """A series from January to December of ten years has nine freezing years."""
    dates = np.arange("2011-01-01", "2021-01-01", dtype="datetime64[D]")
    years, left_out = freezing_years(dates, 7)
    assert [year.year for year in years] == list(range(2011, 2020))
    assert {year.stop - year.start for year in years} == {365, 366}
    assert left_out == ("2011-01-01 to 2011-06-30", "2020-07-01 to 2020-12-31")
    assert freezing_years(dates, 1)[1] == ()
    assert freezing_years(dates[:100], 7) == ((), ("2011-01-01 to 2011-04-10",))


def test_each_cell_stands_for_itself():
    """Cells together give what they give one by one."""
    random = np.random.default_rng(3)
    dates = np.arange("2012-01-01", "2016-01-01", dtype="datetime64[D]")
    state = random.choice(np.array([0, 1, 255], np.uint8), (len(dates), 6), p=[0.45, 0.45, 0.1])
    season = (np.cos(2 * np.pi * np.arange(len(dates)) / 365.25) > 0)[:, None]
    state = np.where(random.random(state.shape) < 0.8, season, state).astype(np.uint8)
    together = find_phenology(state, dates).values
    for cell in range(state.shape[1]):
        alone = find_phenology(state[:, [cell]], dates).values
        assert all(np.array_equal(together[name][:, [cell]], alone[name], equal_nan=True) for name in NAMES)


def test_days_that_are_not_in_a_row_are_refused():
    """A day is missing, or there are fewer days than states."""
    with pytest.raises(DomainError, match="every day once"):
        find_phenology(winter(), np.delete(np.append(YEAR, YEAR[-1] + 1), 5))
    with pytest.raises(DomainError, match="every day once"):
        find_phenology(winter(), YEAR[:-1])


def test_trends_are_those_of_each_cell_over_its_own_years():
    """Gaps in some years, too many gaps, ties; the mean is weighted by area."""
    years = list(range(2011, 2021))
    values = np.random.default_rng(1).normal(size=(10, 5)).round(1)
    values[:, 0] = np.arange(10) * 0.5
    values[[2, 5], 1] = np.nan
    values[:4, 2] = np.nan
    areas = np.array([1.0, 2.0, 100.0, 1.0, 3.0])
    found = field_trend(values, years, areas, unit="days")
    kept = np.isfinite(values[:, 1])
    assert found.slope[0] == 5.0
    assert found.p_value[0] == pytest.approx(2 / 3628800, rel=1e-6)
    assert found.slope[1] == pytest.approx(10 * theil_sen(values[kept][:, [1]], np.array(years)[kept])[0], rel=1e-6)
    assert found.p_value[1] == pytest.approx(mann_kendall(values[kept][:, [1]])[1][0], rel=1e-6)
    assert np.isnan(found.slope[2])
    assert found.cells == 4
    part = [0, 1, 3, 4]
    assert found.mean_per_decade == pytest.approx((found.slope[part] * areas[part]).sum() / areas[part].sum(), rel=1e-6)
    assert found.rising_share >= 0.25
    assert field_trend(values[:2], years[:2], areas) is None


def test_false_discoveries_are_held_over_the_field():
    """Noise has five of a hundred cells below 0.05 and none that stays; a real trend everywhere stays."""
    random = np.random.default_rng(5)
    noise = random.normal(size=(10, 2000))
    found = field_trend(noise, range(10), np.ones(2000))
    assert 0.02 < found.significant_share < 0.08
    assert found.significant_share_controlled < 0.002
    strong = field_trend(noise * 0.1 + np.arange(10)[:, None], range(10), np.ones(2000))
    assert strong.significant_share_controlled == 1.0
    assert strong.rising_share == 1.0


def test_rasters_hold_the_years_and_nothing_outside_the_mask(tmp_path):
    """Of a map of 800 days: two freezing years, no trend."""
    store = write_cubes(tmp_path / "cubes")
    mapped = make_map(store, tmp_path)
    found = map_phenology(mapped, tmp_path / "out", tags={"study": "small"})
    assert [path.name for path in found.paths] == [f"{name}.tif" for name in NAMES]
    assert found.phenology["years"] == [2011, 2012]
    assert found.phenology["left_out"] == ["2013-07-01 to 2013-09-07"]
    assert found.trends == {}
    state = np.where(np.isnan(celsius()), 255, celsius() <= 0).astype(np.uint8)
    values = find_phenology(state, mapped.dates).values
    for name in NAMES:
        with rasterio.open(tmp_path / "out" / f"{name}.tif") as dataset:
            assert dataset.descriptions == ("2011", "2012")
            assert dataset.tags()["run_days"] == "5"
            read = dataset.read().reshape(2, -1)
        assert np.array_equal(read[:, CELLS], values[name], equal_nan=True)
        assert np.isnan(np.delete(read, CELLS, axis=1)).all()
    weights = np.isfinite(values["frozen_days"][0])
    assert weights.all()
    assert min(values["frozen_days"][0]) < found.phenology["means"]["frozen_days"][0] < max(values["frozen_days"][0])


def test_rasters_are_kept_until_a_rule_changes(tmp_path):
    """The same rules write nothing."""
    mapped = make_all(write_cubes(tmp_path / "cubes"), tmp_path)
    path = tmp_path / "map/phenology/freeze_onset.tif"
    stamp = path.stat().st_mtime_ns
    map_phenology(mapped, path.parent, tags={"study": "small"})
    assert path.stat().st_mtime_ns == stamp
    map_phenology(mapped, path.parent, tags={"study": "small"}, run_days=3)
    assert path.stat().st_mtime_ns != stamp


def test_a_map_of_less_than_a_freezing_year_has_no_rasters(tmp_path):
    """Nothing is written, and what was left out is told."""
    mapped = make_map(write_cubes(tmp_path / "cubes"), tmp_path)
    found = map_phenology(replace(mapped, dates=mapped.dates[:300]), tmp_path / "out")
    assert (found.paths, found.trends, found.phenology["years"]) == ([], {}, [])
    assert found.phenology["left_out"] == ["2011-07-01 to 2012-04-25"]
    assert not (tmp_path / "out").exists()
