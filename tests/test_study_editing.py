"""Changing a study.toml without touching what its author wrote."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import pytest

from alm_core import study_editing
from alm_core.errors import MissingFileError, StudyError, WorkspaceError
from alm_core.study_editing import change_screening, exclude_site, keep_site, read_screening, release_site, study_file
from alm_core.workspace import Run
from tests.small_study import write_small_study

COMMENTED = """# top of the file
[study] # who
name = "tiny"

[grid]
like = "a.tif"   # spaced by hand

[sites]
table = "sites.csv"

[screening] # a site that breaks a rule stays
season_months = [9, 10] # autumn
maximum = 0.7           # more than pores
outlier_z = 4.5
# depth_minimum_m = 0.3   left out on purpose

# ---- covariates ----
[[covariates]] # height
name = "elevation"
path = "a.tif"
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study.toml with comments everywhere."""
    path = tmp_path / "study.toml"
    path.write_text(COMMENTED, encoding="utf-8")
    return path


def comments(text: str) -> list[str]:
    """Every comment, in order."""
    return re.findall(r"#.*", text)


def other_lines(text: str) -> list[str]:
    """Lines outside the screening section."""
    return re.sub(r"\[screening\].*?(?=# ---- covariates)", "", text, flags=re.S).splitlines()


def test_changed_values_keep_comments_order_and_spacing(study: Path) -> None:
    """Only the value of a line changes; its comment, the other lines and their order stay."""
    edit = change_screening(study, {"maximum": 0.65, "season_months": (8, 9, 10), "depth_maximum_m": 2.5})
    text = study.read_text(encoding="utf-8")
    assert edit.changes == {
        "season_months": ([9, 10], [8, 9, 10]),
        "maximum": (0.7, 0.65),
        "depth_maximum_m": (None, 2.5),
    }
    assert comments(text) == comments(COMMENTED)
    assert other_lines(text) == other_lines(COMMENTED)
    assert "maximum = 0.65           # more than pores" in text
    assert text.index("depth_maximum_m = 2.5") < text.index("# ---- covariates ----")


def test_file_is_not_written_where_nothing_changes(study: Path) -> None:
    """Values that the study has already leave the file as it is, to the byte and to its time."""
    before = study.stat().st_mtime_ns
    assert change_screening(study, {"maximum": 0.7, "season_months": [9, 10], "first_year": None}).changes == {}
    assert study.stat().st_mtime_ns == before
    assert study.read_text(encoding="utf-8") == COMMENTED


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"neighbours": 1}, "neighbours"),
        ({"maximum_missing": 3.0}, "maximum_missing"),
        ({"maximum": "much"}, "maximum"),
        ({"outlier": 3.0}, "Did you mean"),
        ({"keep": ("a",)}, "by hand"),
    ],
)
def test_invalid_values_are_refused_and_the_file_stays(study: Path, values: dict, words: str) -> None:
    """A fault in any value stores none of them."""
    with pytest.raises(StudyError, match=words):
        change_screening(study, {"minimum": 0.1, **values})
    assert study.read_text(encoding="utf-8") == COMMENTED


def test_none_switches_a_rule_off(study: Path) -> None:
    """A rule that is on by default is written as off; one that is off by default and unnamed stays unnamed."""
    change_screening(study, {"maximum": None, "neighbour_z": None, "minimum": None})
    text = study.read_text(encoding="utf-8")
    assert 'maximum = "off"' in text
    assert 'neighbour_z = "off"' in text
    assert "\nminimum" not in text
    assert read_screening(study).neighbour_z is None


def test_excluded_sites_keep_their_reason(study: Path) -> None:
    """A reason survives quotes, line breaks and Chinese; a second reason replaces the first."""
    exclude_site(study, "站 1", 'in a "road"\nfill')
    exclude_site(study, "b", "次要")
    exclude_site(study, "b", "wet boots")
    assert read_screening(study).exclude == {"站 1": 'in a "road" fill', "b": "wet boots"}
    text = study.read_text(encoding="utf-8")
    assert comments(text) == comments(COMMENTED)
    assert text.index("[screening.exclude]") < text.index("# ---- covariates ----")


def test_reason_is_needed_to_exclude(study: Path) -> None:
    """Without a reason nothing is stored."""
    with pytest.raises(StudyError, match="reason"):
        exclude_site(study, "a", "  \n ")
    assert study.read_text(encoding="utf-8") == COMMENTED


def test_site_moves_between_keep_and_exclude(study: Path) -> None:
    """A site is in one list at a time, and in none once it is released."""
    exclude_site(study, "a", "odd")
    keep_site(study, "a", "checked again")
    now = read_screening(study)
    assert (now.keep, now.exclude) == (("a",), {})
    assert '"a", # checked again' in study.read_text(encoding="utf-8")
    exclude_site(study, "a", "odd after all")
    assert read_screening(study).keep == ()
    release_site(study, "a")
    now = read_screening(study)
    assert (now.keep, now.exclude) == ((), {})
    tomllib.loads(study.read_text(encoding="utf-8"))


def test_kept_sites_pile_up_one_on_a_line(study: Path) -> None:
    """Each kept site has a line and a comment of its own, with no empty lines between."""
    for site, reason in (("a", "first"), ("b", ""), ("c", "x # y")):
        keep_site(study, site, reason)
    text = study.read_text(encoding="utf-8")
    assert 'keep = [\n    "a", # first\n    "b",\n    "c", # x # y\n]' in text
    release_site(study, "b")
    assert read_screening(study).keep == ("a", "c")


def test_existing_inline_lists_are_extended(tmp_path: Path) -> None:
    """Lists that the author wrote on one line take more entries."""
    path = tmp_path / "study.toml"
    path.write_text(COMMENTED.replace("outlier_z = 4.5", 'keep = ["k"]\nexclude = { "x" = "old" } # by hand'), encoding="utf-8")
    keep_site(path, "l")
    exclude_site(path, "y", "new")
    now = read_screening(path)
    assert (now.keep, now.exclude) == (("k", "l"), {"x": "old", "y": "new"})
    assert "# by hand" in path.read_text(encoding="utf-8")


def test_study_without_the_section_gets_one(tmp_path: Path) -> None:
    """The section is made where the study has none."""
    path = tmp_path / "study.toml"
    path.write_text(re.sub(r"\[screening\].*?(?=# ---- cov)", "", COMMENTED, flags=re.S), encoding="utf-8")
    change_screening(path, {"first_year": 2010})
    exclude_site(path, "a", "odd")
    now = read_screening(path)
    assert (now.first_year, now.exclude) == (2010, {"a": "odd"})


def test_line_ends_of_windows_stay(study: Path) -> None:
    """A file with CRLF keeps CRLF on every line."""
    study.write_bytes(COMMENTED.replace("\n", "\r\n").encode())
    exclude_site(study, "a", "odd")
    raw = study.read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert read_screening(study).exclude == {"a": "odd"}


def test_permissions_stay(study: Path) -> None:
    """The new file is as readable as the old one."""
    study.chmod(0o644)
    change_screening(study, {"maximum": 0.6})
    assert stat.S_IMODE(study.stat().st_mode) == 0o644


def test_read_only_file_is_refused(study: Path) -> None:
    """A study that nobody may write is left alone."""
    study.chmod(0o444)
    with pytest.raises(StudyError, match="read-only"):
        change_screening(study, {"maximum": 0.6})
    assert study.read_text(encoding="utf-8") == COMMENTED


def test_full_disk_leaves_the_old_file(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails names the file and changes nothing."""

    def full(path: Path) -> None:
        raise WorkspaceError("The disk is full")

    monkeypatch.setattr(study_editing, "atomic_path", full)
    with pytest.raises(StudyError, match="stays as it was"):
        change_screening(study, {"maximum": 0.6})
    assert study.read_text(encoding="utf-8") == COMMENTED


def test_broken_study_is_named(study: Path) -> None:
    """A file that is not TOML is refused with its fault."""
    study.write_text("[screening\n", encoding="utf-8")
    with pytest.raises(StudyError, match="not valid TOML"):
        exclude_site(study, "a", "odd")


def test_study_file_of_a_run_that_is_gone(tmp_path: Path, dashboard_run: Run) -> None:
    """A run whose study has been moved says so."""
    assert study_file(dashboard_run).name == "study.toml"
    folder = tmp_path / "run"
    folder.mkdir()
    record = (dashboard_run.folder / "run.json").read_text(encoding="utf-8")
    (folder / "run.json").write_text(record.replace("study.toml", "gone.toml"), encoding="utf-8")
    with pytest.raises(MissingFileError, match="not there any more"):
        study_file(Run(folder))


def test_demo_study_survives_a_round_of_changes(tmp_path: Path) -> None:
    """Changing everything and back leaves a written study as it was."""
    path = write_small_study(tmp_path / "study", screening="maximum = 0.6 # wet\nminimum = 0.0")
    before = path.read_text(encoding="utf-8")
    change_screening(path, {"maximum": 0.5, "minimum": 0.1})
    change_screening(path, {"maximum": 0.6, "minimum": 0.0})
    assert path.read_text(encoding="utf-8") == before
