"""Predictors of a day: from the variables of that day and of days before it, from the season, and from what never changes.

No future day is ever read, and a value does not depend on how the days are parted into calls, to the last bit: a map made year by
year is that of one made at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alm_core.cubes.feature_kinds import METHODS, SEASONAL, Feature, check_feature
from alm_core.cubes.running import running_mean, running_range, running_sd
from alm_core.cubes.seasons import day_of_year_angle, seasonal_temperature
from alm_core.cubes.store import CubeStore, Variable
from alm_core.errors import GridError, StudyError

NEAR_18_GHZ, NEAR_36_GHZ = (18.0, 19.5), (36.0, 37.5)
"""Channels of SSM/I (19.35, 37.0), AMSR-E, AMSR2 and MWRI (18.7, 36.5) that make the quasi-emissivity."""
CELLS_AT_ONCE = 512
"""Cells whose windows are computed together: few enough for the cache of a processor, three times faster than all at once."""
RUNNERS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "running_mean": running_mean,
    "running_sd": running_sd,
    "running_range": running_range,
}


@dataclass(frozen=True)
class FeaturePlan:
    """The predictors of a study of days.

    Attributes
    ----------
    daily : tuple of Feature
    static : tuple of str
        Layers that never change, offered as they are.
    """

    daily: tuple[Feature, ...]
    static: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Daily features, then static layers: the column order of every table and model."""
        return (*(feature.name for feature in self.daily), *self.static)

    @property
    def layers(self) -> tuple[str, ...]:
        """Static layers that `compute_features` reads: those that are offered, then those that seasonal features read."""
        read = [name for feature in self.daily if feature.method in SEASONAL for name in feature.inputs]
        return tuple(dict.fromkeys((*self.static, *read)))

    @property
    def look_back(self) -> int:
        """Days before the first that are read."""
        return max((feature.look_back for feature in self.daily), default=0)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, for JSON."""
        return {
            "daily": [asdict(feature) | {"inputs": list(feature.inputs)} for feature in self.daily],
            "static": list(self.static),
            "look_back": self.look_back,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FeaturePlan:
        """The inverse of `to_dict`.

        Raises
        ------
        StudyError
            It is not what `to_dict` gives.
        """
        try:
            daily = tuple(Feature(one["name"], one["method"], tuple(one["inputs"]), int(one["days"])) for one in values["daily"])
            return cls(daily, tuple(values["static"]))
        except (KeyError, TypeError, ValueError) as fault:
            raise StudyError(f"The plan of the features is damaged ({fault!r}). Run the study again.") from fault


def make_plan(
    features: Sequence[Mapping[str, Any]],
    variables: Sequence[Variable],
    static: Sequence[str],
    *,
    hidden: Sequence[str] = (),
) -> FeaturePlan:
    """Check the features of a study, or choose them where it names none.

    Parameters
    ----------
    features : sequence of mapping
        ``name, method, inputs, days`` of each; see `METHODS`. Empty: the value of every variable that is no state, the
        polarisation ratio of every channel that is there as V and H, the quasi-emissivity 18.7H / 36.5V of every orbit that has
        both, and the day of the year as a circle. Where two variables share frequency, polarisation and orbit nothing is
        computed from them unasked.
    variables : sequence of Variable
    static : sequence of str
        Layers that never change, as features.
    hidden : sequence of str
        Further such layers that seasonal features may read, but that are no features themselves.

    Returns
    -------
    FeaturePlan

    Raises
    ------
    StudyError
        Every fault in one text: an unknown method or input, a wrong number or kind of inputs, days that mean nothing, a name
        used twice.

    Examples
    --------
    >>> tb = [Variable("h", "K", "brightness_temperature", 36.5, "H"), Variable("v", "K", "brightness_temperature", 36.5, "V")]
    >>> make_plan([], tb, ["elevation"]).names
    ('h', 'v', 'polarisation_ratio_36.5', 'day_of_year_sine', 'day_of_year_cosine', 'elevation')
    """
    chosen = [_feature(values) for values in features] if features else default_features(variables)
    known = {variable.name: variable for variable in variables}
    layers = tuple(dict.fromkeys((*static, *hidden)))
    faults = [fault for feature in chosen for fault in check_feature(feature, known, layers)]
    names = [feature.name for feature in chosen] + list(static)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        faults.append(f"the name {', '.join(doubled)} is used twice among features and layers: give each a name of its own")
    if not names:
        faults.append("there is no feature: give variables, [[days.features]] or [[covariates]]")
    if faults:
        raise StudyError(f"{len(faults)} fault(s) in the features of the days:\n  " + "\n  ".join(faults))
    return FeaturePlan(tuple(chosen), tuple(static))


def _feature(values: Mapping[str, Any]) -> Feature:
    strange = sorted(set(values) - {"name", "method", "inputs", "days"})
    if strange or "name" not in values:
        raise StudyError(f"A feature came with {', '.join(map(str, values))}: name, method, inputs and days are expected.")
    return Feature(values["name"], values.get("method", "value"), tuple(values.get("inputs", ())), int(values.get("days", 1)))


def default_features(variables: Sequence[Variable]) -> list[Feature]:
    """Features of a study that names none; see `make_plan`."""
    chosen = [Feature(one.name, "value", (one.name,)) for one in variables if one.quantity != "state"]
    bright = [one for one in variables if one.quantity == "brightness_temperature" and one.frequency_ghz]
    for frequency in sorted({one.frequency_ghz for one in bright}):
        for orbit in sorted({one.orbit for one in bright}):
            pair = _only(bright, (frequency, frequency), "V", orbit), _only(bright, (frequency, frequency), "H", orbit)
            if all(pair):
                chosen.append(Feature(f"polarisation_ratio_{frequency:g}{_suffix(orbit)}", "polarisation_ratio", pair))
    for orbit in sorted({one.orbit for one in bright}):
        pair = _only(bright, NEAR_18_GHZ, "H", orbit), _only(bright, NEAR_36_GHZ, "V", orbit)
        if all(pair):
            chosen.append(Feature(f"quasi_emissivity{_suffix(orbit)}", "ratio", pair))
    return [*chosen, *(Feature(name, name) for name in ("day_of_year_sine", "day_of_year_cosine"))]


def _suffix(orbit: str) -> str:
    return f"_{orbit}" if orbit else ""


def _only(bright: Sequence[Variable], frequencies: tuple[float, float], polarisation: str, orbit: str) -> str:
    """Name of the one variable of a channel; empty where there is none or more than one."""
    low, high = frequencies
    found = [
        one.name for one in bright if low <= one.frequency_ghz <= high and (one.polarisation, one.orbit) == (polarisation, orbit)
    ]
    return found[0] if len(found) == 1 else ""


# ---- values -------------------------------------------------------------------------------------------------------------------


def compute_features(
    plan: FeaturePlan,
    store: CubeStore,
    static: Mapping[str, np.ndarray],
    start: int,
    stop: int,
    *,
    cells: np.ndarray | None = None,
) -> np.ndarray:
    """Predictors of some days.

    Not for all days of a large grid at once: a year of 8,200 cells and 15 features takes 180 MB.

    Parameters
    ----------
    plan : FeaturePlan
    store : CubeStore
    static : mapping
        ``[cell]`` of every layer of ``plan.layers``, for all cells of the store; see `alm_core.cubes.static_layers`.
    start, stop : int
        Half open, places in ``store.dates``.
    cells : ndarray, optional
        Places in ``store.cells``; default all.

    Returns
    -------
    ndarray
        float32 ``[feature, day, cell]`` in the order of ``plan.names``; NaN where an input is missing, where fewer than half of
        the days of a window are there, and for ratios with a divisor of 0. Days before the first of the store are missing.

    Raises
    ------
    GridError
        Days outside the store, or a layer that is missing or has another number of cells.
    """
    if not 0 <= start <= stop <= store.days:
        raise GridError(f"Days {start} to {stop} were asked for: the store has days 0 to {store.days}, and start before stop.")
    layers = _layers(plan, store, static, cells)
    count = store.cells.size if cells is None else len(cells)
    values = np.empty((len(plan.names), stop - start, count), np.float32)
    read = _Reader(store, start, stop, plan.look_back, cells)
    dates = store.dates[start:stop]
    for place, feature in enumerate(plan.daily):
        values[place] = _compute(feature, read, layers, dates)
    for place, name in enumerate(plan.static, start=len(plan.daily)):
        values[place] = layers[name]
    return values


def _layers(
    plan: FeaturePlan, store: CubeStore, static: Mapping[str, np.ndarray], cells: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The static layers that are read, at the cells that are asked for."""
    found = {}
    for name in plan.layers:
        if name not in static:
            raise GridError(f"The static layer {name!r} is needed and {', '.join(static) or 'none'} came: give all of the plan.")
        layer = np.asarray(static[name], np.float32)
        if layer.shape != (store.cells.size,):
            raise GridError(f"The static layer {name!r} has the shape {layer.shape}: {(store.cells.size,)} is expected, [cell].")
        found[name] = layer if cells is None else layer[cells]
    return found


class _Reader:
    """Reads the days of a call and those before it, each variable once."""

    def __init__(self, store: CubeStore, start: int, stop: int, look_back: int, cells: np.ndarray | None) -> None:
        self.store, self.start, self.stop, self.look_back, self.cells = store, start, stop, look_back, cells
        self.kept: dict[str, np.ndarray] = {}

    def __call__(self, name: str, look_back: int = 0) -> np.ndarray:
        """float32 ``[look_back + day, cell]``; days before the first of the store are NaN."""
        if name not in self.kept:
            first = self.start - self.look_back
            found = self.store.read(name, max(first, 0), self.stop)
            found = found if self.cells is None else found[:, self.cells]
            before = np.full((max(-first, 0), found.shape[1]), np.nan, np.float32)
            self.kept[name] = np.concatenate([before, found]) if len(before) else found
        return self.kept[name][self.look_back - look_back :]


def _compute(feature: Feature, read: _Reader, layers: Mapping[str, np.ndarray], dates: np.ndarray) -> np.ndarray:
    """One feature, ``[day, cell]`` or ``[day, 1]``."""
    if feature.method in ("day_of_year_sine", "day_of_year_cosine"):
        circle = np.sin if feature.method == "day_of_year_sine" else np.cos
        return circle(day_of_year_angle(dates))[:, None]
    if feature.method in SEASONAL:
        return seasonal_temperature(*(layers[name] for name in feature.inputs), dates, days=feature.days)
    values = [read(name, feature.look_back) for name in feature.inputs]
    if feature.method in RUNNERS:
        return _running(RUNNERS[feature.method], values[0], feature.days)
    if feature.method == "change":
        return values[0][feature.days :] - values[0][: len(values[0]) - feature.days]
    return values[0] if feature.method == "value" else _of_two(feature.method, *values)


def _running(statistic: Callable[[np.ndarray, int], np.ndarray], values: np.ndarray, days: int) -> np.ndarray:
    found = np.empty((len(values) - days + 1, values.shape[1]), np.float32)
    for start in range(0, values.shape[1], CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        found[:, part] = statistic(np.ascontiguousarray(values[:, part]), days)
    return found


def _of_two(method: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    if method == "difference":
        return first - second
    above, below = (first, second) if method == "ratio" else (first - second, first + second)
    return np.divide(above, below, out=np.full(above.shape, np.nan, np.float32), where=below != 0)


__all__ = ["METHODS", "Feature", "FeaturePlan", "compute_features", "default_features", "make_plan"]
