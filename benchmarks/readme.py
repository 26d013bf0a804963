"""Write the figures of README.md from benchmarks/results. Run: ``python -m benchmarks.readme``."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import RESULTS

README = Path(__file__).resolve().parents[1] / "README.md"
MARKS = "<!-- {name}: begin -->", "<!-- {name}: end -->"
LEARNERS = {"random_forest": "random forest", "extra_trees": "extra trees", "xgboost": "XGBoost", "catboost": "CatBoost"}
PEERS = {"sklearn_raster": "sklearn-raster", "onnx": "ONNX runtime"}


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


def real_rows(magt: dict[str, Any] | None, alt: dict[str, Any] | None, meuse: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Rows of the real data sets."""
    rows = []
    if magt:
        for scheme, columns in magt["scores"].items():
            rows.append(
                (
                    f"ground temperature north of 45 N, {magt['sites']} boreholes, {scheme} folds",
                    f"R² {columns['fused']['r2']:.3f}, RMSE {columns['fused']['rmse']:.2f} °C",
                )
            )
    if alt:
        for scheme, columns in alt["scores"].items():
            fused = columns["fused"]
            rows.append(
                (
                    f"thaw depth north of 45 N, {alt['sites']} sites, {scheme} folds",
                    f"R² {fused['r2']:.3f}, RMSE {fused['rmse']:.0f} cm, {fused['rmse_to_200_cm']:.0f} cm where at most 200 cm",
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


def peer_text(peers: dict[str, Any], learner: str) -> str:
    """How much faster than each other tool that was measured with this learner."""
    found = [
        f"{name} {peers[tool][learner]['ours_times_faster']:.0f}"
        for tool, name in PEERS.items()
        if isinstance(peers.get(tool), dict) and learner in peers[tool]
    ]
    return ", ".join(found) or "-"


def speed_table(found: dict[str, Any]) -> list[str]:
    """Members alone against their libraries."""
    lines = [
        "| members | library, million cells/s | ours | times faster | the same, cells shuffled | largest difference "
        "| times faster than other tools |",
        "|---|---|---|---|---|---|---|",
    ]
    for learner, name in {**LEARNERS, "all_four": "all four"}.items():
        row = found["compared"][learner]
        differs = max(row["largest_difference_part"], row["largest_difference_shuffled"])
        lines.append(
            f"| {name} | {row['native_million_cells_per_s']:.3f} | {row['ours_million_cells_per_s']:.2f} "
            f"| {row['times_faster']:.1f} | {row['shuffled_times_faster']:.1f} | {differs:.0e} "
            f"| {peer_text(found['peers'], learner)} |"
        )
    return lines


def map_rows(mapping: dict[str, Any] | None, full: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Rows of whole maps."""
    rows = []
    if mapping:
        every = mapping["everything"]
        rows.append(
            (
                "members with fused value, interval and applicability, against members alone",
                f"{every['ratio']:.2f} times the time ({every['everything_s']:.0f} s and {every['members_s']:.0f} s)",
            )
        )
    if full:
        whole, line = full["full"], full["line"]
        minutes, seconds = divmod(round(whole["seconds"]), 60)
        earlier = "" if full.get("rasters_by") == "gdal" else " (rasters by an earlier, faster writer)"
        rows.append(
            (
                f"43,990 x 16,790 cells, {whole['cells_mapped'] / 1e6:.0f} million mapped, everything, as GeoTIFFs",
                f"{minutes} min {seconds} s, {whole['peak_memory_gb']:.1f} GB of memory{earlier}",
            )
        )
        if line:
            cells = " / ".join(f"{part['cells_mapped'] / 1e6:.0f}" for part in full["measured"])
            rows.append((f"time of {cells} million cells: farthest from a line", f"{100 * line['largest_deviation']:.0f} %"))
    return rows


def trust_rows(crash: dict[str, Any] | None, dask: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Rows of interrupted maps and of more than one process."""
    rows = []
    if crash:
        rows.append(
            (
                "killed at random moments (SIGKILL) and gone on with: byte-identical to a clean map",
                f"{crash['identical']} of {len(crash['kills'])}",
            )
        )
        rows.append(("finished blocks that were made again / most blocks in flight", _blocks_again(crash)))
        if crash["disks"]:
            same = all(not disk["differing_files"] for disk in crash["disks"].values())
            rows.append(
                ("disk full half way, or too small from the start; then space made", "identical" if same else "DIFFERENT")
            )
    if dask:
        same = dask["identical"] and dask["identical_after_kill"]
        rows.append(
            (
                "Dask, two worker processes, one killed half way",
                f"{'identical' if same else 'DIFFERENT'}; {100 * dask['overhead']:.0f} % slower than threads when none is killed",
            )
        )
    return rows


def _blocks_again(crash: dict[str, Any]) -> str:
    return f"{crash['finished_blocks_made_again']} / {crash['most_blocks_in_flight']}"


def shap_rows(found: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Rows of the explanations."""
    if not found:
        return []
    rows = [
        (
            f"exact TreeSHAP of {found['rows']} sites, {LEARNERS[name]}, one thread, against `shap.TreeExplainer`",
            f"{row['times_faster']:.0f} times faster, largest difference {row['largest_difference']:.0e}",
        )
        for name, row in found["members"].items()
    ]
    own = found["members"]["catboost"]["times_faster_than_own"]
    rows.append(("the same, CatBoost against its own ShapValues", f"{own:.0f} times faster"))
    rows.append(("four members and the fused value explained for one clicked place", f"{found['click']['median_ms']:.0f} ms"))
    return rows


def speed() -> str:
    """Both tables of speed, with the machine that made them."""
    mapping = read("mapping")
    rows = map_rows(mapping, read("full_map")) + trust_rows(read("crash"), read("dask_engine")) + shap_rows(read("tree_shap"))
    lines = [*speed_table(mapping), ""] if mapping else []
    if not lines + rows:
        return "Not measured yet: `python -m benchmarks.acceptance`."
    return "\n".join([*lines, *two_columns(rows), "", made_on(mapping or read("full_map") or read("tree_shap"))])


def two_columns(rows: list[tuple[str, str]]) -> list[str]:
    """Rows as a table."""
    return ["| what | measured |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]


def made_on(found: dict[str, Any] | None) -> str:
    """The machine of a result."""
    machine = (found or {}).get("machine", {})
    return f"{machine.get('cores')} cores, {machine.get('processor')}, Python {machine.get('python')}; from `benchmarks/results`."


def circumpolar_rows(slices: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Rows of the second study."""
    if not slices:
        return []
    return [
        (
            "simulated circumpolar demo, two targets, eight slices each, one command: first time / again",
            f"{slices['first']['wall_s']:.0f} s / {slices['again']['wall_s']:.1f} s",
        )
    ]


def day_rows(freeze: dict[str, Any] | None, sites: dict[str, Any] | None, days: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Rows of the study of days."""
    rows = []
    if sites:
        whole, calendar = (sites["sets"][name]["all"] for name in (sites["headline"], "extra_trees: circle alone"))
        rows.append(
            (
                "frozen or thawed at 11 real sites, each predicted from the other ten, no satellite: accuracy / kappa",
                f"{whole['overall_accuracy']:.3f} / {whole['kappa']:.3f} (calendar alone: {calendar['overall_accuracy']:.3f})",
            )
        )
    if freeze:
        scheme = freeze["scores"]["schemes"]["year"]["extra_trees"]["test"]
        onsets = [freeze["onsets"][name]["median_error_days"] for name in ("freeze_onset", "thaw_onset")]
        rows += [
            ("simulated days: accuracy against the labels, years not seen", f"{scheme['overall_accuracy']:.3f}"),
            (
                "simulated days, against the truth: map / its labels",
                f"{freeze['truth']['map']:.3f} / {freeze['truth']['labels']:.3f}",
            ),
            ("simulated days: median error of freeze / thaw onset", f"{onsets[0]:.0f} / {onsets[1]:.0f} days"),
        ]
    if days:
        rows.append(
            (
                f"daily maps, {days['days']:,} days of {days['cells']:,} cells, {days['trees']} trees, all files",
                f"{days['seconds']:.0f} s, {days['peak_memory_gb']:.1f} GB",
            )
        )
    return rows


def figures() -> str:
    """The table of everything else."""
    rows: list[tuple[str, str]] = []
    demo = read("demo")
    if demo:
        rows += demo_rows(demo)
    rows += real_rows(read("circumpolar_magt"), read("circumpolar_alt"), read("meuse_zinc"))
    rows += dashboard_rows(read("dashboard"), read("tiles"), read("export"))
    rows += circumpolar_rows(read("circumpolar_slices"))
    rows += day_rows(read("freeze_thaw"), read("freeze_thaw_sites"), read("day_maps"))
    noise = read("noise")
    if noise:
        rows.append(
            (f"pure noise, everything on, {len(noise['nested_r2'])} seeds: largest nested R²", f"{max(noise['nested_r2']):.3f}")
        )
    return "\n".join([*two_columns(rows), "", made_on(demo or read("circumpolar_magt"))])


def replaced(text: str, name: str, content: str) -> str:
    """A text with new content between two marks."""
    begin, end = (mark.format(name=name) for mark in MARKS)
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def main() -> None:
    """Replace what stands between the marks."""
    text = README.read_text(encoding="utf-8")
    README.write_text(replaced(replaced(text, "figures", figures()), "speed", speed()), encoding="utf-8")


if __name__ == "__main__":
    main()
