"""Small trained models of every kind, shared by the tests of this room."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

CATBOOST = {"iterations": 25, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 1}
XGBOOST = {"n_estimators": 25, "n_jobs": 1, "random_state": 1}
FOREST = {"n_estimators": 15, "random_state": 1}


@cache
def data(missing: bool) -> tuple[np.ndarray, np.ndarray]:
    """Features rounded to 0.1, so that many values lie on cuts, and a target."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(250, 5)).astype(np.float32).round(1)
    y = 2 * X[:, 0] + X[:, 1] ** 2 + X[:, 2] * X[:, 3] + 0.3 * rng.normal(size=250)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


@cache
def new_rows(missing: bool) -> np.ndarray:
    """The training rows and unseen ones, with infinities left out: no library promises anything for them."""
    rng = np.random.default_rng(4)
    fresh = rng.normal(size=(150, 5)).astype(np.float32) * 2
    if missing:
        fresh[rng.random(fresh.shape) < 0.2] = np.nan
    return np.concatenate([data(missing)[0], fresh])


def makers() -> dict[str, Any]:
    """Unfitted models by name, each with its kind of target."""
    from catboost import CatBoostClassifier, CatBoostRegressor
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
    from xgboost import XGBClassifier, XGBRegressor

    return {
        "forest": (RandomForestRegressor(**FOREST), "value"),
        "extra": (ExtraTreesRegressor(**FOREST), "value"),
        "forest-classes": (RandomForestClassifier(**FOREST), "three"),
        "extra-classes": (ExtraTreesClassifier(**FOREST), "two"),
        "xgboost": (XGBRegressor(**XGBOOST), "value"),
        "xgboost-absolute": (XGBRegressor(**XGBOOST, objective="reg:absoluteerror", num_parallel_tree=2, subsample=0.7), "value"),
        "xgboost-gamma": (XGBRegressor(**XGBOOST, objective="reg:gamma"), "positive"),
        "xgboost-two": (XGBClassifier(**XGBOOST), "two"),
        "xgboost-three": (XGBClassifier(**XGBOOST), "three"),
        "catboost": (CatBoostRegressor(**CATBOOST), "value"),
        "catboost-maximum": (CatBoostRegressor(**CATBOOST, nan_mode="Max"), "value"),
        "catboost-lossguide": (CatBoostRegressor(**CATBOOST, grow_policy="Lossguide"), "value"),
        "catboost-poisson": (CatBoostRegressor(**CATBOOST, loss_function="Poisson"), "positive"),
        "catboost-two": (CatBoostClassifier(**CATBOOST), "two"),
        "catboost-three": (CatBoostClassifier(**CATBOOST), "three"),
    }


NAMES = tuple(makers())


@cache
def fitted(name: str, missing: bool) -> Any:
    """One of `makers`, fitted to `data`."""
    model, kind = makers()[name]
    X, y = data(missing)
    targets = {
        "value": y,
        "positive": y - y.min() + 1,
        "two": (y > 1).astype(int),
        "three": np.digitize(y, [0, 2]),
    }
    return model.fit(X, targets[kind])


def native(model: Any, X: np.ndarray) -> np.ndarray:
    """What the library itself predicts."""
    return np.asarray(model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X), float)
