"""How the room's kernels are compiled: once per machine where a cache can be written, once per process where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that holds no Python object, so that threads run side by side.

    numba keeps the machine code beside the source or in the user's cache folder. It refuses to cache where neither can be
    written (an installed read-only package and no home folder); the kernel then works all the same and is compiled anew by
    every process (a few seconds).

    Examples
    --------
    >>> @compiled
    ... def twice(x):
    ...     return 2.0 * x
    >>> twice(1.5)
    3.0
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        # numba's only complaint while decorating: "cannot cache function ...: no locator available".
        return numba.njit(nogil=True)(function)
