"""The command line as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

from alm_core import run
from alm_core.cli import main, parse_weights
from alm_core.errors import StudyError
from tests.small_study import write_small_study


def alm(monkeypatch, *arguments: str | Path) -> int:
    """Run the command line in this process and return its exit code."""
    monkeypatch.setattr("sys.argv", ["alm", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of the small study."""
    folder = tmp_path_factory.mktemp("cli")
    return run(write_small_study(folder / "in"), workspace=folder / "workspace")


def test_help_names_every_command():
    """`python -m alm_core --help` in a process of its own."""
    shown = subprocess.run([sys.executable, "-m", "alm_core", "--help"], capture_output=True, text=True, check=True).stdout
    for command in ("demo", "new", "run", "estimate", "export", "check", "list"):
        assert command in shown


def test_run_prints_the_scores(finished, monkeypatch, capsys):
    """A finished run comes back at once with its table; the headline is marked."""
    assert alm(monkeypatch, "run", finished.record["study_file"], "--workspace", finished.folder.parents[1]) == 0
    shown = capsys.readouterr().out
    assert finished.id in shown
    assert "answers for" in shown


def test_estimate_prints_one_line(finished, monkeypatch, capsys):
    """Cells, time, disk and memory; of a finished map everything is done."""
    assert alm(monkeypatch, "estimate", finished.record["study_file"], "--workspace", finished.folder.parents[1]) == 0
    shown = capsys.readouterr().out
    assert "1,080 cells (1,080 of them done), about" in shown
    assert "of disk" in shown
    assert "Blocks left: 0 of 6" in shown


def test_estimate_needs_models(monkeypatch, tmp_path, capsys):
    """Exit code 1 and what to run first."""
    assert alm(monkeypatch, "estimate", write_small_study(tmp_path / "in"), "--workspace", tmp_path / "workspace") == 1
    assert "--until models" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--engine", "spark"), "threads and dask"),
        (("--engine", "threads", "--scheduler", "tcp://node7:8786"), "goes with the engine"),
        (("--scheduler", "tcp://node7:8786", "--workers", "2"), "those that were started for it"),
        (("--scheduler", "http://node7:8787"), "not the address of a scheduler"),
    ],
)
def test_engines_that_mean_nothing(finished, monkeypatch, capsys, options, words):
    """Exit code 1 and one message."""
    study = finished.record["study_file"]
    assert alm(monkeypatch, "run", study, "--workspace", finished.folder.parents[1], *options) == 1
    assert words in capsys.readouterr().err


def test_list_shows_the_run(finished, monkeypatch, capsys):
    """Name, id and state."""
    assert alm(monkeypatch, "list", "--workspace", finished.folder.parents[1]) == 0
    shown = capsys.readouterr().out
    assert finished.id in shown
    assert "finished" in shown


def test_export_with_box_and_weights(finished, monkeypatch, tmp_path):
    """A basin with weights of one's own."""
    out = tmp_path / "basin.tif"
    code = alm(
        monkeypatch,
        "export",
        finished.folder,
        "--bbox",
        "91",
        "30.5",
        "92",
        "31.5",
        "--weights",
        "forest=1,boosted=2",
        "--out",
        out,
    )
    assert code == 0
    with rasterio.open(out, driver="GTiff") as basin:
        assert basin.shape == (10, 10)


def test_check_exits_with_one_on_faults_only(finished, monkeypatch, tmp_path, capsys):
    """A good study passes, a bad one is named."""
    good = Path(finished.record["study_file"])
    assert alm(monkeypatch, "check", good) == 0
    study = write_small_study(tmp_path / "in", map="block_sise = 16")
    assert alm(monkeypatch, "check", study) == 1
    assert "block_size" in capsys.readouterr().out


def test_new_writes_a_study_that_checks(monkeypatch, tmp_path, capsys):
    """From a table and a folder of rasters to a study in one command."""
    mine = tmp_path / "mine"
    write_small_study(mine).unlink()
    files = ("--sites", mine / "sites.csv", "--covariates", mine, "--target", "vwc")
    assert alm(monkeypatch, "new", tmp_path / "study", *files) == 0
    assert "vwc" in capsys.readouterr().out
    assert alm(monkeypatch, "check", tmp_path / "study" / "study.toml") == 0


def test_unknown_demo_lists_the_known_ones(monkeypatch, capsys, tmp_path):
    """A fault of the user: exit code 1 and a list."""
    assert alm(monkeypatch, "demo", "moisture", "--out", tmp_path) == 1
    assert "active_layer_moisture" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["forest", "forest=a", "=,"])
def test_weights_of_another_form_are_refused(text):
    """The message shows the form."""
    with pytest.raises(StudyError, match="name=number"):
        parse_weights(text)
