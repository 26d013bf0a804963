"""How the covariate kernels are compiled: kept on disk where a cache can be written, anew by every process where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that holds no Python object, so that threads run side by side.

    A kernel may call only kernels of its own module: numba notices when that file changes, not when another one does.

    Examples
    --------
    >>> @kernel
    ... def twice(x):
    ...     return 2.0 * x
    >>> twice(1.5)
    3.0
    """
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:
        # numba's only complaint while decorating: "cannot cache function ...: no locator available".
        return numba.njit(nogil=True, error_model="numpy")(function)
