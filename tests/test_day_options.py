"""Options of studies of days that can't be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from alm_core.errors import StudyError
from alm_core.study import parse_options

STUDY: dict[str, Any] = {
    "study": {"name": "freeze", "title": "Freeze"},
    "target": {"name": "state", "task": "classification"},
    "grid": {"bounds": {"west": 90, "south": 30, "east": 94, "north": 33}, "resolution": 1, "crs": "EPSG:4326"},
    "covariates": [{"name": name, "path": f"{name}.tif"} for name in ("t_year", "t_january", "t_july")],
    "days": {
        "first": "2012-01-01",
        "last": "2012-12-31",
        "variables": [
            {"name": "tb", "path": "tb.nc", "quantity": "brightness_temperature"},
            {"name": "product", "path": "p.nc", "quantity": "state"},
            {"name": "second", "path": "s.nc", "quantity": "state"},
        ],
        "features": [
            {"name": "week", "method": "running_mean", "inputs": ["tb"], "days": 7},
            {"name": "air", "method": "seasonal_temperature", "inputs": ["t_year", "t_january", "t_july"], "days": 30},
        ],
        "labels": {"variable": "product"},
        "check": {"variable": "second"},
    },
}


def with_days(**changes: Any) -> dict[str, Any]:
    """The study with other values in [days]."""
    values = copy.deepcopy(STUDY)
    values["days"] |= changes
    return values


def test_a_study_of_days():
    """Features of variables and of layers stand side by side."""
    options = parse_options(STUDY)
    assert [feature.of_layers for feature in options.days.features] == [False, True]
    assert options.sites is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"features": [{"name": "a", "method": "seasonal_temperature", "inputs": ["t_year", "tb", "t_july"]}]},
            "ask for tb, which",
        ),
        ({"features": [{"name": "a", "inputs": ["t_year"]}]}, "feature a asks for 't_year'"),
        ({"features": [{"name": "a", "inputs": ["product"]}]}, "can't be a predictor"),
        ({"features": [{"name": "a", "inputs": ["second"]}]}, "can't be a predictor"),
        ({"check": {"variable": "product"}}, "another product than the labels"),
        ({"last": "2011-12-31"}, "they may be swapped"),
        ({"learner": "elastic"}, "none of the"),
        ({"splits": {"schemes": ["random", "year"]}}, "Say in random_because"),
    ],
)
def test_days_that_can_not_be(changes, text):
    """Each fault names what it is about."""
    with pytest.raises(StudyError, match=text):
        parse_options(with_days(**changes))
