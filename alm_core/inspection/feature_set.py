"""Score a set of covariates that a person picked, by the very procedure and folds that scored the run.

A set picked by hand is a fixed set: nothing is selected inside the folds. The run itself may have been scored with the
selection run again in every fold, which is harder. So a hand-picked set is compared with the chosen set scored the same way
(like with like), and shown beside the run's own score. Neither knows that a person has looked at all sites while picking: the
more sets are tried, the more the best of them is too good.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.samples import Samples
from alm_core.errors import MissingFileError, StudyError, WorkspaceError
from alm_core.learning.out_of_fold import OutOfFold
from alm_core.learning.validation import FUSED, score, validate
from alm_core.options import StudyOptions
from alm_core.progress import Reporter
from alm_core.stages.context import Context
from alm_core.stages.learning import outer_folds, procedure
from alm_core.study import Study
from alm_core.workspace import Run, list_runs, read_json, write_json

FOLDER = "feature_sets"
VERSION = 1
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class FeatureSetScore:
    """Scores of one set.

    Attributes
    ----------
    features : tuple of str
        Sorted.
    schemes : dict
        ``{scheme: {column: {metric: value}}}`` as in metrics.json, for the learners and the fusion.
    pairs : DataFrame
        `scheme, repeat, fold, site_id, observed, fused`: out-of-fold predictions, so that sets can be compared site by site.
    headline : str
        The scheme that answers for the map.
    task : str
    """

    features: tuple[str, ...]
    schemes: dict[str, Any]
    pairs: pd.DataFrame
    headline: str
    task: str

    @property
    def key(self) -> str:
        """Name of its file: a hash of the features."""
        return set_key(self.features)

    def score(self, scheme: str, metric: str, column: str = FUSED) -> float:
        """One score; NaN where it was not computed."""
        value = self.schemes.get(scheme, {}).get(column, {}).get(metric)
        return float("nan") if value is None else float(value)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` is the inverse."""
        return {
            "version": VERSION,
            "features": list(self.features),
            "headline": self.headline,
            "task": self.task,
            "schemes": self.schemes,
            "pairs": {name: self.pairs[name].tolist() for name in self.pairs},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FeatureSetScore:
        """Inverse of `to_dict`."""
        pairs = pd.DataFrame(values["pairs"])
        return cls(tuple(values["features"]), dict(values["schemes"]), pairs, values["headline"], values["task"])


@dataclass(frozen=True)
class SetDifference:
    """How much better one set is than another under one scheme.

    Attributes
    ----------
    mean : float
        Difference in R2 (regression) or overall accuracy (classification), above 0 where the first set is better. Both are
        pooled over all held-out sites, and the difference is exactly that of the pooled scores.
    standard_error : float
        Of that difference, paired over the folds; NaN with one fold.
    folds : int
    """

    mean: float
    standard_error: float
    folds: int

    @property
    def clear(self) -> bool:
        """More than two standard errors away from nothing."""
        return bool(np.isfinite(self.standard_error) and abs(self.mean) > 2 * self.standard_error)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"mean": self.mean, "standard_error": self.standard_error, "folds": self.folds, "clear": self.clear}


def set_key(features: Sequence[str]) -> str:
    """Short hash of a set of names, whatever their order.

    Examples
    --------
    >>> set_key(["slope", "ndvi"]) == set_key(["ndvi", "slope"])
    True
    """
    return hashlib.sha256(json.dumps(sorted(features)).encode()).hexdigest()[:16]


def score_set(
    run: Run,
    features: Sequence[str],
    *,
    schemes: Sequence[str] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> FeatureSetScore:
    """Score a fixed set of covariates: members, fusion and correction are fitted anew in every fold.

    With the chosen set of a run whose selection is not nested, the result equals the run's own scores; where the selection is
    nested, the run's scores are lower on the whole, because every fold had to find its set without the sites that score it.

    Parameters
    ----------
    run : Run
        With finished sites and covariates.
    features : sequence of str
        At least one covariate of the study, each once.
    schemes : sequence of str, optional
        Default: random folds and the headline scheme.
    workers : int
        Fits that run side by side; the result does not depend on it.

    Raises
    ------
    StudyError
        An empty set, or a name that is not a covariate of the study.
    FoldsError
        A scheme that the sites don't allow.
    """
    context = run_context(run, workers=workers)
    samples, options = context.samples, context.options
    features = _checked_features(features, samples)
    plan = procedure(context, samples, features=features, selecting=False)
    wanted = tuple(schemes) if schemes is not None else default_schemes(options)
    parts = []
    for number, scheme in enumerate(wanted):
        repeats = options.validation.repeats if scheme == "random" else 1
        folds = outer_folds(scheme, samples, plan, options, n_folds=options.validation.folds, repeats=repeats)
        parts.append(validate(samples, folds, plan, progress=_part(progress, number, len(wanted)))[0])
    found = OutOfFold.join(parts)
    scores = score(found, samples, task=plan.task, classes=plan.classes, bootstrap=0, seed=plan.seed)
    pairs = found.frame[["scheme", "repeat", "fold", "site_id", "observed", FUSED]].reset_index(drop=True)
    if progress is not None:
        progress(len(wanted), len(wanted), "scored")
    return FeatureSetScore(features, scores, pairs, options.validation.headline, plan.task)


def default_schemes(options: StudyOptions) -> tuple[str, ...]:
    """Random folds and the headline scheme."""
    return tuple(dict.fromkeys(("random", options.validation.headline)))


def run_context(run: Run, *, workers: int = 1) -> Context:
    """What the stages of a run need, read from its folder alone: the study file may have changed or gone."""
    record = run.record
    study = Study(StudyOptions.model_validate(record["options"]), run.folder)
    return Context(study, run.folder, run.id, record["inputs"], workers, Reporter("score_set", None))


def _checked_features(features: Sequence[str], samples: Samples) -> tuple[str, ...]:
    names = tuple(sorted(set(features)))
    if not names:
        raise StudyError("No covariate was picked. Pick at least one.")
    unknown = [name for name in names if name not in samples.features]
    if unknown:
        raise StudyError(f"{', '.join(unknown)}: no such covariate in this run. It has {', '.join(sorted(samples.features))}.")
    return names


def _part(progress: Progress | None, number: int, of: int) -> Progress | None:
    """Progress of one scheme of several."""
    if progress is None:
        return None
    return lambda done, total, message: progress(number * total + done, of * total, message)


# ---- comparing ----------------------------------------------------------------------------------------------------------------


def run_pairs(run: Run) -> pd.DataFrame:
    """The run's own out-of-fold predictions in the form of `FeatureSetScore.pairs`."""
    frame = pd.read_parquet(run.file("out_of_fold.parquet"))
    return frame[["scheme", "repeat", "fold", "site_id", "observed", FUSED]]


def compare_sets(pairs: pd.DataFrame, reference: pd.DataFrame, scheme: str, *, task: str = "regression") -> SetDifference | None:
    """Compare two sets on the same held-out sites.

    Parameters
    ----------
    pairs, reference : DataFrame
        `scheme, repeat, fold, site_id, observed, fused` of both.
    scheme : str
    task : {"regression", "classification"}

    Returns
    -------
    SetDifference or None
        None where one of them was not scored by the scheme, or by other folds.

    Notes
    -----
    With the loss l of a site (squared error, or 0/1 for a wrong label) and the loss of the mean L (1 for labels), fold k of K
    gives ``d_k = K * sum(l_reference - l) / sum(L)``. Their mean is the difference of the pooled scores exactly, and their spread
    over the folds gives its standard error, ``sd / sqrt(K)``.
    """
    keys = ["repeat", "fold", "site_id"]
    first = pairs[pairs["scheme"] == scheme].set_index(keys).sort_index()
    second = reference[reference["scheme"] == scheme].set_index(keys).sort_index()
    if first.empty or not first.index.equals(second.index):
        return None
    loss = [_loss(frame, task) for frame in (first, second)]
    observed = first["observed"]
    scale = len(observed)
    if task == "regression":
        repeats = observed.groupby(level="repeat")
        scale = float(((observed - repeats.transform("mean")) ** 2).sum())
    if not scale > 0:
        return None
    per_fold = (loss[1] - loss[0]).groupby(level=["repeat", "fold"]).sum()
    per_fold = per_fold * len(per_fold) / scale
    error = float(per_fold.std(ddof=1) / np.sqrt(len(per_fold))) if len(per_fold) > 1 else float("nan")
    return SetDifference(float(per_fold.mean()), error, len(per_fold))


def _loss(frame: pd.DataFrame, task: str) -> pd.Series:
    if task == "classification":
        # Labels are compared as they are: 2 and 2.0 are one class, whatever the columns' types.
        return (frame["observed"] != frame[FUSED]).astype(float)
    return (frame[FUSED] - frame["observed"]) ** 2


# ---- keeping ------------------------------------------------------------------------------------------------------------------


def save_set(run: Run, found: FeatureSetScore) -> Path:
    """Keep a scored set beside the run; the same set is written over."""
    path = run.folder / FOLDER / f"{found.key}.json"
    write_json(path, found.to_dict())
    return path


def load_set(run: Run, features: Sequence[str]) -> FeatureSetScore | None:
    """The kept scores of a set; None where it was not scored yet."""
    path = run.folder / FOLDER / f"{set_key(features)}.json"
    return _read_set(path) if path.is_file() else None


def list_sets(run: Run) -> tuple[FeatureSetScore, ...]:
    """Every kept set, the one scored last first."""
    paths = sorted((run.folder / FOLDER).glob("*.json"), key=lambda path: (-path.stat().st_mtime_ns, path.name))
    return tuple(_read_set(path) for path in paths)


def delete_set(run: Run, key: str) -> None:
    """Forget a kept set.

    Raises
    ------
    MissingFileError
        No set of that key.
    """
    known = {path.stem: path for path in (run.folder / FOLDER).glob("*.json")}
    if key not in known:
        raise MissingFileError(f"No scored set {key!r} is kept for this run: it may have been deleted already.")
    known[key].unlink()


def _read_set(path: Path) -> FeatureSetScore:
    values = read_json(path)
    if values.get("version") != VERSION:
        raise WorkspaceError(
            f"{path.name} has version {values.get('version')}, {VERSION} is expected. Delete it and score again."
        )
    return FeatureSetScore.from_dict(values)


def chosen_set(run: Run) -> tuple[str, ...]:
    """Covariates of the map of a run, sorted."""
    return tuple(sorted(read_json(run.file("selection.json"))["chosen"]))


def score_set_job(spec: Mapping[str, Any], *, workspace: Path, folder: Path, report: Progress) -> dict[str, Any]:
    """Score a set as a job, and the chosen set the same way where that was not done before.

    Parameters
    ----------
    spec : mapping
        ``run`` as ``study/run id``, ``features``, and optionally ``workers``.
    workspace : Path
    folder : Path
        Of the job; nothing is written there, the scores are kept with the run.
    report : callable
        ``report(done, total, message)``, called before every fold; it stops a job that was cancelled.

    Returns
    -------
    dict
        ``key`` of the set, its scores, and its difference to the chosen set under the headline scheme.

    Raises
    ------
    StudyError, MissingFileError
        A wrong spec, or no such run.
    """
    run = find_run(workspace, str(spec.get("run", "")))
    chosen = chosen_set(run)
    wanted = [tuple(sorted({str(name) for name in spec.get("features", ())}))]
    if wanted[0] != chosen and load_set(run, chosen) is None:
        wanted.insert(0, chosen)
    for number, features in enumerate(wanted):
        step = _part(report, number, len(wanted))
        save_set(run, score_set(run, features, workers=int(spec.get("workers", 1)), progress=step))
    found, reference = load_set(run, wanted[-1]), load_set(run, chosen)
    difference = compare_sets(found.pairs, reference.pairs, found.headline, task=found.task)
    return {
        "key": found.key,
        "features": list(found.features),
        "scores": {scheme: columns[FUSED] for scheme, columns in found.schemes.items()},
        "difference": difference.to_dict() if difference else None,
    }


def find_run(workspace: Path, key: str) -> Run:
    """The run of a workspace that is called ``study/run id``.

    Raises
    ------
    MissingFileError
        There is none.
    """
    for run in list_runs(workspace):
        if f"{run.folder.parent.name}/{run.id}" == key:
            return run
    raise MissingFileError(f"There is no run {key!r} in this workspace: it may have been deleted.")
