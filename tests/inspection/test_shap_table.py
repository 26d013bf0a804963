"""SHAP values of sites beside their covariates."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alm_core.errors import LearnerError, MissingFileError, SitesError
from alm_core.inspection.shap_table import (
    REST,
    ShapTable,
    explainable_learners,
    interaction_partner,
    interaction_strengths,
    learner_shap,
    read_fused_shap,
)
from alm_core.workspace import Run, read_json


def made_table(count: int = 240, *, categorical: bool = False) -> ShapTable:
    """SHAP of ``a`` follows its own value and, at the same value of a, the product with ``b``; ``c`` and ``d`` do nothing."""
    rng = np.random.default_rng(5)
    features = pd.DataFrame(rng.normal(size=(count, 4)), columns=list("abcd"), index=[f"s{number}" for number in range(count)])
    if categorical:
        features["a"] = rng.integers(0, 3, count).astype(float)
    values = pd.DataFrame(
        {
            "a": 2 * features["a"] + 0.5 * features["b"] + 0.05 * rng.normal(size=count),
            "b": 0.5 * features["b"],
            "c": -0.5 * features["b"],
            "d": np.zeros(count),
        }
    )
    groups = {"a": "climate", "b": "soil", "c": "soil", "d": "terrain"}
    kinds = dict.fromkeys("abcd", "continuous") | ({"a": "categorical"} if categorical else {})
    return ShapTable(values, 0.3, features, groups, dict.fromkeys("abcd", "1"), kinds)


def test_groups_add_up(dashboard_run: Run) -> None:
    """Sums over groups give the same prediction as the covariates, and cancelling covariates weigh nothing."""
    table = made_table()
    pd.testing.assert_series_equal(table.base + table.group_values().sum(axis=1), table.prediction)
    assert list(table.group_values()) == ["terrain", "soil", "climate"]
    groups = table.group_importance().set_index("group")
    assert groups.loc["soil", "importance"] == pytest.approx(0.0, abs=1e-12)
    assert groups.loc["soil", "features"] == 2
    real = read_fused_shap(dashboard_run)
    pd.testing.assert_series_equal(real.base + real.group_values().sum(axis=1), real.prediction)


def test_fused_values_add_up_to_the_fusion(dashboard_run: Run) -> None:
    """The table of the run has one row per sample, and its importance is the run's own."""
    table = read_fused_shap(dashboard_run)
    own = read_json(dashboard_run.file("importance.json"))["fused"]
    found = table.importance().set_index("feature")["importance"]
    assert found.to_dict() == pytest.approx(own)
    assert table.importance()["share"].sum() == pytest.approx(1.0)
    assert table.importance()["importance"].is_monotonic_decreasing


def test_member_values_are_those_of_the_run(dashboard_run: Run) -> None:
    """Values that are computed again from the model file have the importance that the run wrote."""
    assert explainable_learners(dashboard_run) == ("forest", "boosted")
    own = read_json(dashboard_run.file("importance.json"))["members"]
    for learner in ("forest", "boosted"):
        found = learner_shap(dashboard_run, learner).importance().set_index("feature")["importance"]
        assert found.to_dict() == pytest.approx(own[learner], rel=1e-6)


def test_unknown_member_is_refused(dashboard_run: Run) -> None:
    """Only members of the run can be explained."""
    with pytest.raises(LearnerError, match="forest, boosted"):
        learner_shap(dashboard_run, "catboost")


def test_classification_has_none(class_run: Run) -> None:
    """A classification says why there is nothing, and offers no member."""
    assert explainable_learners(class_run) == ()
    with pytest.raises(MissingFileError, match="need a regression"):
        read_fused_shap(class_run)


@pytest.mark.parametrize("categorical", [False, True])
def test_interaction_partner_is_found(categorical: bool) -> None:
    """The covariate that moves a's values at equal a is b, and strongly so; what does nothing is near 0."""
    table = made_table(categorical=categorical)
    name, strength = interaction_partner(table, "a")
    strengths = interaction_strengths(table, "a")
    assert name == "b"
    assert strength > 0.3
    assert strengths["d"] < 0.1
    assert strengths["c"] < 0.1


def test_no_partner_where_nothing_is_left_to_explain() -> None:
    """d has no values at all, and a handful of sites says nothing."""
    table = made_table()
    assert interaction_partner(table, "d") is None
    few = ShapTable(table.values[:10], 0.3, table.features[:10], table.groups, table.units, table.kinds)
    assert interaction_strengths(few, "a").empty


def test_missing_values_do_not_break_the_search() -> None:
    """Sites where the covariate or the partner is missing are left out of the bins."""
    table = made_table()
    features = table.features.copy()
    features.iloc[::3, 0] = np.nan
    features.iloc[::4, 1] = np.nan
    found = interaction_partner(ShapTable(table.values, 0.3, features, table.groups, table.units, table.kinds), "a")
    assert found[0] == "b"


def test_waterfall_walks_from_base_to_prediction() -> None:
    """Bars join: the first starts at the base, the last ends at the prediction, the rest is summed."""
    table = made_table()
    found = table.waterfall("s7", largest=2)
    assert found["feature"].tolist()[-1] == REST
    assert found["start"].iloc[0] == pytest.approx(table.base)
    assert found["end"].iloc[-1] == pytest.approx(table.prediction["s7"])
    np.testing.assert_allclose(found["start"].iloc[1:], found["end"].iloc[:-1])
    sizes = found["contribution"].abs().iloc[:2]
    assert sizes.is_monotonic_decreasing
    assert len(table.waterfall("s7", largest=4)) == 4


def test_waterfall_of_an_unknown_site_is_refused() -> None:
    """A removed site has no values."""
    with pytest.raises(SitesError, match="no SHAP values"):
        made_table().waterfall("gone")


def test_dependence_pairs_value_and_shap() -> None:
    """One row per site, with the partner where one is given."""
    table = made_table()
    found = table.dependence("a", partner="b")
    assert list(found) == ["site_id", "value", "shap", "partner"]
    np.testing.assert_array_equal(found["shap"], table.values["a"])
    assert "partner" not in table.dependence("a")


def test_run_without_shap_says_so(dashboard_run: Run, tmp_path: Path) -> None:
    """A run whose fused value can't be explained has members that can."""
    folder = tmp_path / "run"
    shutil.copytree(dashboard_run.folder, folder, ignore=shutil.ignore_patterns("shap.parquet", "map"))
    with pytest.raises(MissingFileError):
        read_fused_shap(Run(folder))
    assert len(learner_shap(Run(folder), "forest")) > 0
