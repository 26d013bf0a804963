"""Compile the room's kernels ahead of the first map, so that nobody waits for the compiler without knowing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alm_core.trees.warm_up import timed


def warm_up(tell: Callable[[str], None] | None = None) -> float:
    """Run every kernel that a map uses on tiny arrays of a map's types.

    A machine that keeps compiled code spends some ten seconds once; later calls take a fraction of a second.

    Parameters
    ----------
    tell : callable, optional
        Gets one line before the work begins.

    Returns
    -------
    float
        Seconds it took.
    """
    from alm_core.learning.applicability import fit_applicability
    from alm_core.learning.fusion import fit_fusion
    from alm_core.learning.interpolation import FEW_VALUES, interpolate
    from alm_core.learning.uncertainty import ErrorScale, IntervalModel

    with timed("fusion and applicability", tell) as took:
        rng = np.random.default_rng(0)
        sites = rng.normal(size=(20, 3)).astype(np.float32)
        area = fit_applicability(sites, categorical=[])
        area.predict(sites)
        area.predict_block(np.ascontiguousarray(sites.T[:, :, None]), np.ones((20, 1), bool))
        y = sites.sum(axis=1).astype(float)
        fusion = fit_fusion(y + rng.normal(size=(2, 20)), y, learners=("first", "second"), minimum=0.0)
        scale = ErrorScale(1.0, 1.0, np.array([0.0, 1.0]), np.ones(2))
        fusion = fusion.with_interval(IntervalModel(0.9, scale, {"all": (1.0, 1.0)}))
        members = np.tile(sites.T[:2], FEW_VALUES // 20 + 1)
        for kind in (np.float32, np.float64):
            fusion.predict(members.astype(kind))
        interpolate(members[0].astype(float), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    return took.seconds
