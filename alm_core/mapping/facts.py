"""What the card of a run tells: plain values, gathered by whoever writes the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class CovariateFact:
    """One covariate of the card.

    Attributes
    ----------
    name, group, unit, source : str
    used : bool
        True where the selection kept it.
    importance : float or None
        Mean |SHAP|, or any other measure that adds up over covariates.
    """

    name: str
    group: str = ""
    unit: str = ""
    source: str = ""
    used: bool = True
    importance: float | None = None


@dataclass(frozen=True)
class CardFacts:
    """Everything on the card. What is empty is left out of it.

    Attributes
    ----------
    title, study, run : str
    target, unit, task : str
        What is mapped; `task` is ``regression`` or ``classification``.
    description, time, area, created : str
    simulated : bool
        True puts a banner on top.
    seed : int or None
    covariates : tuple of CovariateFact
    sites_total, sites_kept : int
    removed : mapping
        Reason to number of sites.
    site_notes : tuple of str
        What was counted or changed while the table was read.
    metrics : mapping
        As metrics.json: ``headline`` and ``schemes``, which is
        ``{scheme: {column: {metric: value, "interval": {metric: [low, high]}}}}``.
    observed, predicted : ndarray or None
        Out-of-fold pairs of the headline scheme, for the bias curves; regression only.
    weights : mapping
        Learner to its mean weight in the fusion.
    fusion : mapping
        Label to text: method, correction, and so on.
    interval_level : float or None
    counts : mapping
        `MapCounts.to_dict()` of the map.
    oracle : mapping
        `OracleReport.to_dict()` of the first block.
    threshold : float or None
        Dissimilarity at the edge of the area of applicability; None where there is none.
    fused, uncertainty : path or None
        Rasters of the map.
    published : str
        The product, where the fused raster goes out under a name of its own.
    classes : mapping
        Code to label of a class map.
    slices : tuple of mapping
        ``name, first_year, last_year, mapped`` (cells) of each time slice; empty without slices.
    main_slice : str
        The slice whose map is shown.
    change : mapping
        As change.json; empty where there is none.
    site_x, site_y : ndarray or None
        Kept sites in the CRS of the grid.
    limits : tuple of str
        Further cautions.
    citation, licence : str
    hashes, versions : mapping
    """

    title: str
    study: str
    run: str
    target: str = "value"
    unit: str = ""
    task: str = "regression"
    description: str = ""
    time: str = ""
    area: str = ""
    created: str = ""
    simulated: bool = False
    seed: int | None = None
    covariates: tuple[CovariateFact, ...] = ()
    sites_total: int = 0
    sites_kept: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)
    site_notes: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    observed: np.ndarray | None = None
    predicted: np.ndarray | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    fusion: Mapping[str, str] = field(default_factory=dict)
    interval_level: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    oracle: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    fused: Path | None = None
    uncertainty: Path | None = None
    published: str = ""
    classes: Mapping[str, str] = field(default_factory=dict)
    slices: tuple[Mapping[str, Any], ...] = ()
    main_slice: str = ""
    change: Mapping[str, Any] = field(default_factory=dict)
    site_x: np.ndarray | None = None
    site_y: np.ndarray | None = None
    limits: tuple[str, ...] = ()
    citation: str = ""
    licence: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The scheme that answers for the map, or the first one where that was not run."""
        schemes = list(self.metrics.get("schemes", {}))
        wanted = self.metrics.get("headline", "")
        return wanted if wanted in schemes else schemes[0] if schemes else ""

    def fused_scores(self, scheme: str) -> Mapping[str, Any]:
        """Scores of the fused prediction under one scheme; empty where there are none."""
        return self.metrics.get("schemes", {}).get(scheme, {}).get("fused", {})

    def to_dict(self) -> dict[str, Any]:
        """Plain values without the arrays."""
        arrays = ("observed", "predicted", "site_x", "site_y")
        found = {part.name: getattr(self, part.name) for part in fields(self) if part.name not in arrays}
        found["covariates"] = [vars(covariate) for covariate in self.covariates]
        return {key: value.as_posix() if isinstance(value, Path) else value for key, value in found.items()}
