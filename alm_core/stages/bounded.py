"""Censored values of a study: brought to places with covariates, kept for the validation and held against its predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.samples import Samples, make_samples
from alm_core.learning.bounded import BoundedPlaces, BoundedValidation
from alm_core.sites.censored import BOUNDS, summarise_bounds
from alm_core.sites.table import SiteTable
from alm_core.stages.context import Context

FILE = "bounded.parquet"
CovariatesAt = Callable[[Context, SiteTable], tuple[np.ndarray, np.ndarray, pd.DataFrame]]


def write_bounded(context: Context, table: SiteTable, covariates_at: CovariatesAt) -> dict[str, Any]:
    """Keep the censored values that lie on the map; gives the counts of those kept and of those left out, by reason.

    `covariates_at` gives x, y and the covariates of the rows of a table.
    """
    path = context.folder / FILE
    path.unlink(missing_ok=True)
    if table.bounds is None or not len(table.bounds):
        return {"rows": 0, "kept": 0, "left_out": {}}
    options = context.options
    # Several bounds of one site are rows of their own; `site` keeps the place.
    ids = table.bounds["site_id"].astype(str)
    rows = table.bounds.assign(site=ids, site_id=ids + "#" + table.bounds["source_row"].astype(str), value=np.nan)
    bounds = SiteTable(rows, table.crs)
    frame = bounds.frame
    x, y, features = covariates_at(context, bounds)
    times = frame["slice"].to_numpy(object) if "slice" in frame else np.full(len(frame), "", object)
    missing = features.isna().mean(axis=1).to_numpy()
    outside = context.stack.grid.cell_index(x, y) == -1
    timeless = np.isin(times, [one.name for one in options.slices], invert=True) if options.slices else np.zeros(len(x), bool)
    bare = (missing > options.screening.maximum_missing) & ~outside & ~timeless
    kept = ~(outside | timeless | bare)
    if kept.any():
        samples = make_samples(frame[kept], features[kept], x[kept], y[kept])
        BoundedPlaces(samples, *(frame.loc[kept, name].to_numpy(float) for name in BOUNDS)).to_parquet(path)
    reasons = {"outside the grid": outside, "outside every slice": timeless & ~outside, "too many covariates missing": bare}
    left_out = {reason: int(rows.sum()) for reason, rows in reasons.items() if rows.any()}
    return {"rows": len(frame), "kept": int(kept.sum()), "left_out": left_out}


def bounded_validation(context: Context, samples: Samples) -> BoundedValidation | None:
    """The censored values of a run for its validation; None where it has none."""
    path = context.folder / FILE
    if not path.is_file():
        return None
    return BoundedValidation(BoundedPlaces.from_parquet(path), samples, context.stack.grid.is_geographic)


def bounded_metrics(notes: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Take the bounded places out of the notes on folds, and score them by scheme (first repeat)."""
    found = {}
    for scheme, folds in notes.items():
        rows = [(fold["repeat"], row) for fold in folds for row in fold.pop("bounded", ())]
        if rows:
            first = [row for repeat, row in rows if repeat == 0]
            found[scheme] = summarise_bounds(first) | {"places": first}
    return found
