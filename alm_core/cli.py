"""The command line: ``python -m alm_core``.

Exit codes: 0 done, 1 a fault in the input (one clear message, no traceback), 130 interrupted (the run can be resumed).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from alm_core.errors import AlmError, StudyError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From field sites and raster stacks to validated, bias-corrected maps of frozen ground.",
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

WorkspaceOption = Annotated[Path, typer.Option(help="Folder of all runs.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Threads, or worker processes of the engine dask. The result does not depend on it."),
]
EngineOption = Annotated[
    str | None, typer.Option(help="Who maps: threads (the default) or dask. The result does not depend on it.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT",
        help="A running Dask scheduler, yours alone; its workers must see the workspace under the same path.",
    ),
]


@app.command()
def demo(
    study: Annotated[str, typer.Argument(help="Which study.")] = "active_layer_moisture",
    size: Annotated[
        str, typer.Option(help="small, medium or full: of active_layer_moisture 0.05, 0.01 degree or 3 arc-seconds.")
    ] = "medium",
    out_folder: Annotated[Path | None, typer.Option("--out", help="Folder to write; default: demo/STUDY.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the simulation.")] = None,
) -> None:
    """Write a complete simulated study: sites, rasters, the truth behind them and a study.toml, or several."""
    from alm_core.studies import DEMOS

    if study not in DEMOS:
        raise StudyError(f"There is no demo {study!r}. The demos are {', '.join(sorted(DEMOS))}.")
    options = {} if seed is None else {"seed": seed}
    with Bars() as listener:
        path = DEMOS[study](out_folder or Path("demo") / study, size=size, progress=as_steps(listener, "demo"), **options)
    written = " ".join(str(found) for found in studies_beside(path))
    out.print(f"Simulated study written: {written}\nNext: python -m alm_core run {written}", soft_wrap=True)


def studies_beside(path: Path) -> list[Path]:
    """A study.toml of a demo, and before or after it those of its other targets, which lie in folders beside its own."""
    folder = path.parent
    if (folder.parent / "README.txt").is_file() and not (folder / "README.txt").is_file():
        return sorted(folder.parent.glob("*/study.toml"), key=lambda found: (found != path, found))
    return [path]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder for the new study.")],
    sites: Annotated[Path, typer.Option(help="Your site table.")],
    covariates: Annotated[Path, typer.Option(help="Your folder of GeoTIFFs.")],
    target: Annotated[str | None, typer.Option(help="Column to map, where the guess is wrong.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of rasters that carry none.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a study.toml that is there.")] = False,
) -> None:
    """Write a study.toml from your own files; every guess is shown, and stands in the file as a comment."""
    from alm_core.new import new_study

    made = new_study(folder, sites=sites, covariates=covariates, target=target, crs=crs, overwrite=overwrite)
    table = Table("what", "guess", "why", title=f"Guesses in {made.path}")
    for guess in made.guesses:
        table.add_row(guess.what, str(guess.value), guess.why)
    out.print(table)
    out.print(f"Look them over, then: python -m alm_core check {made.path}")


@app.command()
def run(
    studies: Annotated[list[Path], typer.Argument(metavar="STUDY...", help="study.toml or its folder; several run in turn.")],
    workspace: WorkspaceOption = Path("workspace"),
    until: Annotated[str | None, typer.Option(help="Last stage to run.")] = None,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Run a study to its map, or to those of all its time slices. The same command goes on where Ctrl-C stopped it."""
    from alm_core.pipeline import run as run_study
    from alm_core.study import Study

    # All are read before any is run: a fault in the last one is found now, not in an hour.
    for study in [Study.load(path) for path in studies]:
        with Bars() as listener:
            finished = run_study(
                study, workspace=workspace, progress=listener, until=until, workers=workers, engine=engine, scheduler=scheduler
            )
        out.print(f"Run {finished.id}: {finished.folder}")
        tell_slices(finished)
        if (finished.folder / "metrics.json").is_file():
            out.print(score_table(finished.metrics(), headline_of(finished)))


@app.command()
def estimate(
    study: Annotated[Path, typer.Argument(help="study.toml or its folder.")],
    workspace: WorkspaceOption = Path("workspace"),
    workers: WorkersOption = None,
    engine: EngineOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Time some blocks of the map and say what all of it will take; for a run whose models are finished."""
    from alm_core.pipeline import estimate as estimate_run

    with Bars() as listener:
        found = estimate_run(study, workspace=workspace, progress=listener, workers=workers, engine=engine, scheduler=scheduler)
    out.print(found.text)
    out.print(f"Blocks left: {found.blocks_left:,} of {found.blocks:,}; free disk: {found.free_bytes / 1e9:.1f} GB.")


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    out_file: Annotated[Path, typer.Option("--out", help="GeoTIFF to write.")],
    layer: Annotated[
        str, typer.Option(help="fused (value, lower, upper, DI, LPD, AOA), members, one learner's name, or change.")
    ] = "fused",
    clip: Annotated[Path | None, typer.Option(help="GeoJSON or GeoPackage with the area.")] = None,
    bbox: Annotated[tuple[float, float, float, float] | None, typer.Option(help="West, south, east, north in degrees.")] = None,
    weights: Annotated[str | None, typer.Option(help="Weights by hand, as random_forest=0.4,catboost=0.6.")] = None,
    scenario: Annotated[str | None, typer.Option(help="A saved scenario of the run; `scenarios` lists them.")] = None,
    slice_name: Annotated[str, typer.Option("--slice", help="A time slice of the run; default: the main one.")] = "",
    day: Annotated[
        str | None, typer.Option(help="A day of a run that maps days, as 2015-03-01: its state and probability.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Of --layer freeze_onset and its like: the year in which it begins.")] = None,
) -> None:
    """Write a layer or a day of a run as GeoTIFF, whole or cut to an area: fused as computed, by a scenario or own weights."""
    from alm_core.publishing.day_export import maps_days
    from alm_core.publishing.export import export_layer
    from alm_core.workspace import Run

    source, by_hand = Run.open(run_folder), parse_weights(weights)
    if day is not None or year is not None or maps_days(source):
        if by_hand is not None or scenario is not None or slice_name:
            raise StudyError("--weights, --scenario and --slice go with maps of one value for each cell: leave them out here.")
        result = _export_days(source, out_file, layer, day, year, clip=clip, bbox=bbox)
    else:
        result = export_layer(
            source, out_file, layer=layer, clip=clip, bbox=bbox, weights=by_hand, scenario=scenario, slice=slice_name
        )
    out.print(f"{out_file}: {result.valid_cells:,} cells with a value of {result.cells:,}")


def _export_days(source: Any, out_file: Path, layer: str, day: str | None, year: int | None, **area: Any) -> Any:
    """A day, or a layer of freezing years, of a run that maps days."""
    from alm_core.publishing.day_export import LAYERS, export_day, export_freezing_years, maps_days, parse_day

    if day is not None:
        if year is not None or layer != "fused":
            raise StudyError("--day gives state and probability of that day: leave --layer and --year out.")
        return export_day(source, out_file, parse_day(day), **area)
    if maps_days(source) and layer == "fused":
        raise StudyError(f"This run maps days: give --day, as 2015-03-01, or a --layer of {', '.join(LAYERS)}.")
    return export_freezing_years(source, out_file, layer, year=year, **area)


@app.command()
def scenarios(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]) -> None:
    """List the scenarios of a run with their cross-fitted scores; the dashboard makes them."""
    from rich.markup import escape

    from alm_core.publishing.day_export import maps_days
    from alm_core.scenarios.scenario import default_scenario, list_scenarios
    from alm_core.scenarios.studio import compare, studio_schemes
    from alm_core.workspace import Run

    source = Run.open(run_folder)
    if maps_days(source):
        raise StudyError("This run maps days by one learner: nothing is fused, so it has no scenarios.")
    found = {scenario.name: scenario for scenario in (default_scenario(source), *list_scenarios(source))}
    scheme = studio_schemes(source)[0]
    columns = ("scenario", "weights", "correction", "R2", "RMSE", "sd ratio", "note")
    table = Table(*columns, title=f"Cross-fitted over {scheme} folds")
    for name, scores in compare(source, list(found.values()), scheme=scheme).iterrows():
        scenario = found[name]
        weights = ", ".join(f"{learner}={weight:g}" for learner, weight in scenario.weights.items()) or scenario.method
        correction = f"{scenario.correction} {scenario.blend:g}" if scenario.correction == "blend" else scenario.correction
        shown = [f"{scores[column]:.3f}" for column in ("r2", "rmse", "sd_ratio")]
        table.add_row(name, escape(weights), correction, *shown, escape(scenario.note))
    out.print(table)


@app.command()
def check(path: Annotated[Path, typer.Argument(help="study.toml, table, GeoTIFF or catalogue record.")]) -> None:
    """Lint inputs and metadata; exit 1 with every fault named."""
    from alm_core.checking import check as check_path

    report = check_path(path)
    out.print(report.text(width=out.width), markup=False, soft_wrap=True)
    if not report.ok:
        raise typer.Exit(1)


@app.command("list")
def list_runs(workspace: WorkspaceOption = Path("workspace")) -> None:
    """List the runs of a workspace."""
    from alm_core.workspace import list_runs as find

    table = Table("study", "run", "state", "R2", "RMSE", "accuracy", "scheme")
    for found in find(workspace):
        record = found.record
        scheme = headline_of(found)
        who = record["options"]["days"]["learner"] if record["options"].get("days") else "fused"
        scores = found.metrics()["schemes"].get(scheme, {}).get(who, {}) if (found.folder / "metrics.json").is_file() else {}
        shown = [f"{scores[name]:.3f}" if name in scores else "" for name in ("r2", "rmse", "overall_accuracy")]
        title = record["study"] + (" (simulated)" if record["simulated"] else "")
        table.add_row(title, found.id, "finished" if found.finished else "unfinished", *shown, scheme)
    out.print(table)


def parse_weights(text: str | None) -> dict[str, float] | None:
    """Read ``name=number,name=number``.

    Raises
    ------
    StudyError
        The text has another form.

    Examples
    --------
    >>> parse_weights("random_forest=0.4, catboost=0.6")
    {'random_forest': 0.4, 'catboost': 0.6}
    """
    if text is None:
        return None
    weights = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError as fault:
            raise StudyError(
                f"--weights has {part.strip()!r}: expected name=number, as random_forest=0.4,catboost=0.6."
            ) from fault
    return weights


def tell_slices(run: Any) -> None:
    """Name the time slices of a run and where their maps lie; nothing where it has none or is not that far."""
    from alm_core.mapping.slices import read_slices

    found = read_slices(run.folder)
    if found:
        out.print(f"Slices: {', '.join(found.names)} in {run.folder / 'map' / 'slices'}; {found.main} is the map of the run.")


def headline_of(run: Any) -> str:
    """The scheme whose scores answer for the map of a run."""
    options = run.record["options"]
    return (options["days"]["splits"] if options.get("days") else options["validation"])["headline"]


def score_table(metrics: dict[str, Any], headline: str) -> Table:
    """The scores of every scheme as a table; the scheme that answers for the map is marked."""
    table = Table(title="Pooled out-of-fold scores")
    classes = metrics["task"] == "classification"
    names = ("overall_accuracy", "kappa") if classes else ("r2", "rmse", "mae", "ccc", "sd_ratio")
    for column in ("scheme", "model", *names):
        table.add_column(column)
    for scheme, columns in metrics["schemes"].items():
        for column, scores in columns.items():
            mark = " (answers for the map)" if scheme == headline and column == metrics.get("learner", "fused") else ""
            table.add_row(scheme, column + mark, *(f"{scores[name]:.3f}" for name in names))
    return table


class Bars:
    """Context manager: a listener that draws one bar per stage on the terminal."""

    def __enter__(self) -> Any:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.progress = Progress(
            TextColumn("{task.fields[stage]:<12}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}"),
            console=err,
        )
        self.tasks: dict[str, Any] = {}
        self.progress.__enter__()
        return self.listen

    def listen(self, event: Any) -> None:
        """Draw one event; what is worth keeping in sight goes above the bars."""
        if event.lasting:
            self.progress.console.print(f"{event.stage}: {event.message}", markup=False)
            return
        if event.stage not in self.tasks:
            self.tasks[event.stage] = self.progress.add_task("", total=None, stage=event.stage, left="")
        left = "" if not event.seconds_left else f"{event.seconds_left:.0f} s left"
        self.progress.update(
            self.tasks[event.stage], completed=event.done, total=max(event.total, 1), description=event.message, left=left
        )

    def __exit__(self, *fault: Any) -> None:
        self.progress.__exit__(*fault)


def as_steps(listener: Any, stage: str) -> Any:
    """A ``(done, total, message)`` callback over a listener of events."""
    from alm_core.progress import Reporter

    return Reporter(stage, listener)


def main() -> None:
    """Run the command line and turn faults into messages and exit codes."""
    try:
        code = app(standalone_mode=False)
    except AlmError as fault:
        err.print(f"{type(fault).__name__}: {fault}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("Interrupted. The same command goes on where this one stopped.")
        sys.exit(130)
    except Exception as fault:
        sys.exit(_exit_code(fault))
    sys.exit(code if isinstance(code, int) else 0)


def _exit_code(fault: Exception) -> int:
    """Typer's own exits and usage faults; anything else is a defect and keeps its traceback."""
    import click

    if isinstance(fault, click.exceptions.Exit):
        return fault.exit_code
    if isinstance(fault, click.exceptions.Abort):
        err.print("Interrupted. The same command goes on where this one stopped.")
        return 130
    if isinstance(fault, click.ClickException):
        fault.show()
        return 1
    raise fault
