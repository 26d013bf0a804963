"""Scenarios: other weights and another bias correction for a run, fitted in a moment on its own out-of-fold predictions.

A run keeps the out-of-fold predictions on which its fusion was fitted, so fusion, correction and intervals can be fitted again
without training anything. A scenario says how: a few plain values with a name, kept as ``scenarios/<name>.json`` of the run. The
map page, the tiles, the export and the command line know scenarios by that name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.samples import Samples
from alm_core.errors import StudyError, WorkspaceError
from alm_core.learning.folds import Folds
from alm_core.learning.fusion import Fusion
from alm_core.learning.procedure import LearnerSpec, Procedure, fit_regression_fusion
from alm_core.learning.weighting import METHODS
from alm_core.options import StudyOptions
from alm_core.stages.mapping import INNER
from alm_core.workspace import RECORD, Run, disk_faults, hash_values, read_json, write_json

DEFAULT = "study"
"""Name of the scenario that is the study's own fusion; no other may have it."""
CORRECTIONS = ("none", "regression", "distribution", "zscore", "blend")
"""Corrections that are curves with knots that a browser can fit again; not the residual model, not isotonic steps."""
FOLDER = "scenarios"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")
MAXIMUM_SCENARIOS = 200
MAXIMUM_NOTE = 1000
QUERY = ("preset", "weights", "correction", "lambda")
"""Parameters of a link that carries a scenario; weights stand in the order of the learners."""
OBSTACLES = {
    "classes": "This run maps classes: weights and bias correction of a number do not apply to it.",
    "residual": (
        "This run adds a model of the residual, which was fitted for its own weights. "
        "Change [fusion] or [bias] of the study and run it again."
    ),
    "unfinished": "The models of this run are not fitted yet. Finish it with `python -m alm_core run`.",
}


@dataclass(frozen=True)
class Scenario:
    """How the members of a run become one value.

    Attributes
    ----------
    name : str
        Letters, digits, ``_`` and ``-``, at most 41; ``study`` is the study's own.
    method : str
        A name of `alm_core.learning.weighting.METHODS`.
    weights : dict
        Of ``manual``: weight by learner; a learner left out weighs 0. Empty for every other method.
    correction : str
        A name of `CORRECTIONS` (of the study's own also ``residual``).
    blend : float
        lambda of ``blend``: 0 regression on estimates, 1 distribution matching.
    gamma, power, bandwidth : float
        See `alm_core.learning.fusion.fit_fusion`.
    note : str
        What it is for, in the words of who saved it.

    Examples
    --------
    >>> Scenario("two_to_one", method="manual", weights={"forest": 2.0, "boosted": 1.0}).key
    ('manual', (('boosted', 0.333...), ('forest', 0.666...)), 'blend', 0.5)
    """

    name: str
    method: str = "bias_aware"
    weights: dict[str, float] = field(default_factory=dict)
    correction: str = "blend"
    blend: float = 0.5
    gamma: float = 1.0
    power: float = 2.0
    bandwidth: float = 0.35
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse what no fusion could be fitted with, by name."""
        check_name(self.name)
        if self.method not in METHODS:
            raise StudyError(f"The method {self.method!r} came: choose one of {', '.join(METHODS)}.")
        allowed = (*CORRECTIONS, "residual") if self.name == DEFAULT else CORRECTIONS
        if self.correction not in allowed:
            raise StudyError(f"The correction {self.correction!r} came: choose one of {', '.join(CORRECTIONS)}.")
        if not isinstance(self.note, str) or len(self.note) > MAXIMUM_NOTE:
            raise StudyError(f"The note of a scenario is text of at most {MAXIMUM_NOTE} characters.")
        for name in ("blend", "gamma", "power", "bandwidth"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        if not (0 <= self.blend <= 1 and self.gamma >= 0 and self.power > 0 and self.bandwidth > 0):
            raise StudyError(
                f"lambda {self.blend}, gamma {self.gamma}, power {self.power}, bandwidth {self.bandwidth} came: "
                "lambda from 0 to 1, gamma of at least 0, power and bandwidth above 0 are expected."
            )
        object.__setattr__(self, "weights", self._checked_weights() if self.method == "manual" else {})

    def _checked_weights(self) -> dict[str, float]:
        if not isinstance(self.weights, Mapping) or not all(isinstance(name, str) for name in self.weights):
            raise StudyError("Weights by hand are expected as learner: number.")
        weights = {name: _number(f"weight of {name}", value) for name, value in self.weights.items()}
        if not weights or min(weights.values()) < 0 or not 0 < sum(weights.values()) < math.inf:
            raise StudyError(f"Weights {weights} came: numbers of at least 0, not all 0, are expected.")
        return weights

    @property
    def key(self) -> tuple[Any, ...]:
        """What decides the fusion and nothing else: equal keys fuse alike, whatever the name and the note."""
        total = sum(self.weights.values())
        shares = tuple(sorted((name, value / total) for name, value in self.weights.items() if value > 0))
        method: dict[str, tuple[Any, ...]] = {
            "manual": (shares,),
            "inverse_error": (self.power,),
            "bias_aware": (self.gamma, self.bandwidth),
        }
        return (self.method, *method.get(self.method, ()), self.correction, *([self.blend] if self.correction == "blend" else []))

    @property
    def fingerprint(self) -> str:
        """Short hash of the key, for URLs that must change when the fusion does."""
        return hash_values(self.key)[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Any) -> Scenario:
        """Inverse of `to_dict`; what comes is checked.

        Raises
        ------
        StudyError
            Not a table, an unknown key, or a value of the wrong kind or outside its range.
        """
        known = {part.name for part in fields(cls)}
        if not isinstance(content, Mapping) or "name" not in content or set(content) - known:
            raise StudyError(f"A scenario has a name and any of {', '.join(sorted(known - {'name'}))}; something else came.")
        return cls(**content)


def check_name(name: Any) -> str:
    """The name of a scenario.

    Raises
    ------
    StudyError
        It could not be a file name everywhere.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise StudyError(
            f"{str(name)[:60]!r} can't name a scenario: use 1 to 41 letters, digits, - and _, the first a letter or a digit."
        )
    return name


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise StudyError(f"The {what} is {str(value)[:40]!r}: a finite number is expected.")
    return float(value)


# ---- which runs, and the study's own ------------------------------------------------------------------------------------


def obstacle(run: Run) -> str | None:
    """Why a run has no scenarios, as a key of `OBSTACLES`: ``classes``, ``residual`` or ``unfinished``; None where it has."""
    options = run.record["options"]
    if options["target"]["task"] != "regression":
        return "classes"
    if options["kriging"]["residual"] or options["bias"]["method"] == "residual":
        return "residual"
    return None if (run.folder / INNER).is_file() and (run.folder / "fusion.json").is_file() else "unfinished"


def supports_scenarios(run: Run) -> str | None:
    """Why a run has no scenarios, in a sentence; None where it has them."""
    found = obstacle(run)
    return None if found is None else OBSTACLES[found]


def learner_names(run: Run) -> tuple[str, ...]:
    """The members of a run, in order."""
    return tuple(learner["name"] for learner in run.record["options"]["learners"])


def default_scenario(run: Run) -> Scenario:
    """The study's own fusion and correction."""
    options = run.record["options"]
    return Scenario(DEFAULT, **options["fusion"], correction=options["bias"]["method"], blend=options["bias"]["blend"])


def manual_scenario(run: Run, weights: Mapping[str, float], *, name: str = "by-hand") -> Scenario:
    """Weights by hand with the correction of the study.

    Raises
    ------
    StudyError
        A weight for a learner that the run does not have, or weights that are none.
    """
    bias = run.record["options"]["bias"]
    scenario = Scenario(name, method="manual", weights=dict(weights), correction=bias["method"], blend=bias["blend"])
    check_learners(scenario, learner_names(run))
    return scenario


def check_learners(scenario: Scenario, learners: Sequence[str]) -> None:
    """Raise `StudyError` where a scenario gives weight to a learner that is none of these."""
    unknown = sorted(set(scenario.weights) - set(learners))
    if unknown:
        raise StudyError(f"Weights came for {', '.join(unknown)}; the learners of this run are {', '.join(learners)}.")


# ---- files --------------------------------------------------------------------------------------------------------------


def list_scenarios(run: Run) -> tuple[Scenario, ...]:
    """The saved scenarios of a run by name; the study's own is not among them."""
    files = sorted((run.folder / FOLDER).glob("*.json"))
    return tuple(load_scenario(run, file.stem) for file in files if NAME.fullmatch(file.stem))


def load_scenario(run: Run, name: str) -> Scenario:
    """A scenario of a run by name; ``study`` is the study's own.

    Raises
    ------
    StudyError
        No scenario has this name, or its file holds something else.
    """
    if check_name(name) == DEFAULT:
        return default_scenario(run)
    path = _path(run, name)
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.json") if NAME.fullmatch(file.stem))
        raise StudyError(f"This run has no scenario {name!r}. It has {', '.join([DEFAULT, *known])}.")
    scenario = Scenario.from_dict({**_table(read_json(path), path), "name": name})
    check_learners(scenario, learner_names(run))
    return scenario


def _table(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise StudyError(f"{path} is not a scenario: a table was expected. Delete the file.")
    return content


def save_scenario(run: Run, scenario: Scenario) -> Path:
    """Keep a scenario under its name; an older one of that name is replaced.

    Raises
    ------
    StudyError
        The run has no scenarios, the name is that of the study's own, or a weight is for an unknown learner.
    WorkspaceError
        The disk is full or read-only, or there are too many scenarios already.
    """
    reason = supports_scenarios(run)
    if reason is not None:
        raise StudyError(reason)
    if scenario.name == DEFAULT:
        raise StudyError(f"{DEFAULT!r} is the study's own fusion: give the scenario another name.")
    check_learners(scenario, learner_names(run))
    path = _path(run, scenario.name)
    if not path.is_file() and len(list(path.parent.glob("*.json"))) >= MAXIMUM_SCENARIOS:
        raise WorkspaceError(f"This run has {MAXIMUM_SCENARIOS} scenarios already: delete some first.")
    write_json(path, scenario.to_dict())
    return path


def delete_scenario(run: Run, name: str) -> None:
    """Remove a saved scenario.

    Raises
    ------
    StudyError
        There is none of this name; the study's own can't be removed.
    """
    path = _path(run, check_name(name))
    if name == DEFAULT or not path.is_file():
        raise StudyError(f"This run has no saved scenario {name!r} to delete.")
    with disk_faults(path):
        path.unlink()


def _path(run: Run, name: str) -> Path:
    return run.folder / FOLDER / f"{name}.json"


# ---- links --------------------------------------------------------------------------------------------------------------


def to_query(scenario: Scenario, learners: Sequence[str]) -> dict[str, str]:
    """Parameters of a link that carries the scenario; `from_query` reads them.

    Examples
    --------
    >>> to_query(Scenario("mine", method="manual", weights={"a": 0.25, "b": 0.75}, blend=0.3), ["a", "b"])
    {'preset': 'manual', 'correction': 'blend', 'lambda': '0.3', 'weights': '0.25,0.75'}
    """
    if scenario.name == DEFAULT:
        return {"preset": DEFAULT}
    query = {"preset": scenario.method, "correction": scenario.correction, "lambda": f"{scenario.blend:.6g}"}
    if scenario.method == "manual":
        query["weights"] = ",".join(f"{scenario.weights.get(name, 0.0):.6g}" for name in learners)
    return query


def from_query(parameters: Mapping[str, str], run: Run, *, name: str = "link") -> Scenario | None:
    """The scenario that a link carries; None where it carries none.

    What the link leaves out is as in the study.

    Raises
    ------
    StudyError
        A value that no scenario has, such as a negative weight: say so and go on with the study's own.
    """
    given = {key: parameters[key] for key in QUERY if key in parameters}
    if not given:
        return None
    own, learners = default_scenario(run), learner_names(run)
    method = given.get("preset", "manual" if "weights" in given else own.method)
    if method == DEFAULT:
        return own
    weights = own.weights
    if method == "manual" and "weights" in given:
        numbers = [_from_text("weight", part) for part in given["weights"].split(",")[: len(learners) + 1]]
        if len(numbers) != len(learners):
            raise StudyError(f"The link has another number of weights than the {len(learners)} learners of this run.")
        weights = dict(zip(learners, numbers, strict=True))
    return Scenario(
        name,
        method=method,
        weights=weights,
        correction=given.get("correction", own.correction),
        blend=_from_text("lambda", given["lambda"]) if "lambda" in given else own.blend,
        gamma=own.gamma,
        power=own.power,
        bandwidth=own.bandwidth,
    )


def _from_text(what: str, text: str) -> float:
    try:
        return _number(what, float(text))
    except ValueError as fault:
        raise StudyError(f"The {what} of the link is {text[:40]!r}: a number is expected.") from fault


# ---- fitting ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InnerPairs:
    """The out-of-fold pairs on which the fusion of a run was fitted.

    Attributes
    ----------
    samples : Samples
    folds : ndarray of int
        ``[site]``: the inner fold whose models predicted it.
    members : ndarray
        ``[learner, site]``, each predicted by a model that never saw the site.
    """

    samples: Samples
    folds: np.ndarray
    members: np.ndarray


def inner_pairs(run: Run) -> InnerPairs:
    """Read the inner out-of-fold pairs of a run of regression."""
    samples = Samples.from_parquet(run.file("samples.parquet"))
    inner = pd.read_parquet(run.file(INNER)).set_index("site_id").loc[samples.site_ids]
    return InnerPairs(samples, inner["fold"].to_numpy(), inner[list(learner_names(run))].to_numpy().T)


def fusion_options(scenario: Scenario, options: StudyOptions) -> dict[str, Any]:
    """Keyword arguments of `fit_fusion` for a scenario, the physical range of the study included."""
    return {
        "method": scenario.method,
        "weights": scenario.weights or None,
        "power": scenario.power,
        "gamma": scenario.gamma,
        "bandwidth": scenario.bandwidth,
        "correction": scenario.correction,
        "blend": scenario.blend,
        "minimum": options.target.minimum,
        "maximum": options.target.maximum,
    }


def scenario_fusion(run: Run, scenario: Scenario) -> Fusion:
    """The fusion of a scenario with its interval model.

    Weights, correction and intervals are fitted on the run's own inner out-of-fold pairs, as the study's were; what fuses as the
    study does is the run's fusion.json itself. Fits are remembered, so tiles may ask again and again.

    Raises
    ------
    StudyError
        The run has no scenarios (classes, or a residual model), or a weight is for an unknown learner.

    Notes
    -----
    Weights chosen by looking at scores have seen every site: the intervals of such a scenario are a little too narrow.
    """
    inner, record = run.folder / INNER, run.folder / RECORD
    if not inner.is_file():
        raise StudyError(supports_scenarios(run) or OBSTACLES["unfinished"])
    stamps = (inner.stat().st_mtime_ns, record.stat().st_mtime_ns)
    return _fit(str(run.folder), stamps, _Keyed(scenario))


class _Keyed:
    """A scenario that is hashed and compared by what decides its fusion."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def __hash__(self) -> int:
        return hash(self.scenario.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and other.scenario.key == self.scenario.key


@lru_cache(maxsize=128)
def _fit(folder: str, stamps: tuple[int, int], keyed: _Keyed) -> Fusion:
    """Fit, or read the study's own; `stamps` only tells an old run from a new one."""
    run, scenario = Run(Path(folder)), keyed.scenario
    reason = supports_scenarios(run)
    if reason is not None:
        raise StudyError(reason)
    options = StudyOptions.model_validate(run.record["options"])
    learners = learner_names(run)
    check_learners(scenario, learners)
    if scenario.key == default_scenario(run).key:
        return Fusion.from_dict(read_json(run.file("fusion.json")))
    pairs, uncertainty = inner_pairs(run), options.uncertainty
    plan = Procedure(
        learners=tuple(LearnerSpec(name, name) for name in learners),
        fusion=fusion_options(scenario, options),
        interval={"level": uncertainty.level, "normalise": uncertainty.normalise} if uncertainty.method != "none" else None,
        seed=options.study.seed,
    )
    folds = Folds(uncertainty.scheme, pairs.folds[None], {})
    return fit_regression_fusion(pairs.samples, plan, folds, pairs.members)[0]
