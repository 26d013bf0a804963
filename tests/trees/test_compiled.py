"""Kernels work wherever the package is installed."""

from __future__ import annotations

from alm_core.trees.compiled import compiled


def test_without_a_place_for_the_cache():
    """Code without a source file has no cache folder, as in a read-only installation: it's compiled all the same."""
    space: dict = {}
    exec("def add(a, b):\n    return a + b\n", space)
    assert compiled(space["add"])(2, 3) == 5


def test_kernels_release_the_interpreter():
    """Threads can run kernels side by side."""
    from alm_core.trees.kernels import sum_of_leaves
    from alm_core.trees.shap_kernels import explain_trees

    assert all(kernel.targetoptions["nogil"] for kernel in (sum_of_leaves, explain_trees))
