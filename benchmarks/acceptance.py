"""Every slow proof, one after the other, and the figures of README.md. Run: ``python -m benchmarks.acceptance``."""

from __future__ import annotations

import runpy
import sys

from benchmarks import readme

PROOFS = (
    ("benchmarks.demo",),
    ("benchmarks.real_data",),
    ("benchmarks.noise",),
    ("benchmarks.shap_selection",),
    ("benchmarks.export",),
    ("benchmarks.tiles", "build/tiles"),
    ("benchmarks.dashboard",),
)
"""Modules with their arguments; the last one looks at the demo in ``workspace``, which ``make run`` puts there."""


def main() -> None:
    """Run the proofs."""
    for proof in PROOFS:
        sys.argv = list(proof)
        runpy.run_module(proof[0], run_name="__main__")
    readme.main()


if __name__ == "__main__":
    main()
