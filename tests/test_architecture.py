"""The house: who may import whom, and how large a room may grow."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[1] / "alm_core"
MODULES = sorted(CORE.rglob("*.py"))
ROOMS = ["sites", "covariates", "cubes", "trees", "learning", "mapping"]
FREE = {"errors", "grid", "palettes", "progress", "workspace"}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_core_is_headless(path):
    """No module of the core imports streamlit, the pages or the tests."""
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"streamlit", "pages", "tests", "leafmap", "folium"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_to_its_left(room):
    """Data flows one way."""
    allowed = set(ROOMS[: ROOMS.index(room) + 1]) | FREE
    for path in (CORE / room).rglob("*.py"):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("alm_core.")}
        assert used <= allowed, f"{path.name} imports {used - allowed}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_no_module_is_longer_than_500_lines(path):
    """A longer one holds two nouns."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def test_no_room_names_a_study():
    """A study is a recipe, not a branch inside a shared room."""
    studies = [path.name for path in (CORE / "studies").iterdir() if path.is_dir() and not path.name.startswith("_")]
    assert "active_layer_moisture" in studies
    for room in ROOMS:
        for path in (CORE / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not [name for name in studies if name in text], path
