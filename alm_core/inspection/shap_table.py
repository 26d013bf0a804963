"""SHAP values of the sites beside their covariates: importance, groups, dependence, interaction partner, waterfall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.samples import Samples
from alm_core.errors import LearnerError, MissingFileError, SitesError
from alm_core.learning.explanation import explain_members
from alm_core.learning.model_files import load_learner
from alm_core.options import GROUPS
from alm_core.workspace import Run, read_json

SITES_PER_BIN = 15
"""Sites that share a bin along a covariate while its partner is looked for: enough for a rank correlation, few enough that the
covariate hardly varies inside."""
FEWEST_SITES = 20
REST = "rest"
"""Name of the row of a waterfall that sums the small contributions."""


@dataclass(frozen=True, eq=False)
class ShapTable:
    """SHAP values of the sites of a run, of the fused value or of one learner.

    Attributes
    ----------
    values : DataFrame
        ``[site, feature]`` contributions in the unit of the target, indexed by site id.
    base : float
        What is predicted where nothing is known of a place; base and contributions add up to the prediction.
    features : DataFrame
        Covariates of the same sites and features.
    groups, units, kinds : dict
        Of each feature.
    """

    values: pd.DataFrame
    base: float
    features: pd.DataFrame
    groups: dict[str, str]
    units: dict[str, str]
    kinds: dict[str, str]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def prediction(self) -> pd.Series:
        """What the contributions add up to, by site."""
        return self.base + self.values.sum(axis=1)

    def importance(self) -> pd.DataFrame:
        """Mean ``|SHAP|`` over the sites, largest first: `feature`, `group`, `importance`, `share` (of all)."""
        mean = self.values.abs().mean().sort_values(ascending=False, kind="stable")
        total = float(mean.sum())
        return pd.DataFrame(
            {
                "feature": mean.index,
                "group": [self.groups.get(name, "other") for name in mean.index],
                "importance": mean.to_numpy(),
                "share": mean.to_numpy() / total if total > 0 else np.nan,
            }
        )

    def group_values(self) -> pd.DataFrame:
        """Contributions summed over each group: ``[site, group]``, in the order of `alm_core.options.GROUPS`.

        They add up to the same prediction as the features'.
        """
        labels = {name: self.groups.get(name, "other") for name in self.values}
        present = [group for group in GROUPS if group in labels.values()]
        return pd.DataFrame(
            {group: self.values[[name for name, label in labels.items() if label == group]].sum(axis=1) for group in present}
        )

    def group_importance(self) -> pd.DataFrame:
        """Mean ``|sum of SHAP|`` of each group, largest first: `group`, `importance`, `share`, `features` (their number).

        The sum is taken before its size: contributions that cancel inside a group do not count twice.
        """
        sums = self.group_values().abs().mean().sort_values(ascending=False, kind="stable")
        labels = [self.groups.get(name, "other") for name in self.values]
        total = float(sums.sum())
        return pd.DataFrame(
            {
                "group": sums.index,
                "importance": sums.to_numpy(),
                "share": sums.to_numpy() / total if total > 0 else np.nan,
                "features": [labels.count(group) for group in sums.index],
            }
        )

    def dependence(self, feature: str, *, partner: str | None = None) -> pd.DataFrame:
        """What a dependence plot shows: `site_id`, `value` of the feature, `shap`, and `partner` where one is given."""
        table = pd.DataFrame(
            {"site_id": self.values.index, "value": self.features[feature].to_numpy(), "shap": self.values[feature].to_numpy()}
        )
        return table if partner is None else table.assign(partner=self.features[partner].to_numpy())

    def waterfall(self, site_id: str, *, largest: int = 9) -> pd.DataFrame:
        """How the prediction of a site comes about, from the base, the largest contribution first.

        Returns
        -------
        DataFrame
            `feature` (the last row may be ``rest``, the sum of the others), `value` of the covariate, `contribution`, `start`
            and `end` of its bar.

        Raises
        ------
        SitesError
            The site was not explained.
        """
        if site_id not in self.values.index:
            raise SitesError(f"Site {site_id} has no SHAP values: only sites that were kept and taught the learners have them.")
        parts = self.values.loc[site_id]
        order = parts.abs().sort_values(ascending=False, kind="stable").index
        names = list(order[:largest])
        rows = [(name, float(self.features.at[site_id, name]), float(parts[name])) for name in names]
        if len(order) > largest:
            rows.append((REST, np.nan, float(parts[order[largest:]].sum())))
        table = pd.DataFrame(rows, columns=["feature", "value", "contribution"])
        end = self.base + table["contribution"].cumsum()
        return table.assign(start=end - table["contribution"], end=end)

    def to_dict(self) -> dict[str, Any]:
        """Base and importance."""
        return {"base": self.base, "importance": self.importance().to_dict("records")}


def read_fused_shap(run: Run) -> ShapTable:
    """SHAP values of the fused value, as the run wrote them.

    Raises
    ------
    MissingFileError
        The run has none: a classification, or a member that is not made of trees.
    """
    path = run.folder / "shap.parquet"
    if not path.is_file():
        raise MissingFileError(
            "This run has no SHAP values of the fused value: they need a regression whose members are all made of trees."
        )
    frame = pd.read_parquet(path).set_index("site_id")
    base = float(frame["base"].iloc[0])
    return _table(run, frame.drop(columns="base"), base)


def explainable_learners(run: Run) -> tuple[str, ...]:
    """Members whose own SHAP values can be computed: saved tree learners of a regression."""
    path = run.folder / "models.json"
    if not path.is_file() or run.record["options"]["target"]["task"] != "regression":
        return ()
    facts = read_json(path)
    return tuple(spec["name"] for spec in facts["learners"] if spec["name"] in facts["saved"])


def learner_shap(run: Run, learner: str) -> ShapTable:
    """SHAP values of one member, computed from its file; a second or so, so keep the result.

    Raises
    ------
    LearnerError
        No such member, or one that can't be explained.
    """
    known = explainable_learners(run)
    if learner not in known:
        raise LearnerError(f"{learner} can't be explained; those that can: {', '.join(known) or 'none'}.")
    names = list(read_json(run.file("models.json"))["features"])
    samples = Samples.from_parquet(run.file("samples.parquet"))
    explained = explain_members([load_learner(run.file("models"), learner)], samples.features[names].to_numpy(np.float32))
    values = pd.DataFrame(explained.values[0], columns=names, index=pd.Index(samples.site_ids, name="site_id"))
    return _table(run, values, float(explained.base[0]))


def _table(run: Run, values: pd.DataFrame, base: float) -> ShapTable:
    values.index = values.index.astype(str)
    features = Samples.from_parquet(run.file("samples.parquet")).features
    features.index = features.index.astype(str)
    stack = read_json(run.file("covariates/stack.json"))
    names = list(values)
    groups, units, kinds = ({name: stack[key].get(name, "") for name in names} for key in ("groups", "units", "kinds"))
    return ShapTable(values, base, features.loc[values.index, names], groups, units, kinds)


# ---- interaction --------------------------------------------------------------------------------------------------------------


def interaction_strengths(table: ShapTable, feature: str) -> pd.Series:
    """How much of the scatter in a dependence plot each other covariate explains, 0 to 1, largest first.

    Sites are put into bins along the feature (15 sites each; one bin per level of a category). Inside a bin the feature is
    nearly constant, so what its SHAP values still vary must come from the covariates that it acts together with. The strength
    of a partner is the part of that variation which a straight line on the partner's ranks explains, over all bins, corrected for
    what chance alone would explain (adjusted R2 of one slope per bin, never below 0).

    Not a test, and not the exact SHAP interaction value: a quick measure to choose the colour of a plot by. With correlated
    covariates the partner may stand for another one.

    Returns
    -------
    Series
        Strength by covariate; empty with fewer than 20 sites or one covariate.
    """
    others = [name for name in table.values if name != feature]
    if len(table) < FEWEST_SITES or not others:
        return pd.Series(dtype=float)
    bins = _bins(table.features[feature].to_numpy(float), categorical=table.kinds.get(feature) == "categorical")
    shap = table.values[feature].to_numpy(float)
    found = {name: _explained(shap, table.features[name].to_numpy(float), bins) for name in others}
    return pd.Series(found).sort_values(ascending=False, kind="stable")


def interaction_partner(table: ShapTable, feature: str) -> tuple[str, float] | None:
    """The covariate that a feature acts together with most and its strength; see `interaction_strengths`. None without one."""
    strengths = interaction_strengths(table, feature)
    if strengths.empty or not strengths.iloc[0] > 0:
        return None
    return str(strengths.index[0]), float(strengths.iloc[0])


def _bins(values: np.ndarray, *, categorical: bool) -> list[np.ndarray]:
    """Rows of each bin; rows where the value is missing are in none."""
    known = np.flatnonzero(np.isfinite(values))
    if categorical:
        return [known[values[known] == level] for level in np.unique(values[known])]
    order = known[np.argsort(values[known], kind="stable")]
    return np.array_split(order, max(1, len(order) // SITES_PER_BIN))


def _explained(shap: np.ndarray, partner: np.ndarray, bins: list[np.ndarray]) -> float:
    """Adjusted part of the variation inside the bins that a line on the partner's ranks explains."""
    explained, total, slopes, freedom = 0.0, 0.0, 0, 0
    for rows in bins:
        rows = rows[np.isfinite(partner[rows])]
        if len(rows) < 4:
            continue
        y = shap[rows] - shap[rows].mean()
        x = pd.Series(partner[rows]).rank().to_numpy()
        x = x - x.mean()
        total += float(y @ y)
        freedom += len(rows) - 1
        if x @ x > 0:
            explained += float((x @ y) ** 2 / (x @ x))
            slopes += 1
    if not total > 0 or freedom <= slopes:
        return 0.0
    unexplained = (total - explained) / (freedom - slopes)
    return float(np.clip(1.0 - unexplained / (total / freedom), 0.0, 1.0))
