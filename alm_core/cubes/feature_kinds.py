"""Kinds of daily features: what each is computed from, and whether what it was given fits."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from alm_core.cubes.store import Variable

RUNNING = ("running_mean", "running_sd", "running_range")
SEASONAL = ("seasonal_temperature",)
CIRCLE = ("day_of_year_sine", "day_of_year_cosine")
METHODS: dict[str, tuple[str, ...]] = {
    "value": ("variable",),
    "difference": ("variable", "variable"),
    "ratio": ("variable", "variable"),
    "polarisation_ratio": ("V", "H"),
    "running_mean": ("variable",),
    "running_sd": ("variable",),
    "running_range": ("variable",),
    "change": ("variable",),
    "day_of_year_sine": (),
    "day_of_year_cosine": (),
    "seasonal_temperature": ("annual mean", "January mean", "July mean"),
}
"""Inputs of every method, in their order; those of `SEASONAL` are static layers."""
USES_DAYS = (*RUNNING, *SEASONAL, "change")
LEAST_DAYS = {"running_mean": 1, "running_sd": 2, "running_range": 2, "change": 1, "seasonal_temperature": 1}
MOST_DAYS = 366
"""A longer window holds the same season twice."""


@dataclass(frozen=True)
class Feature:
    """One daily predictor: its name, one of `METHODS`, the names that it is computed from, and its days.

    Examples
    --------
    >>> Feature("tb_week", "running_mean", ("tb",), 7).look_back
    6
    """

    name: str
    method: str = "value"
    inputs: tuple[str, ...] = ()
    days: int = 1

    @property
    def look_back(self) -> int:
        """Days before the day itself that it reads."""
        if self.method in RUNNING:
            return self.days - 1
        return self.days if self.method == "change" else 0


def check_feature(feature: Feature, variables: Mapping[str, Variable], static: Collection[str]) -> list[str]:
    """Faults of a feature, one text each; none where it is right.

    Parameters
    ----------
    variables : mapping
        Daily variables by name.
    static : collection of str
        Names of the layers that never change.

    Examples
    --------
    >>> check_feature(Feature("d", "difference", ("tb",)), {"tb": Variable("tb")}, [])
    ['feature d: difference has 1 input(s) (tb), and 2 are expected: variable, variable']
    """
    who = f"feature {feature.name}: {feature.method}"
    if feature.method not in METHODS:
        near = difflib.get_close_matches(feature.method, METHODS, n=1)
        return [f"{who} is not known{f', did you mean {near[0]}?' if near else ':'} There are {', '.join(METHODS)}"]
    wanted = METHODS[feature.method]
    if len(feature.inputs) != len(wanted):
        given = f" ({', '.join(feature.inputs)})" if feature.inputs else ""
        return [f"{who} has {len(feature.inputs)} input(s){given}, and {len(wanted)} are expected: {', '.join(wanted) or 'none'}"]
    seasonal = feature.method in SEASONAL
    known, what = (static, "static layers") if seasonal else (variables, "daily variables")
    strange = [name for name in feature.inputs if name not in known]
    if strange:
        return [f"{who} asks for {', '.join(strange)}: the {what} are {', '.join(known) or 'none'}"]
    faults = _days_faults(feature, who)
    if not seasonal:
        faults += _kind_faults(feature, who, [variables[name] for name in feature.inputs])
    if len(set(feature.inputs)) < len(feature.inputs):
        faults.append(f"{who} is given {feature.inputs[0]} twice: different inputs are expected")
    return faults


def _days_faults(feature: Feature, who: str) -> list[str]:
    if feature.method not in USES_DAYS:
        return [f"{who} has days = {feature.days}, which means nothing to it: leave it out"] if feature.days != 1 else []
    least = LEAST_DAYS[feature.method]
    if least <= feature.days <= MOST_DAYS:
        return []
    return [f"{who} has days = {feature.days}: {least} to {MOST_DAYS} are expected"]


def _kind_faults(feature: Feature, who: str, inputs: list[Variable]) -> list[str]:
    """Inputs whose quantity, unit, channel or orbit the method can't use."""
    states = [one.name for one in inputs if one.quantity == "state"]
    if states and feature.method != "value":
        return [f"{who} is computed from {', '.join(states)}, whose values are codes of states: only value can use codes"]
    if len(inputs) < 2:
        return []
    faults = []
    if feature.method != "ratio" and len({one.unit for one in inputs}) > 1:
        units = " and ".join(f"{one.name} ({one.unit or 'no unit'})" for one in inputs)
        faults.append(f"{who} is computed from {units}: the same unit is expected")
    if feature.method == "polarisation_ratio":
        faults += _pair_faults(who, *inputs)
    return faults


def _pair_faults(who: str, vertical: Variable, horizontal: Variable) -> list[str]:
    """What keeps two variables from being V and H of one channel and orbit."""
    faults = []
    found = vertical.polarisation, horizontal.polarisation
    if found == ("H", "V"):
        faults.append(f"{who} has H first ({vertical.name}) and V second ({horizontal.name}): swap the two inputs")
    elif found != ("V", "H"):
        told = ", ".join(f"{one.name} ({one.polarisation or 'no polarisation'})" for one in (vertical, horizontal))
        faults.append(f"{who} is computed from {told}: V and H are expected; set `polarisation` of the variables")
    if vertical.frequency_ghz is None or vertical.frequency_ghz != horizontal.frequency_ghz:
        told = ", ".join(f"{one.name} ({one.frequency_ghz or 'no'} GHz)" for one in (vertical, horizontal))
        faults.append(f"{who} is computed from {told}: one frequency is expected; set `frequency_ghz` of the variables")
    if vertical.orbit != horizontal.orbit:
        told = ", ".join(f"{one.name} ({one.orbit or 'no orbit'})" for one in (vertical, horizontal))
        faults.append(f"{who} is computed from {told}: one orbit is expected, as day and night differ by more than V and H")
    return faults
