"""The texts of the pages: same keys in both languages, none missing, none unused, placeholders alike."""

from __future__ import annotations

import ast
import string
import tomllib
from pathlib import Path

import pytest

from pages.parts.words import FOLDER, LANGUAGES, read_words
from tests.pages.support import ROOT

FILES = sorted(path.stem for path in (FOLDER / "en").glob("*.toml"))
SOURCES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
SHARED_TABLES = ("common", "terms")
"""Their tables are asked for by names that come from the data, so an unused key can't be told."""


def placeholders(text: str) -> set[str]:
    """Names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def string_parts() -> tuple[set[str], set[str]]:
    """Every literal string of the pages' code, and every literal beginning of a formatted one."""
    whole, begun = set(), set()
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                begun.add(str(node.values[0].value))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
                whole.add(node.value)
    return whole, begun


def asked_keys() -> list[tuple[Path, str, str]]:
    """Literal keys that the code asks for: (file, call, key) for calls of ``t``, ``c`` and ``common``."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("t", "c", "common") and isinstance(node.args[0].value, str):
                found.append((path, name, node.args[0].value))
    return found


@pytest.mark.parametrize("name", FILES)
def test_both_languages_have_the_same_keys(name):
    """A key that one language lacks would stop a page."""
    english, chinese = (set(read_words(language, name)) for language in LANGUAGES)
    assert english == chinese


def test_both_languages_have_the_same_files():
    """A file that one language lacks would stop a page."""
    assert [sorted(path.name for path in (FOLDER / language).glob("*.toml")) for language in LANGUAGES].count(
        sorted(f"{name}.toml" for name in FILES)
    ) == len(LANGUAGES)


@pytest.mark.parametrize("name", FILES)
def test_both_languages_have_the_same_placeholders(name):
    """A placeholder that a translation lost would hide a number, one that it invented would stop the page."""
    english, chinese = (read_words(language, name) for language in LANGUAGES)
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in chinese.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FILES)
def test_no_text_is_empty(name, language):
    """Every text says something."""
    texts = read_words(language, name)
    assert all(isinstance(text, str) and text.strip() for text in texts.values())


def test_chinese_is_chinese():
    """A text that was never translated is found: long texts hold Chinese characters."""
    for name in FILES:
        for key, text in read_words("zh", name).items():
            letters = sum(character.isascii() and character.isalpha() for character in text)
            chinese = sum("一" <= character <= "鿿" for character in text)
            assert chinese > 0 or letters < 25, f"{name}: {key}"


def test_every_key_that_is_asked_for_exists():
    """Literal keys of `t` are in some page's file, those of `c` and `common` in the common one."""
    common = set(read_words("en", "common"))
    pages = {key for name in FILES if name not in SHARED_TABLES for key in read_words("en", name)}
    missing = [
        (path.name, key) for path, call, key in asked_keys() if key not in (pages if call == "t" else common) and " " not in key
    ]
    assert missing == []


def test_no_text_of_a_page_is_unused():
    """Texts that no code asks for are removed."""
    whole, begun = string_parts()
    unused = [
        f"{name}: {key}"
        for name in FILES
        if name not in SHARED_TABLES
        for key in read_words("en", name)
        if key not in whole and not any(start and key.startswith(start) for start in begun)
    ]
    assert unused == []


def test_files_are_plain_toml():
    """Each file is read as a whole."""
    for path in FOLDER.rglob("*.toml"):
        assert tomllib.loads(path.read_text(encoding="utf-8"))
