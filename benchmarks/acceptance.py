"""Every slow proof, one after the other, and the figures of README.md. Run: ``python -m benchmarks.acceptance``."""

from __future__ import annotations

import runpy
import sys

from benchmarks import readme

PROOFS = ("benchmarks.demo", "benchmarks.real_data", "benchmarks.noise", "benchmarks.shap_selection")


def main() -> None:
    """Run the proofs."""
    for name in PROOFS:
        sys.argv = [name]
        runpy.run_module(name, run_name="__main__")
    readme.main()


if __name__ == "__main__":
    main()
