"""How the indices of cold are computed for one block of the grid: layers and numbers brought together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alm_core.covariates import annual_cycle, cold_indices
from alm_core.errors import StudyError

TTOP_FACTORS = ("freezing_factor", "thawing_factor", "conductivity_frozen", "conductivity_thawed")
STEFAN_FACTORS = ("conductivity_thawed", "bulk_density", "water", "unfrozen_water", "thawing_factor", "edaphic_factor")
STEFAN_NEEDS = ("conductivity_thawed", "bulk_density", "water")


def annual_degree_days(inputs: Mapping[str, Any], place: Any, **options: Any) -> np.ndarray:
    """Degree days of a yearly sine; roles `mean` and `range`."""
    return annual_cycle.annual_degree_days(inputs["mean"], inputs["range"], **options)


def n_factor(inputs: Mapping[str, Any], place: Any) -> np.ndarray:
    """Surface over air index; roles `surface` and `air`."""
    return cold_indices.n_factor(inputs["surface"], inputs["air"])


def frost_number(inputs: Mapping[str, Any], place: Any, **options: Any) -> np.ndarray:
    """Frost number; roles `freezing`, `thawing`, and `soil_factor` as a layer or a number."""
    given = _given("frost_number", inputs, options, ("soil_factor",))
    return cold_indices.frost_number(inputs["freezing"], inputs["thawing"], **given)


def ttop(inputs: Mapping[str, Any], place: Any, **options: Any) -> np.ndarray:
    """Temperature at the top of permafrost; each factor is a layer or a number."""
    given = _given("ttop", inputs, options, TTOP_FACTORS)
    return cold_indices.ttop(inputs["freezing"], inputs["thawing"], **given)


def stefan(inputs: Mapping[str, Any], place: Any, **options: Any) -> np.ndarray:
    """Thaw depth by Stefan's equation, or its edaphic form where `edaphic_factor` is given."""
    given = _given("stefan", inputs, options, STEFAN_FACTORS)
    if "edaphic_factor" in given:
        strangers = sorted(set(given) - {"edaphic_factor", "thawing_factor"})
        if strangers:
            raise StudyError(
                f"stefan: edaphic_factor stands for the whole soil, and {', '.join(strangers)} came as well. Give one of them."
            )
        return cold_indices.edaphic_thaw_depth(inputs["thawing"], **given)
    absent = [name for name in STEFAN_NEEDS if name not in given]
    if absent:
        raise StudyError(
            f"stefan: {', '.join(absent)} is missing. Give {', '.join(STEFAN_NEEDS)} as layers (inputs) or numbers (options), or "
            "edaphic_factor alone."
        )
    return cold_indices.stefan_thaw_depth(inputs["thawing"], **given)


def _given(what: str, inputs: Mapping[str, Any], options: Mapping[str, Any], factors: tuple[str, ...]) -> dict[str, Any]:
    """Factors that came as layers or as numbers; one that came as both is refused."""
    doubled = [name for name in factors if name in inputs and name in options]
    if doubled:
        raise StudyError(f"{what}: {', '.join(doubled)} is given as a layer and as a number. Give one of the two.")
    return {**{name: inputs[name] for name in factors if name in inputs}, **options}
