"""A target of pure noise through the whole procedure: selection, tuning, fusion, correction. Honest scores show no skill.

Run: ``python -m benchmarks.noise [--seeds 5]``
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from alm_core.covariates.samples import Samples
from alm_core.learning.folds import make_folds
from alm_core.learning.procedure import LearnerSpec, Procedure
from alm_core.learning.validation import score, validate
from benchmarks.common import save

SITES, COVARIATES = 342, 30
LEARNERS = tuple(LearnerSpec(name, name) for name in ("random_forest", "extra_trees", "xgboost", "catboost"))


def noise_samples(seed: int) -> Samples:
    """Sites, covariates and target that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    ids = [f"s{number:03d}" for number in range(SITES)]
    features = pd.DataFrame(
        rng.normal(size=(SITES, COVARIATES)), columns=[f"x{number:02d}" for number in range(COVARIATES)], index=ids
    )
    x, y = rng.uniform(80, 100, SITES), rng.uniform(28, 38, SITES)
    about = pd.DataFrame(
        {"x": x, "y": y, "longitude": x, "latitude": y, "survey": "a", "method": "b", "date": pd.NaT, "uncertainty": np.nan},
        index=ids,
    )
    return Samples(features.astype(np.float32), rng.normal(size=SITES), about)


def nested_r2(seed: int) -> float:
    """Pooled R2 of the fused value with everything switched on."""
    samples = noise_samples(seed)
    procedure = Procedure(
        learners=LEARNERS,
        selection={"repeats": 1, "step": 0.25, "scheme": "random"},
        selection_folds=3,
        tuning={"trials": 4, "folds": 3},
        fusion={"method": "bias_aware", "correction": "blend", "blend": 0.5},
        inner_folds=4,
        seed=seed,
        workers=2,
    )
    folds = make_folds("random", x=samples.x, y=samples.y, geographic=True, n_folds=5, seed=seed)
    out_of_fold, _ = validate(samples, folds, procedure)
    return score(out_of_fold, samples, task="regression", bootstrap=0)["random"]["fused"]["r2"]


def main() -> None:
    """Measure some seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    found = []
    for seed in range(parser.parse_args().seeds):
        found.append(nested_r2(seed))
        print(f"seed {seed}: nested R2 {found[-1]:.4f}", flush=True)
    save("noise", {"nested_r2": found, "bar": 0.05, "met": max(found) <= 0.05})


if __name__ == "__main__":
    main()
