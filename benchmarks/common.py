"""What every benchmark shares: where results go, what machine made them, how time and memory are taken."""

from __future__ import annotations

import json
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
SHARED_DATA = Path(os.environ.get("ALM_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

CORES = 2
"""Cores that every case of a comparison gets."""


@dataclass(frozen=True)
class Timing:
    """Wall-clock and CPU seconds of the rounds of one case."""

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]

    @property
    def wall(self) -> float:
        """Median of wall-clock seconds."""
        return median(self.wall_s)

    @property
    def cpu(self) -> float:
        """Median of CPU seconds of all threads."""
        return median(self.cpu_s)

    def to_dict(self) -> dict[str, Any]:
        """Every round."""
        return asdict(self)


def take_turns(cases: Mapping[str, Callable[[], Any]], rounds: int = 3) -> dict[str, Timing]:
    """Time every case in every round, so that what disturbs the machine disturbs all cases alike."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, run in cases.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            found[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: Timing(*zip(*taken, strict=True)) for name, taken in found.items()}


def machine() -> dict[str, Any]:
    """Cores, processor and Python of this machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    return {"cores": os.cpu_count(), "processor": model, "python": platform.python_version()}


def peak_memory_gb() -> float:
    """Peak resident memory of this process, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def own_peak_memory_gb() -> float:
    """Peak resident memory of this program alone, GB: what getrusage tells holds that of the program which started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return peak_memory_gb()
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1e6


def save(name: str, values: dict[str, Any]) -> None:
    """Write a result file and show it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), **values}, indent=1, default=float)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(text)
