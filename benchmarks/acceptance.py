"""Every slow proof, one after the other, and the figures of README.md. Run: ``python -m benchmarks.acceptance``."""

from __future__ import annotations

import runpy
import sys

from benchmarks import readme

PROOFS = (
    ("benchmarks.demo",),
    ("benchmarks.circumpolar",),
    ("benchmarks.terrain",),
    ("benchmarks.real_data",),
    ("benchmarks.noise",),
    ("benchmarks.shap_selection",),
    ("benchmarks.export",),
    ("benchmarks.tiles", "build/tiles"),
    ("benchmarks.mapping", "build/plateau_window"),
    ("benchmarks.tree_shap", "build/plateau_window"),
    ("benchmarks.dask_engine", "build/plateau_window"),
    ("benchmarks.crash", "build/crash"),
    ("benchmarks.day_maps", "build/day_maps"),
    ("benchmarks.full_map", "build/full_map"),
    ("benchmarks.dashboard",),
)
"""Modules with their arguments; the last one looks at the demo in ``workspace``, which ``make run`` puts there. All together
take some hours and 30 GB of disk, most of both for ``full_map``, which writes and maps the whole plateau."""


def main() -> None:
    """Run the proofs."""
    for proof in PROOFS:
        sys.argv = list(proof)
        runpy.run_module(proof[0], run_name="__main__")
    readme.main()


if __name__ == "__main__":
    main()
