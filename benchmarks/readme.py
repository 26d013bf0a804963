"""Write the figures of README.md from benchmarks/results. Run: ``python -m benchmarks.readme``."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import RESULTS

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def read(name: str) -> dict[str, Any] | None:
    """A result, or None where it was not measured."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def demo_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows of the simulated demo."""
    scores, truth = found["scores"], found["truth"]
    rows = [
        (
            "demo, medium: writing it / running it / peak memory",
            f"{found['write_seconds']:.0f} s / {found['run_seconds']:.0f} s / {found['peak_memory_gb']:.1f} GB",
        ),
    ]
    for scheme, values in scores.items():
        rows.append((f"demo, medium: fused, {scheme} folds", f"R² {values['r2']:.2f}, RMSE {values['rmse']:.3f} m³ m⁻³"))
    rows.append(
        (
            "demo, medium: error against the truth inside / outside the area of applicability",
            f"{truth['rmse_inside']:.3f} / {truth['rmse_outside']:.3f} m³ m⁻³",
        )
    )
    rows.append(("demo, medium: coverage of 90 % intervals inside the area", f"{truth['coverage_inside']:.3f}"))
    return rows


def real_rows(magt: dict[str, Any] | None, meuse: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Rows of the two real data sets."""
    rows = []
    if magt:
        for scheme, columns in magt["scores"].items():
            rows.append(
                (
                    f"ground temperature north of 45 N, {magt['sites']} boreholes, {scheme} folds",
                    f"R² {columns['fused']['r2']:.3f}, RMSE {columns['fused']['rmse']:.2f} °C",
                )
            )
    if meuse:
        plain, kriged = (meuse[name]["scores"]["random"] for name in ("fused", "with_kriged_residual"))
        rows.append(
            (
                "log(zinc), Meuse floodplain, 10-fold: ordinary kriging / fused / with kriged residual",
                f"R² {plain['ordinary_kriging']['r2']:.3f} / {plain['fused']['r2']:.3f} / {kriged['fused']['r2']:.3f}",
            )
        )
    return rows


def dashboard_rows(
    pages: dict[str, Any] | None, tiles: dict[str, Any] | None, export: dict[str, Any] | None
) -> list[tuple[str, str]]:
    """Rows of the dashboard."""
    rows = []
    if pages:
        repaint = pages["fusion_repaint"]
        rows += [
            (
                "dashboard: first page of a started server / slowest page",
                f"{pages['first_paint_seconds']:.1f} s / {max(pages['page_paint_seconds'].values()):.1f} s",
            ),
            (f"moved weight to repainted map, {repaint['tiles']} tiles, median", f"{repaint['median_shown']:.0f} ms"),
            ("click on the map to its answer, median", f"{median(pages['click_to_answer_seconds']):.2f} s"),
            ("slowest rerun of a page", f"{max(pages['rerun_seconds'].values()):.2f} s"),
        ]
    if tiles:
        cold = " / ".join(f"{tiles[f'cold_z{zoom}']['tiles_per_second']:.0f}" for zoom in (6, 8, 10))
        rows += [
            ("tiles a second of a 43,990 x 16,790 map, 8 clients, cold at zoom 6 / 8 / 10", cold),
            ("the same, new weights on decoded members", f"{tiles['new_weights']['tiles_per_second']:.0f}"),
        ]
    if export:
        own = export["cases"]["own"]
        rows.append(("export of 10 million cells with 6 bands", f"{own['seconds']:.0f} s, {own['peak_memory_gb']:.2f} GB"))
    return rows


def table() -> str:
    """The table, with the machine that made it."""
    rows: list[tuple[str, str]] = []
    demo = read("demo")
    if demo:
        rows += demo_rows(demo)
    rows += real_rows(read("magt_north45"), read("meuse_zinc"))
    rows += dashboard_rows(read("dashboard"), read("tiles"), read("export"))
    noise = read("noise")
    if noise:
        rows.append(
            (f"pure noise, everything on, {len(noise['nested_r2'])} seeds: largest nested R²", f"{max(noise['nested_r2']):.3f}")
        )
    machine = (demo or read("magt_north45") or {}).get("machine", {})
    lines = ["| what | measured |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]
    note = f"{machine.get('cores')} cores, {machine.get('processor')}, Python {machine.get('python')}; from `benchmarks/results`."
    lines = ["| what | measured |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows), "", note]
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the marks."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
