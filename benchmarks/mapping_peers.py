"""Other tools that predict rasters with trained trees, as members of a map: benchmark only, none is needed by the product.

``pip install sklearn-raster onnx onnxruntime skl2onnx onnxmltools`` adds them to an environment with our pins.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.plateau_window import COVARIATES, Window


class BlockPredictor(Protocol):
    """What a map asks of a member."""

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """``[covariate, row, column]`` to the valid cells in row-major order."""


@dataclass(frozen=True)
class RasterEstimator:
    """An estimator of sklearn-raster: it takes the block as it is and skips NaN."""

    estimator: Any

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """See `BlockPredictor`."""
        found = self.estimator.predict(np.where(valid, values, np.nan), allow_cast=True)
        return found[0][valid]


@dataclass(frozen=True)
class OnnxModel:
    """A session of onnxruntime."""

    session: Any

    def predict_block(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """See `BlockPredictor`."""
        rows = np.ascontiguousarray(values[:, valid].T)
        return np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: rows})[0], float).ravel()


def sklearn_raster(window: Window) -> dict[str, BlockPredictor]:
    """The forests and XGBoost; it takes no model that is trained already, so they are fitted again."""
    from sklearn.base import clone
    from sklearn_raster import FeatureArrayEstimator

    features, target = window.samples.features.to_numpy(np.float32), window.samples.target
    found = {}
    for name in ("random_forest", "extra_trees", "xgboost"):
        found[name] = RasterEstimator(FeatureArrayEstimator(clone(window.native[name])).fit(features, target))
    return found


def onnx(window: Window) -> dict[str, BlockPredictor]:
    """All four, by the converters of their libraries."""
    import onnxruntime
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from skl2onnx import to_onnx

    one = np.zeros((1, len(COVARIATES)), np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = 1, 1, 3
    found = {}
    for name, model in window.native.items():
        if name == "catboost":
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.onnx"
                model.save_model(str(path), format="onnx")
                content = path.read_bytes()
        elif name == "xgboost":
            content = convert_xgboost(model, initial_types=[("rows", FloatTensorType([None, one.shape[1]]))]).SerializeToString()
        else:
            content = to_onnx(model, one).SerializeToString()
        found[name] = OnnxModel(onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]))
    return found


PEERS: dict[str, Callable[[Window], dict[str, BlockPredictor]]] = {"sklearn_raster": sklearn_raster, "onnx": onnx}
"""Each tool's members by name, one thread each; ImportError where it is not installed."""
