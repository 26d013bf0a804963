"""The medium demo from nothing to its map: seconds, memory, scores, and the judgement of the known truth.

Run: ``python -m benchmarks.demo [--size medium] [--workspace DIR]``
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from alm_core import run
from alm_core.studies import DEMOS
from benchmarks.common import peak_memory_gb, save


def main() -> None:
    """Write, run, read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.workspace or Path(temporary)
        begun = time.monotonic()
        study = DEMOS["active_layer_moisture"](folder / "demo", size=options.size)
        written = time.monotonic()
        finished = run(study, workspace=folder / "workspace", workers=2)
        seconds = time.monotonic() - written
        metrics, stages = finished.metrics(), finished.record["stages"]
        scores = {
            scheme: {name: columns["fused"][name] for name in ("r2", "rmse", "mae", "sd_ratio")}
            for scheme, columns in metrics["schemes"].items()
        }
        save(
            "demo" if options.size == "medium" else f"demo_{options.size}",
            {
                "size": options.size,
                "write_seconds": written - begun,
                "run_seconds": seconds,
                "stage_seconds": {name: stage["seconds"] for name, stage in stages.items()},
                "peak_memory_gb": peak_memory_gb(),
                "scores": scores,
                "counts": json.loads(finished.file("map/map.json").read_text())["counts"],
                "truth": json.loads(finished.file("truth.json").read_text()),
                "sites": json.loads(finished.file("sites.json").read_text())["samples"]["sites"],
            },
        )


if __name__ == "__main__":
    main()
