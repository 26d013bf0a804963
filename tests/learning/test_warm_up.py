"""After the warm-up a map finds every kernel compiled."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from alm_core.learning import fusion_kernels, nearest, nearest_blocks, table_kernels
from alm_core.learning.applicability import fit_applicability
from alm_core.learning.fusion import fit_fusion
from alm_core.learning.uncertainty import fit_interval
from alm_core.learning.warm_up import warm_up

# The kernels that Python calls; those within them are part of their machine code.
ENTRIES = (
    fusion_kernels.mix_cells,
    fusion_kernels.correct_cells,
    fusion_kernels.cut_cells,
    fusion_kernels.bound_cells,
    nearest._nearest_and_count,
    nearest._pairwise,
    nearest_blocks._fill,
    nearest_blocks._leave_out_missing,
    table_kernels.interpolate_into,
)


def versions() -> list[int]:
    """Number of versions compiled of each kernel."""
    return [len(kernel.signatures) for kernel in ENTRIES]


def frozen(thing):
    """The same through a pickle whose arrays come out read-only, as they do from another process."""
    buffers = []
    content = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(content, buffers=[bytes(buffer) for buffer in buffers])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("covariates", [1, 6])
def test_nothing_is_compiled_after_it(kind, covariates):
    """Blocks with and without holes, members of both types, objects from another process."""
    told = []
    assert warm_up(told.append) >= 0
    assert len(told) == 1
    before = versions()
    assert min(before) >= 1
    rng = np.random.default_rng(0)
    sites = rng.normal(size=(60, covariates)).astype(np.float32)
    area = fit_applicability(sites)
    values = rng.normal(size=(covariates, 70, 70)).astype(np.float32)
    members, y = rng.normal(size=(4, 60)), rng.normal(size=60)
    fusion = fit_fusion(members, y, learners=list("abcd"), minimum=-1.0, maximum=1.0)
    fusion = fusion.with_interval(fit_interval(fusion.predict(members).value, fusion.spread(members), y))
    block = rng.normal(size=(4, 4900)).astype(kind)
    for one, two in ((area, fusion), (frozen(area), frozen(fusion))):
        one.predict_block(values, rng.random((70, 70)) < 0.9)
        one.predict(values.reshape(covariates, -1).T)
        two.predict(block, residual=np.zeros(4900))
        two.mix(block).spread()
    assert versions() == before
