"""Scores of a run of days, read from metrics.json with patience: what a run does not have is left out, and nothing is raised."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from alm_core.workspace import Run, read_json

CHECK = "check"
SETS = ("training", "validation", "test")
IMPORTANCE = "importance.json"
SITE = "site"
SEASONS = ("DJF", "MAM", "JJA", "SON")
DISCRIMINANTS = "discriminant_"
"""Begins the names of the baselines of two numbers."""
HIDDEN_GAP = 0.01
"""Part of the samples by which a split may flatter before it is worth a sentence."""


@dataclass(frozen=True)
class DayScores:
    """What metrics.json says of a run of days.

    Attributes
    ----------
    headline : str
        The scheme that answers for the map.
    schemes : dict
        Scheme to learner to its scores.
    check : dict
        Learner to its scores against the independent product, by the models of the headline where there are several.
    leaks : dict
        Scheme to what its training samples know of its test samples.
    mapped : str
        The learner of the maps.
    against : dict
        Scheme to baseline to months to accuracy of the learner and of the baseline on the same cell-days, and their difference.
    labels_agree : float or None
        Part of the cell-days on which the product that was learned from and the independent one agree.
    """

    headline: str
    schemes: dict[str, dict[str, dict[str, Any]]] = field(repr=False)
    check: dict[str, dict[str, Any]] = field(repr=False)
    leaks: dict[str, dict[str, Any]] = field(repr=False)
    mapped: str
    against: dict[str, dict[str, dict[str, Any]]] = field(repr=False, default_factory=dict)
    labels_agree: float | None = None

    @property
    def learners(self) -> tuple[str, ...]:
        """That of the maps first, the discriminants last."""
        names = dict.fromkeys(name for found in self.schemes.values() for name in found)
        return tuple(sorted(names, key=lambda name: (name.startswith(DISCRIMINANTS), name != self.mapped)))

    def scores(self, scheme: str, learner: str) -> dict[str, Any]:
        """Scores of the tested cell-days; empty where there are none."""
        return self.schemes.get(scheme, {}).get(learner, {})

    def sets(self, scheme: str, learner: str) -> dict[str, dict[str, Any]]:
        """Scores with a confusion matrix: of every part of the split, and of the independent check."""
        own = self.scores(scheme, learner)
        parts = own.get("parts") or {}
        found = {name: parts[name] for name in SETS if name in parts} or {"test": own}
        found |= {CHECK: self.check.get(learner, {})}
        return {name: one for name, one in found.items() if is_matrix(one.get("confusion"))}

    def groups(self, scheme: str, learner: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Kind of group (season, year, land cover, ...) to group to its scores; of the check for the scheme ``check``."""
        own = self.check.get(learner, {}) if scheme == CHECK else self.scores(scheme, learner)
        found = (own.get("by") or {}) | {SITE: own.get("sites") or {}}
        return {kind: dict(sorted(groups.items(), key=_in_order)) for kind, groups in found.items() if groups}

    @property
    def hidden(self) -> tuple[float, float] | None:
        """Accuracy that the random split prints and the one of the headline, for the learner of the maps; None without both."""
        if "random" not in self.schemes or self.headline == "random":
            return None
        pair = tuple(self.scores(scheme, self.mapped).get("overall_accuracy") for scheme in ("random", self.headline))
        return pair if all(isinstance(value, int | float) and math.isfinite(value) for value in pair) else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def day_scores(run: Run) -> DayScores:
    """Scores of a run of days.

    Raises
    ------
    MissingFileError
        It is not scored yet.
    """
    metrics = run.metrics()
    schemes = metrics.get("schemes") or {}
    headline = metrics.get("headline")
    headline = headline if headline in schemes else next(iter(schemes), "")
    mapped = run.record["options"]["days"]["learner"]
    check = metrics.get(CHECK) or {}
    known = {name for found in schemes.values() for name in found}
    mapped = mapped if mapped in known else next(iter(schemes.get(headline, {})), "")
    against, agree = metrics.get("against_baselines") or {}, check.get("labels_agree")
    return DayScores(headline, schemes, check.get("learners") or {}, metrics.get("leaks") or {}, mapped, against, agree)


def importance(run: Run) -> dict[str, float]:
    """Predictors of the learner of the maps by mean |SHAP|, the largest first; empty where they were not ranked."""
    path = run.folder / IMPORTANCE
    found = read_json(path).get("fused") or {} if path.is_file() else {}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _in_order(group: tuple[str, Any]) -> tuple[int, str]:
    """Seasons in the order of the year, all else by name."""
    return SEASONS.index(group[0]) if group[0] in SEASONS else 0, group[0]


def is_matrix(found: Any) -> bool:
    """True of a confusion matrix of two states with a count in it."""
    return (
        isinstance(found, list)
        and len(found) == 2
        and all(isinstance(row, list) and len(row) == 2 for row in found)
        and sum(map(sum, found)) > 0
    )
