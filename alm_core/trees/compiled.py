"""How the package's kernels are compiled: once per machine where a cache can be written, once per process where not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config

PACKAGE = Path(__file__).resolve().parent.parent


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that holds no Python object, so that threads run side by side.

    The machine code is kept beside the source or in the user's cache folder. Where neither can be written (an installed
    read-only package and no home folder) the kernel works all the same and is compiled anew by every process.

    Examples
    --------
    >>> @compiled
    ... def twice(x):
    ...     return 2.0 * x
    >>> twice(1.5)
    3.0
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = before or str(PACKAGE / "__pycache__" / f"kernels-{kernels_hash()}")
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:
        # numba's only complaint while decorating: "cannot cache function ...: no locator available".
        return numba.njit(nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before


@cache
def kernels_hash() -> str:
    """Hash of all modules that hold kernels.

    numba compiles a kernel again when its own file changes, but not when a kernel or a constant that it takes from another
    file does: the old machine code would go on with the old numbers. So every state of the sources has a folder of its own.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_bytes()
        if b"@compiled" in text:
            digest.update(text)
    return digest.hexdigest()[:12]
