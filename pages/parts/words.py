"""Texts of the pages in English and Chinese, one TOML file per page and language under ``assets/words``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "words"
LANGUAGES = {"en": "English", "zh": "中文"}
COMMON, TERMS = "common", "terms"


@dataclass(frozen=True)
class Words:
    """The texts of one file in one language."""

    language: str
    page: str

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key such as ``title`` or ``filter.method``; placeholders are filled by `values`."""
        text = read_words(self.language, self.page)[key]
        return text.format(**values) if values else text

    def get(self, key: str) -> str | None:
        """The text, or None where there is none."""
        return read_words(self.language, self.page).get(key)

    def common(self, key: str, **values: object) -> str:
        """A text that all pages share."""
        return Words(self.language, COMMON)(key, **values)


def read_words(language: str, page: str) -> dict[str, str]:
    """All texts of a file by dotted key; read again when the file changes."""
    path = FOLDER / language / f"{page}.toml"
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> dict[str, str]:
    return dict(_flat(tomllib.loads(path.read_text(encoding="utf-8")), ""))


def _flat(values: dict, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found
