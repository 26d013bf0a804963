"""Compiled loop over days that finds when the state of a cell changes for good."""

from __future__ import annotations

import numpy as np

from alm_core.trees.compiled import compiled

NONE, CHANGE, UNSURE = 0, 1, 2
"""Codes of a change, positive to frozen and negative to thawed; unsure where the days before it are not known."""


@compiled
def find_changes(state, run_days, unknown, changes):
    """Write the code of every change into `changes` int8 ``[day, cell]``, which comes as zeros.

    The state of a cell changes on the first day of `run_days` known days in a row of the other state. Days that are not known
    neither break a run nor count, but more than `run_days` of them in a row end it. Shorter runs are ignored, so that the
    codes of a cell go up and down in turn. The first run of a series is where it begins, and no change.
    """
    days, cells = state.shape
    run = np.full(cells, unknown, np.uint8)
    settled = np.full(cells, unknown, np.uint8)
    begin, count = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    last, gap = np.full(cells, -1, np.int64), np.zeros(cells, np.int64)
    for day in range(days):
        for cell in range(cells):
            s = state[day, cell]
            if s == unknown:
                continue
            before = day - last[cell] - 1
            if s != run[cell] or before > run_days:
                run[cell], begin[cell], count[cell], gap[cell] = s, day, 0, before
            last[cell] = day
            count[cell] += 1
            if count[cell] == run_days and s != settled[cell]:
                if settled[cell] != unknown:
                    code = UNSURE if gap[cell] > run_days else CHANGE
                    changes[begin[cell], cell] = code if s == 1 else -code
                settled[cell] = s
