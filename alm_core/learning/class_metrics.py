"""Scores of predicted classes against observed ones.

A confusion matrix here has the map in its rows and the reference in its columns, as remote sensing writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alm_core.errors import DomainError, SitesError

NAN = float("nan")
LEAST_PROBABILITY = 1e-15
MISSING = -1


def confusion_matrix(y: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts [mapped class, reference class] of class numbers 0 to n_classes - 1."""
    y, labels = np.asarray(y, dtype=int), np.asarray(labels, dtype=int)
    if y.size and (min(y.min(), labels.min()) < 0 or max(y.max(), labels.max()) >= n_classes):
        raise DomainError(f"class numbers outside 0 to {n_classes - 1}: number the classes from 0, in the order of their names")
    return np.bincount(labels * n_classes + y, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_scores(y: np.ndarray, prediction: np.ndarray, *, labels: Sequence[Any] | None = None) -> dict[str, Any]:
    """All scores of a classification.

    Parameters
    ----------
    y : ndarray
        Observed classes [site]: values of `labels`, or without `labels` class numbers from 0 (negative = missing) or texts.
    prediction : ndarray
        Predicted classes [site] of the same kind, or probabilities [site, class] (NaN = missing) in the order of `labels`.
    labels : sequence, optional
        The classes, in order. Default: the numbers 0, 1, ... of the probabilities' columns or up to the largest seen; or the
        texts seen, sorted.

    Returns
    -------
    dict
        ``count, missing``; ``overall_accuracy, kappa, balanced_accuracy, mcc, f1_macro``; ``quantity_disagreement,
        allocation_disagreement`` (Pontius and Millones 2011; they sum to 1 - overall accuracy); per class name
        ``users_accuracy, producers_accuracy, f1``; ``confusion`` (nested lists [mapped, reference]) and ``classes``; with
        probabilities also ``brier`` (summed over classes, 0 to 2) and ``log_loss``. What a class never seen can't answer is NaN
        and does not enter means.

    Raises
    ------
    SitesError
        No complete pair.
    DomainError
        Shapes that don't fit, or a class outside `labels`.

    Examples
    --------
    >>> scores = class_scores(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    >>> scores["overall_accuracy"], scores["kappa"]
    (0.75, 0.5)
    """
    y, prediction = np.asarray(y), np.asarray(prediction)
    if y.ndim != 1 or prediction.ndim not in (1, 2) or len(prediction) != y.size:
        raise DomainError(
            f"classes of shape {y.shape} and predictions of shape {prediction.shape}: [site] and [site] or [site, class]"
        )
    with_probabilities = prediction.ndim == 2
    if labels is None:
        labels = _labels_seen(y, prediction)
    if with_probabilities and prediction.shape[1] != len(labels):
        raise DomainError(f"{prediction.shape[1]} columns of probabilities for {len(labels)} classes: one per class is expected")
    y = class_codes(y, labels)
    codes = np.where(np.isfinite(prediction).all(axis=1), 0, MISSING) if with_probabilities else class_codes(prediction, labels)
    keep = (y != MISSING) & (codes != MISSING)
    if not keep.any():
        raise SitesError(f"none of {y.size} sites has both a class and a prediction: nothing can be scored")
    y, codes = y[keep], prediction[keep].argmax(axis=1) if with_probabilities else codes[keep]
    matrix = confusion_matrix(y, codes, len(labels))
    scores = {"count": int(keep.sum()), "missing": int((~keep).sum())} | confusion_scores(
        matrix, [str(label) for label in labels]
    )
    return scores | probability_scores(y, prediction[keep]) if with_probabilities else scores


def class_labels(target: np.ndarray) -> tuple[Any, ...]:
    """The classes of a study in order; whole numbers are written as such, so that class 1 is not called 1.0.

    Examples
    --------
    >>> class_labels(np.array([2.0, 1.0, 2.0]))
    (1, 2)
    """
    found = np.unique(target).tolist()
    return tuple(int(label) if isinstance(label, float) and label.is_integer() else label for label in found)


def class_codes(values: np.ndarray, labels: Sequence[Any]) -> np.ndarray:
    """Place of each value in `labels`; -1 for a missing one (NaN, None, a negative number that is no label).

    Raises
    ------
    DomainError
        A value that is neither a label nor missing.
    """
    values = np.asarray(values)
    codes = np.full(values.shape, MISSING)
    for place, label in enumerate(labels):
        codes[values == label] = place
    unknown = {str(value) for value in values[codes == MISSING].tolist() if not _is_missing(value)}
    if unknown:
        raise DomainError(f"classes {', '.join(sorted(unknown)[:5])} are not among {', '.join(str(label) for label in labels)}")
    return codes


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and (value != value or value < 0))


def _labels_seen(y: np.ndarray, prediction: np.ndarray) -> list[Any]:
    """Labels where none were given."""
    if prediction.ndim == 2:
        return list(range(prediction.shape[1]))
    if y.dtype.kind in "biuf" and prediction.dtype.kind in "biuf":
        known = [part[np.isfinite(part)].max(initial=0) for part in (y.astype(float), prediction.astype(float))]
        return list(range(int(max(known)) + 1))
    return sorted({value for value in [*y.tolist(), *prediction.tolist()] if not _is_missing(value)})


def confusion_scores(matrix: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Scores that a confusion matrix [mapped, reference] answers; see `class_scores`."""
    share = matrix / matrix.sum()
    mapped, reference, right = share.sum(axis=1), share.sum(axis=0), np.diag(share)
    accuracy, chance = float(right.sum()), float(mapped @ reference)
    users, producers = _quotient(right, mapped), _quotient(right, reference)
    f1 = _quotient(2 * right, mapped + reference)
    quantity = float(0.5 * np.abs(mapped - reference).sum())
    spread = np.sqrt((1 - mapped @ mapped) * (1 - reference @ reference))
    return {
        "overall_accuracy": accuracy,
        "kappa": (accuracy - chance) / (1 - chance) if chance < 1 else NAN,
        "balanced_accuracy": float(np.nanmean(producers)),
        "mcc": (accuracy - chance) / float(spread) if spread > 0 else 0.0,
        "f1_macro": float(np.nanmean(f1)),
        "quantity_disagreement": quantity,
        "allocation_disagreement": max(1 - accuracy - quantity, 0.0),
        "users_accuracy": dict(zip(names, users.tolist(), strict=True)),
        "producers_accuracy": dict(zip(names, producers.tolist(), strict=True)),
        "f1": dict(zip(names, f1.tolist(), strict=True)),
        "confusion": matrix.tolist(),
        "classes": list(names),
    }


def probability_scores(y: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Brier score (summed over classes) and log loss of probabilities [site, class]."""
    truth = np.eye(probabilities.shape[1])[y]
    given = np.clip(probabilities[np.arange(y.size), y], LEAST_PROBABILITY, 1)
    return {
        "brier": float(np.mean(((probabilities - truth) ** 2).sum(axis=1))),
        "log_loss": float(-np.mean(np.log(given))),
    }


def area_adjusted_accuracy(confusion: np.ndarray, mapped_area: np.ndarray) -> dict[str, Any]:
    """Accuracy and area per class of a map sampled by its own classes, with standard errors.

    Parameters
    ----------
    confusion : ndarray
        Counts [mapped class, reference class] of a sample that is random within each mapped class.
    mapped_area : ndarray
        Mapped area of each class, any unit (or pixels).

    Returns
    -------
    dict
        ``overall_accuracy, overall_accuracy_se``; lists by class ``users_accuracy, users_accuracy_se, producers_accuracy,
        producers_accuracy_se, area, area_se`` (area in the unit given).

    Raises
    ------
    SitesError
        A mapped class with fewer than two samples.

    Notes
    -----
    Olofsson et al. (2014), Remote Sensing of Environment 148:42-57, equations 4 to 11. Not for a sample of convenience, such as
    field sites along roads: their errors don't stand for the mapped class.
    """
    counts, area = np.asarray(confusion, dtype=float), np.asarray(mapped_area, dtype=float)
    if counts.ndim != 2 or counts.shape != (area.size, area.size) or (area < 0).any() or area.sum() <= 0:
        raise DomainError(
            f"a confusion matrix of shape {counts.shape} and areas {area.tolist()}: [class, class] and one area >= 0 each"
        )
    rows = counts.sum(axis=1)
    if (rows < 2).any():
        raise SitesError(f"mapped classes {np.flatnonzero(rows < 2).tolist()} have fewer than 2 samples: sample each class")
    weight = area / area.sum()
    within = counts / rows[:, None]
    share = weight[:, None] * within
    variance = within * (1 - within) / (rows - 1)[:, None]
    users, reference = np.diag(within), share.sum(axis=0)
    users_variance = np.diag(variance)
    producers = _quotient(np.diag(share), reference)
    # Errors of the class's own stratum, and of all others into the class.
    own = weight**2 * (1 - producers) ** 2 * users_variance
    other = producers**2 * ((weight**2)[:, None] * (variance - np.diag(users_variance))).sum(axis=0)
    return {
        "overall_accuracy": float(weight @ users),
        "overall_accuracy_se": float(np.sqrt(weight**2 @ users_variance)),
        "users_accuracy": users.tolist(),
        "users_accuracy_se": np.sqrt(users_variance).tolist(),
        "producers_accuracy": producers.tolist(),
        "producers_accuracy_se": _quotient(np.sqrt(own + other), reference).tolist(),
        "area": (reference * area.sum()).tolist(),
        "area_se": (np.sqrt(weight**2 @ variance) * area.sum()).tolist(),
    }


def _quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Element-wise quotient, NaN for zero divisors."""
    return np.divide(above, below, out=np.full(np.shape(below), NAN), where=below != 0)
