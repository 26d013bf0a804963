"""A run at one glance: how far it came, how good it is, which files there are to show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alm_core.errors import AlmError
from alm_core.inspection.days_scores import day_scores
from alm_core.workspace import Run, list_runs

FUSED = "fused"
REGRESSION_SCORES = ("r2", "rmse", "picp")
CLASS_SCORES = ("overall_accuracy", "kappa")
THUMBNAIL = "map/thumbnail.png"
CARD = "card.html"


@dataclass(frozen=True)
class Score:
    """One score of the fused value.

    Attributes
    ----------
    name : str
        As in metrics.json; ``picp`` is the share of sites inside their interval.
    value : float
    low, high : float or None
        Bootstrap interval, where the run has one.
    unit : str
        Empty for what has none.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The score as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class RunOverview:
    """What a list of runs shows of one.

    Attributes
    ----------
    id : str
        ``study/run id``.
    study, title, target, unit : str
    task : str
        regression or classification.
    simulated : bool
    finished : bool
        Every stage is done.
    stages_done, stages : int
    next_stage : str
        The stage that it stopped at; empty for a finished one.
    scheme : str
        The scheme that answers for the map; empty before the run is scored.
    scores : tuple of Score
    level : float or None
        Nominal coverage of the intervals.
    sites : int or None
        Sites, or cell-days of a run of days, that the scores rest on.
    days : tuple of str
        First and last day of a run that maps days; empty for others.
    thumbnail, card : Path or None
    changed : float
        When run.json was last written, seconds since 1970.
    study_file : str
        Where its study lay.
    fault : str
        Why it can't be read; empty where it can.
    """

    id: str
    study: str
    title: str
    target: str = ""
    unit: str = ""
    task: str = "regression"
    simulated: bool = False
    finished: bool = False
    stages_done: int = 0
    stages: int = 0
    next_stage: str = ""
    scheme: str = ""
    scores: tuple[Score, ...] = ()
    level: float | None = None
    sites: int | None = None
    days: tuple[str, ...] = ()
    thumbnail: Path | None = None
    card: Path | None = None
    changed: float = 0.0
    study_file: str = ""
    fault: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The overview as plain values, for JSON."""
        return asdict(self) | {"thumbnail": self.thumbnail and str(self.thumbnail), "card": self.card and str(self.card)}


def run_overview(run: Run) -> RunOverview:
    """Look at a run; a damaged one is given with its fault, and nothing is raised."""
    id = f"{run.folder.parent.name}/{run.id}"
    try:
        return _overview(run, id)
    except (AlmError, LookupError, TypeError, OSError) as fault:
        text = str(fault) if isinstance(fault, AlmError) else f"{run.folder} is incomplete ({fault}). Delete it and run again."
        return RunOverview(id, run.folder.parent.name, run.folder.parent.name, fault=text)


def run_overviews(workspace: str | Path) -> list[RunOverview]:
    """Every run of a workspace, newest first."""
    return sorted((run_overview(run) for run in list_runs(Path(workspace))), key=lambda found: -found.changed)


def _overview(run: Run, id: str) -> RunOverview:
    record = run.record
    options, stages, order = record["options"], record["stages"], record["order"]
    done = [name for name in order if stages.get(name, {}).get("state") == "done"]
    waiting = [name for name in order if name not in done]
    scored = "validation" in done
    days = options.get("days") or {}
    scheme, scores, sites = (_day_scores if days else _scores)(run) if scored else ("", (), None)
    interval = options["uncertainty"]
    regression = options["target"]["task"] == "regression" and not days
    return RunOverview(
        id=id,
        study=record["study"],
        title=record["title"] or record["study"],
        target=options["target"]["name"],
        unit=options["target"]["unit"],
        task="regression" if regression else "classification",
        simulated=bool(record["simulated"]),
        finished=not waiting,
        stages_done=len(done),
        stages=len(order),
        next_stage=waiting[0] if waiting else "",
        scheme=scheme,
        scores=scores,
        level=interval["level"] if regression and interval["method"] != "none" else None,
        sites=sites,
        days=(days["first"], days["last"]) if days else (),
        thumbnail=_existing(run.folder / THUMBNAIL),
        card=_existing(run.folder / CARD),
        changed=(run.folder / "run.json").stat().st_mtime,
        study_file=record.get("study_file") or "",
    )


def _scores(run: Run) -> tuple[str, tuple[Score, ...], int | None]:
    metrics = run.metrics()
    schemes = metrics["schemes"]
    # The named scheme may be one that the study did not ask for: the last one stands in, and is named.
    scheme = metrics["headline"] if metrics["headline"] in schemes else list(schemes)[-1]
    found = schemes[scheme][FUSED]
    names = REGRESSION_SCORES if metrics["task"] == "regression" else CLASS_SCORES
    intervals = found.get("interval", {})
    scores = []
    for name in names:
        if found.get(name) is None:
            continue
        low, high = intervals.get(name) or (None, None)
        scores.append(Score(name, float(found[name]), low, high, metrics["unit"] if name == "rmse" else ""))
    count = found.get("count")
    return scheme, tuple(scores), None if count is None else int(count)


def _day_scores(run: Run) -> tuple[str, tuple[Score, ...], int | None]:
    found = day_scores(run)
    own = found.scores(found.headline, found.mapped)
    scores = []
    for name in CLASS_SCORES:
        if own.get(name) is not None:
            low, high = (own.get("interval") or {}).get(name) or (None, None)
            scores.append(Score(name, float(own[name]), low, high))
    return found.headline, tuple(scores), own.get("count")


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
