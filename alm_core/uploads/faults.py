"""The fault of an upload, and the words for faults that other rooms find in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from alm_core.errors import AlmError


class UploadError(AlmError):
    """An uploaded file is refused: too large, of another kind than its name says, damaged, or made to do harm."""


@contextlib.contextmanager
def told_as(path: Path, shown: str) -> Iterator[None]:
    """Give every fault met while a file is read the name that its owner knows it by, and no path of this machine.

    A file of a stranger can break a reader in ways that the reader does not foresee, so every exception becomes an
    `UploadError` here.
    """
    try:
        yield
    except UploadError:
        raise
    except AlmError as fault:
        raise UploadError(without_paths(str(fault), path, shown)) from fault
    except Exception as fault:
        text = without_paths(str(fault), path, shown).splitlines()
        reason = f"{type(fault).__name__}: {text[0][:160]}" if text else type(fault).__name__
        raise UploadError(f"{shown} can't be read ({reason}). It may be damaged: write it again and choose it anew.") from fault


def without_paths(text: str, path: Path, shown: str) -> str:
    """Put the name that the owner knows in place of a path and of its file name.

    Examples
    --------
    >>> without_paths("/srv/a/sites.csv is empty", Path("/srv/a/sites.csv"), "my table.csv")
    'my table.csv is empty'
    """
    for known in (str(path.resolve()), str(path), path.name):
        text = text.replace(known, shown)
    return text
