"""What the fused value leaves over, predicted: by a second learner or by kriging.

The second learner is the residual model of bias correction (Belitz and Stackelberg 2021, method ML2-RES): trees that
predict the out-of-fold error from the covariates and the fused value itself. Kriging instead spreads the error of nearby
sites; it helps where sites are dense and does nothing far from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.covariates.samples import Samples
from alm_core.errors import LearnerError
from alm_core.learning.kriging import Kriging
from alm_core.learning.learners import make_learner

MODEL_OPTIONS = {"n_estimators": 300, "min_samples_leaf": 10, "max_features": 0.5}
"""Large leaves: a residual is mostly noise, and a model of noise would add it to the map."""


@dataclass(frozen=True)
class Residual:
    """A fitted model of the residual.

    Attributes
    ----------
    kind : str
        ``model`` or ``kriging``.
    model : Learner or Kriging
    """

    kind: str
    model: Any

    def predict(self, features: np.ndarray, value: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Residual to add to the fused value.

        Parameters
        ----------
        features : ndarray
            ``[site, covariate]`` float32.
        value : ndarray
            ``[site]`` fused value before the residual is added.
        x, y : ndarray
            Places in the CRS of the grid.
        """
        if self.kind == "kriging":
            return self.model.predict(x, y, variance=False)[0]
        return self.model.predict(np.column_stack([features, value]).astype(np.float32))


def fit_residual(kind: str, samples: Samples, value: np.ndarray, *, seed: int, geographic: bool) -> Residual:
    """Fit a residual model on out-of-fold fused values.

    Parameters
    ----------
    kind : str
        ``model`` or ``kriging``.
    samples : Samples
        The training rows.
    value : ndarray
        Fused values of the same rows, each by a fusion that never saw the row.

    Raises
    ------
    LearnerError
        The kind is unknown.
    """
    error = samples.target - value
    if kind == "kriging":
        # Residuals are about zero: a mean estimated from few sites would drift far from them.
        return Residual(kind, Kriging(geographic=geographic, seed=seed, mean=0.0).fit(samples.x, samples.y, error))
    if kind == "model":
        learner = make_learner("extra_trees", task="regression", seed=seed, options=MODEL_OPTIONS)
        features = np.column_stack([samples.features.to_numpy(np.float32), value]).astype(np.float32)
        return Residual(kind, learner.fit(features, error))
    raise LearnerError(f"Residual model {kind!r} is unknown: use `model` or `kriging`.")
