"""What a classification got right, class by class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rasterio.enums import Resampling

from alm_core.diagnostics.pairs import columns_of, out_of_fold
from alm_core.errors import SitesError, StudyError
from alm_core.grid import Grid
from alm_core.learning.class_metrics import area_adjusted_accuracy, class_labels, class_scores
from alm_core.learning.validation import FUSED
from alm_core.mapping.cog import open_raster
from alm_core.mapping.true_area import cell_areas
from alm_core.workspace import Run, read_json

SQUARE_METRES_PER_SQUARE_KILOMETRE = 1e6
MOST_PIXELS = 4000


@dataclass(frozen=True)
class ClassReport:
    """Scores of a classification under one scheme.

    Attributes
    ----------
    classes : tuple of str
    confusion : ndarray
        Counts ``[mapped class, reference class]``, all repeats together.
    overall_accuracy, kappa, balanced_accuracy, f1_macro, mcc : float
    recall, precision, f1 : tuple of float
        Per class: producer's accuracy, user's accuracy, and their harmonic mean; NaN for a class never seen or never mapped.
    area_adjusted : dict or None
        `area_adjusted_accuracy` over the mapped area in square kilometres; None without a map, or where a mapped class has
        fewer than two sites. Sites are no random sample of the map, so it is a rough guide.
    """

    classes: tuple[str, ...]
    confusion: np.ndarray
    overall_accuracy: float
    kappa: float
    balanced_accuracy: float
    f1_macro: float
    mcc: float
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    f1: tuple[float, ...]
    area_adjusted: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "confusion": self.confusion.tolist()}


def class_report(run: Run, scheme: str, column: str = FUSED) -> ClassReport:
    """Confusion matrix and scores per class of one learner or the fusion.

    Raises
    ------
    StudyError
        The study maps numbers, or the scheme or column is unknown.
    """
    if run.metrics()["task"] != "classification":
        raise StudyError("This study maps numbers: it has no classes to confuse. Look at observed against predicted.")
    found = out_of_fold(run)
    if column not in columns_of(found, scheme):
        raise StudyError(f"{column!r} was not predicted under {scheme}.")
    rows = found.of(scheme)
    everything = found.frame[["observed", *found.learners, FUSED]].to_numpy().ravel()
    labels = list(class_labels(everything))
    scores = class_scores(rows["observed"].to_numpy(), rows[column].to_numpy(), labels=labels)
    names = tuple(str(label) for label in labels)
    confusion = np.asarray(scores["confusion"])
    return ClassReport(
        classes=names,
        confusion=confusion,
        **{name: scores[name] for name in ("overall_accuracy", "kappa", "balanced_accuracy", "f1_macro", "mcc")},
        recall=tuple(scores["producers_accuracy"][name] for name in names),
        precision=tuple(scores["users_accuracy"][name] for name in names),
        f1=tuple(scores["f1"][name] for name in names),
        area_adjusted=_area_adjusted(run, names, confusion),
    )


def class_name(label: object) -> str:
    """A class as people write it: whole numbers without a decimal point.

    Examples
    --------
    >>> class_name(1.0), class_name("2.0"), class_name("frozen"), class_name("v1.0")
    ('1', '2', 'frozen', 'v1.0')
    """
    text = str(label)
    whole = text.removesuffix(".0")
    return whole if whole.lstrip("-").isdigit() else text


def class_areas(run: Run) -> dict[str, float] | None:
    """Mapped area of every class in square kilometres; None without a class map.

    Large rasters are read through their overviews (mode), so small patches of a class may be lost there.
    """
    path = run.folder / "map" / "fused.tif"
    if not path.is_file() or not (run.folder / "map" / "map.json").is_file():
        return None
    codes = read_json(run.folder / "map" / "map.json")["classes"]
    with open_raster(path) as dataset:
        step = max(1, int(np.ceil(max(dataset.shape) / MOST_PIXELS)))
        shape = max(1, dataset.height // step), max(1, dataset.width // step)
        stored = dataset.read(1, out_shape=shape, masked=True, resampling=Resampling.nearest)
        grid = Grid.from_dataset(dataset)
    middles = (((np.arange(part) + 0.5) * whole / part).astype(int) for part, whole in zip(shape, grid.shape, strict=True))
    area = cell_areas(grid, *middles) * (grid.size / (shape[0] * shape[1]))
    valid = ~np.ma.getmaskarray(stored)
    return {
        label: float(area[(stored.data == int(code)) & valid].sum()) / SQUARE_METRES_PER_SQUARE_KILOMETRE
        for code, label in codes.items()
    }


def _area_adjusted(run: Run, names: tuple[str, ...], confusion: np.ndarray) -> dict[str, Any] | None:
    areas = class_areas(run)
    if areas is None or any(name not in areas for name in names):
        return None
    try:
        return area_adjusted_accuracy(confusion, np.array([areas[name] for name in names]))
    except SitesError:
        # a class with fewer than two sites has no error of its own: the page says so
        return None
