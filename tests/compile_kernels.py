"""Compile the kernels before the tests, on both cores: otherwise every worker of the test run compiles all of them.

Run: ``python -m tests.compile_kernels``. A second time it takes some seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context

import numpy as np

from alm_core.trees.ensemble import RawTree, assemble
from alm_core.trees.shap import shap_values
from alm_core.trees.warm_up import even_tree, lopsided_tree


def predict(tree: RawTree) -> None:
    """The kernels of one kind of trees, by rows and by blocks."""
    ensemble = assemble([tree], base=[0.0], link="identity", task="regression", source="warm-up", feature_names=["x"])
    ensemble.predict(np.zeros((1, 1), np.float32))
    ensemble.predict_block(np.array([[[-1, 0], [1, 2]]], np.float32), np.ones((2, 2), bool))


def forests() -> None:
    """Trees of any shape: half of all the work."""
    predict(lopsided_tree())


def everything_else() -> None:
    """Oblivious trees, explanations, fusion, applicability, and the files of blocks."""
    from alm_core.learning.warm_up import warm_up as warm_up_learning
    from alm_core.mapping.warm_up import warm_up as warm_up_mapping

    predict(even_tree())
    ensemble = assemble([lopsided_tree()], base=[0.0], link="identity", task="regression", source="warm-up", feature_names=["x"])
    shap_values(ensemble, np.zeros((1, 1), np.float32))
    warm_up_learning()
    warm_up_mapping()


def main() -> None:
    """Compile in two processes; a failure is that of the tests, which come next."""
    parts: tuple[Callable[[], None], ...] = (forests, everything_else)
    context = get_context("spawn")
    workers = [context.Process(target=part) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
