"""Taylor diagram: correlation, standard deviation and centred error of several predictions in one picture.

The three are sides of one triangle (law of cosines): E'^2 = s_f^2 + s_r^2 - 2 s_f s_r R. Taylor (2001), Journal of Geophysical
Research 106:7183. The mean error is not in it: look at it beside.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alm_core.diagnostics.pairs import columns_of, out_of_fold
from alm_core.learning.metrics import regression_scores
from alm_core.workspace import Run

ARC_POINTS = 181


@dataclass(frozen=True)
class TaylorPoint:
    """One prediction in a Taylor diagram, in units of the standard deviation of the observations.

    Attributes
    ----------
    name : str
    sd_ratio : float
        Standard deviation of the predictions over that of the observations: the radius.
    correlation : float
        The cosine of the angle.
    centred_rmse : float
        RMSE without the mean error, over the standard deviation of the observations: distance to the observations at (1, 0).
    mean_error : float
        In the unit of the target.
    """

    name: str
    sd_ratio: float
    correlation: float
    centred_rmse: float
    mean_error: float

    @property
    def angle_degrees(self) -> float:
        """Angle from the axis of perfect correlation."""
        return float(np.degrees(np.arccos(np.clip(self.correlation, -1, 1))))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def taylor_point(name: str, observed: np.ndarray, predicted: np.ndarray) -> TaylorPoint | None:
    """Place one prediction; None where the observations or the predictions are constant."""
    scores = regression_scores(observed, predicted)
    if not (scores["sd_observed"] > 0 and scores["sd_predicted"] > 0):
        return None
    return TaylorPoint(
        name, scores["sd_ratio"], scores["r"], scores["ubrmse"] / scores["sd_observed"], float(scores["mean_error"])
    )


def taylor_points(run: Run, scheme: str) -> tuple[TaylorPoint, ...]:
    """Every learner, the fusion and the baselines under one scheme, over all its repeats together.

    Raises
    ------
    StudyError
        The scheme was not run.
    """
    found = out_of_fold(run)
    rows = found.of(scheme) if scheme in found.schemes else None
    points = []
    for column in columns_of(found, scheme):
        point = taylor_point(column, rows["observed"].to_numpy(float), rows[column].to_numpy(float))
        if point is not None:
            points.append(point)
    return tuple(points)


def error_arc(radius: float, *, limit: float, points: int = ARC_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Places of equal centred error: the circle of `radius` around the observations at (1, 0).

    Parameters
    ----------
    radius : float
        Centred RMSE over the standard deviation of the observations.
    limit : float
        Largest sd ratio that the diagram shows.

    Returns
    -------
    sd_ratio, angle_degrees : ndarray
        Polar coordinates of the part of the circle inside the diagram.
    """
    turn = np.linspace(0, np.pi, points)
    x, y = 1 + radius * np.cos(turn), radius * np.sin(turn)
    distance = np.hypot(x, y)
    keep = distance <= limit
    return distance[keep], np.degrees(np.arctan2(y, x))[keep]
