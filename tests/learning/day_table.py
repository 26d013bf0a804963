"""Made-up cell-days for tests of learning: a season, a height, noise, and states that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alm_core.learning.day_samples import DaySamples

FIRST = np.datetime64("2011-01-01")


def table(
    count: int = 1500, *, years: int = 3, side: int = 12, step: float = 0.5, check: int = 0, seed: int = 0, **columns: Any
) -> DaySamples:
    """Samples of `side` x `side` cells `step` degrees apart; the last `check` of them belong to the check.

    The state is frozen where the temperature, which depends on season, latitude and weather of the day, is below zero. The
    predictors know season and latitude, and the temperature with an error.
    """
    rng = np.random.default_rng(seed)
    days = int(365.25 * years)
    cell, day = rng.integers(0, side**2, count), rng.integers(0, days, count)
    x, y = 80.0 + step * (cell % side), 30.0 + step * (cell // side)
    weather = np.random.default_rng(99).normal(0, 3, days)[day]
    warmth = 3.0 - 15 * np.cos(2 * np.pi * (day - 15) / 365.25) - 1.5 * (y - y.mean()) + weather
    state = (warmth < 0).astype(float)
    is_check = np.arange(count) >= count - check
    date = pd.DatetimeIndex((FIRST + day).astype("datetime64[ns]"))
    values = {
        "cell": cell,
        "day": day,
        "date": date,
        "x": x,
        "y": y,
        "label": state,
        "check": np.where(is_check, state, np.nan),
        "year": date.year,
        "month": date.month,
        "feature:temperature": (warmth + rng.normal(0, 2, count)).astype(np.float32),
        "feature:season": np.cos(2 * np.pi * day / 365.25).astype(np.float32),
        "feature:latitude": y.astype(np.float32),
    }
    return DaySamples(pd.DataFrame(values | columns).sort_values(["day", "cell"], kind="stable").reset_index(drop=True))


def replaced(samples: DaySamples, **columns: Any) -> DaySamples:
    """The same with other columns."""
    return DaySamples(samples.frame.assign(**columns))
