"""The stage that draws cell-days: states from a product or from sites, predictors from the daily fields, and the check apart.

How the check stays independent
-------------------------------
Cell-days of the check are drawn first, from the cell-days with a value of the second product and without a look at the labels or
at the values. None of them is learned from. Nor is their cell in the days around (``splits.gap_days`` before and after): the
state of yesterday is nearly that of today. Other cells of the same day may train. Their scores therefore come from the models of
the headline split, which saw nothing of their year, block or cell. What the second product says is read into the column
``check`` and used for scores only; it is no feature, no label, and decides nothing that is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alm_core.covariates.stack import Stack
from alm_core.cubes.features import FeaturePlan, compute_features, make_plan
from alm_core.cubes.state_table import SiteStates, read_states
from alm_core.cubes.states import FROZEN, STATES, THAWED
from alm_core.cubes.static_layers import read_static
from alm_core.cubes.store import CubeStore
from alm_core.day_options import DayOptions, StateCodes, StateTable
from alm_core.errors import SitesError
from alm_core.learning.day_draw import CellDays, Stretch, draw_cell_days, held_back, months
from alm_core.learning.day_samples import BASELINE, FEATURE
from alm_core.learning.day_scores import SEASONS
from alm_core.stages.context import Context
from alm_core.workspace import atomic_path, write_json

SAMPLES = "samples.parquet"
FACTS = "samples.json"
CHECK_STREAM, LABEL_STREAM = 1, 2
MOST_HELD_BACK = 0.25
"""Largest part of the cell-days that the check and the days around it may take from the labels."""
TOLD_VALUES = 10


def held_back_variables(days: DayOptions) -> tuple[str, ...]:
    """Variables that are learned or checked and can't be predictors."""
    return tuple(codes.variable for codes in (days.labels, days.check) if isinstance(codes, StateCodes))


def day_plan(days: DayOptions, store: CubeStore, stack: Stack) -> FeaturePlan:
    """The predictors of a study of days: of samples and maps alike. The products of labels and check are never offered."""
    hidden = held_back_variables(days)
    variables = [variable for variable in store.variables if variable.name not in hidden]
    return make_plan([one.model_dump() for one in days.features], variables, stack.names, hidden=stack.inputs)


@dataclass
class Product:
    """Cell-days with a state of a product.

    Attributes
    ----------
    store : CubeStore
    codes : StateCodes
    """

    store: CubeStore
    codes: StateCodes

    def read(self, start: int, stop: int) -> CellDays:
        """Those of some days."""
        states = self.states(start, stop)
        day, cell = np.nonzero(states >= 0)
        return CellDays(cell, day + start, states[day, cell], np.full(len(day), -1))

    def states(self, start: int, stop: int) -> np.ndarray:
        """int8 ``[day, cell]``: 0 thawed, 1 frozen, -1 missing or another value."""
        values = self.store.read(self.codes.variable, start, stop)
        states = np.full(values.shape, -1, np.int8)
        states[np.isin(values, self.codes.thawed)] = THAWED
        states[np.isin(values, self.codes.frozen)] = FROZEN
        return states

    def facts(self, stretches: Sequence[Stretch]) -> dict[str, Any]:
        """Cell-days by what the product says of them."""
        counts, others = Counter(), Counter()
        for start, stop in stretches:
            states, values = self.states(start, stop), self.store.read(self.codes.variable, start, stop)
            counts["thawed"] += int((states == THAWED).sum())
            counts["frozen"] += int((states == FROZEN).sum())
            counts["missing"] += int(np.isnan(values).sum())
            found = np.unique(values[(states < 0) & ~np.isnan(values)], return_counts=True)
            others.update(dict(zip(found[0].tolist(), found[1].tolist(), strict=True)))
        told = {f"{value:g}": count for value, count in others.most_common(TOLD_VALUES)}
        return {"source": self.codes.variable, **counts, "other_values": sum(others.values()), "values": told}


@dataclass
class Sites:
    """Cell-days with a state at a site.

    Attributes
    ----------
    store : CubeStore
    table : SiteStates
    """

    store: CubeStore
    table: SiteStates
    everything: CellDays = field(init=False)

    def __post_init__(self) -> None:
        frame = self.table.frame
        cell = np.searchsorted(self.store.cells, frame["cell"].to_numpy())
        day = (frame["date"].to_numpy("datetime64[D]") - self.store.dates[0]).astype(np.int64)
        self.everything = CellDays(cell, day, frame["label"].to_numpy(np.int8), np.arange(len(frame)))

    def read(self, start: int, stop: int) -> CellDays:
        """Those of some days."""
        return self.everything.take((self.everything.day >= start) & (self.everything.day < stop))

    def facts(self, stretches: Sequence[Stretch]) -> dict[str, Any]:
        """Site-days by state, and what the table held."""
        frozen = int((self.everything.state == FROZEN).sum())
        return {"source": "table", "thawed": len(self.everything) - frozen, "frozen": frozen, "table": self.table.to_dict()}


def stage_day_samples(context: Context) -> list[Path]:
    """Draw labelled cell-days and the check, and compute their predictors month by month, so that memory stays flat."""
    days, seed = context.options.days, context.options.study.seed
    store, stack = CubeStore.open(context.folder / "cubes"), context.stack
    plan = day_plan(days, store, stack)
    labels, stretches = label_source(context, store), months(store.dates)
    label_facts = labels.facts(stretches)
    refuse_single_class(label_facts, days)
    check, check_facts = draw_check(days, store, stretches, seed)
    drawn, free = draw_labels(labels, check, store, stretches, days, seed)
    frame = cell_day_table(drawn, check, labels, store)
    frame = with_predictors(context, frame, plan, store, read_static(stack, store, plan.layers), stretches)
    frame, lacking = leave_out_missing(frame, plan, days.missing)
    facts = {
        "cell_days": store.days * store.cells.size,
        "labels": label_facts | {"free_of_check": free},
        "asked": days.samples.count,
        "drawn": len(drawn),
        "check": check_facts | {"buffer_days": days.splits.gap_days} if days.check else None,
        "missing": days.missing,
        "lacking": lacking,
        **table_facts(frame),
        "features": list(plan.names),
        "plan": plan.to_dict(),
    }
    refuse_useless(facts, days)
    with atomic_path(context.folder / SAMPLES) as temporary:
        frame.to_parquet(temporary, index=False)
    write_json(context.folder / FACTS, facts)
    return context.files(SAMPLES, FACTS)


def label_source(context: Context, store: CubeStore) -> Product | Sites:
    """Where the study has its states from."""
    labels = context.options.days.labels
    if isinstance(labels, StateCodes):
        return Product(store, labels)
    return Sites(store, site_states(labels, context.study.file(labels.table), store))


def site_states(labels: StateTable, path: Path, store: CubeStore) -> SiteStates:
    """The table of states at sites, on the grid, cells and days of a store."""
    columns = {name: getattr(labels, name) for name in ("site_id", "date", "longitude", "latitude", "value")}
    first, last = (pd.Timestamp(store.dates[place]).date() for place in (0, -1))
    grid, threshold = store.grid, labels.frozen_at_or_below
    return read_states(path, columns=columns, threshold=threshold, grid=grid, cells=store.cells, first=first, last=last)


def refuse_single_class(facts: dict[str, Any], days: DayOptions) -> None:
    """Refuse labels of which one state never occurs.

    Raises
    ------
    SitesError
        With what was found.
    """
    absent = [state for state in STATES if not facts.get(state)]
    if not absent:
        return
    found = ", ".join(f"{state} {facts.get(state, 0)}" for state in STATES)
    values = facts.get("values")
    others = ", ".join(f"{value} ({count} times)" for value, count in values.items()) if values else "none"
    advice = (
        f"Set labels.frozen and labels.thawed to the codes of the product (now {list(days.labels.frozen)} and "
        f"{list(days.labels.thawed)}; other values found: {others})."
        if isinstance(days.labels, StateCodes)
        else "Look at frozen_at_or_below and the days of the study."
    )
    raise SitesError(f"The labels ({facts['source']}) never are {' nor '.join(absent)}: cell-days by state: {found}. {advice}")


def refuse_useless(facts: dict[str, Any], days: DayOptions) -> None:
    """Refuse samples of one state, after drawing and leaving out.

    Raises
    ------
    SitesError
    """
    if min(facts["class_counts"].values()) >= 2:
        return
    worst = sorted(facts["lacking"]["by_predictor"].items(), key=lambda item: -item[1])[:5]
    raise SitesError(
        f"Of {facts['drawn']} labelled cell-days drawn, {facts['class_counts']} are left to learn from after "
        f"{facts['lacking']['labels']} lacked a predictor (most often {', '.join(f'{name} {count}' for name, count in worst)}): "
        'two of each state are expected. Draw more samples, leave these predictors out, or set [days] missing = "route".'
    )


def draw_check(days: DayOptions, store: CubeStore, stretches: Sequence[Stretch], seed: int) -> tuple[CellDays, dict[str, Any]]:
    """Cell-days of the check, drawn without a look at what the product says; fewer than asked where labels would run short."""
    if days.check is None:
        return CellDays.join([]), {}
    product = Product(store, days.check)
    found = product.facts(stretches)
    known = found["thawed"] + found["frozen"]
    if not known:
        raise SitesError(
            f"The product of the check ({days.check.variable}) has neither frozen nor thawed cell-days; other values: "
            f"{found['values'] or 'none'}. Set check.frozen and check.thawed to its codes, or leave [days.check] out."
        )
    most = max(1, int(MOST_HELD_BACK * known / (2 * days.splits.gap_days + 1)))
    count = min(days.samples.check_count, most)
    drawn = draw_cell_days(product.read, stretches, count, seed=seed, stream=CHECK_STREAM)
    return drawn, found | {"asked": days.samples.check_count, "most": most, "drawn": len(drawn)}


def draw_labels(
    labels: Product | Sites, check: CellDays, store: CubeStore, stretches: Sequence[Stretch], days: DayOptions, seed: int
) -> tuple[CellDays, int]:
    """Cell-days to learn from, away from those of the check; also the number of those that could have been drawn."""
    cells, counted = store.cells.size, {}

    def read(start: int, stop: int) -> CellDays:
        found = labels.read(start, stop)
        if len(check):
            held = held_back(check, start, stop, cells, days.splits.gap_days)
            found = found.take(~held[found.day - start, found.cell])
        counted[start] = len(found)
        return found

    drawn = draw_cell_days(read, stretches, days.samples.count, seed=seed, stream=LABEL_STREAM)
    return drawn, sum(counted.values())


def cell_day_table(drawn: CellDays, check: CellDays, labels: Product | Sites, store: CubeStore) -> pd.DataFrame:
    """The table without predictors, by day, then cell."""
    both = CellDays.join([drawn, check])
    is_check = np.arange(len(both)) >= len(drawn)
    state = both.state.astype(np.float32)
    date = pd.DatetimeIndex(store.dates[both.day].astype("datetime64[ns]"))
    frame = pd.DataFrame(
        {
            "cell": both.cell,
            "day": both.day,
            "date": date,
            "x": store.x[both.cell],
            "y": store.y[both.cell],
            "label": np.where(is_check, np.nan, state).astype(np.float32),
            "check": np.where(is_check, state, np.nan).astype(np.float32),
            "year": date.year.to_numpy(np.int16),
            "month": date.month.to_numpy(np.int8),
        }
    )
    if isinstance(labels, Sites):
        sites = labels.table.frame
        frame["site"] = np.where(is_check, "", sites["site"].astype(str).to_numpy(object)[np.maximum(both.row, 0)])
        for name in ("x", "y"):
            frame.loc[~is_check, name] = sites[name].to_numpy()[both.row[~is_check]]
    return frame.sort_values(["day", "cell", "check"], kind="stable").reset_index(drop=True)


def with_predictors(
    context: Context,
    frame: pd.DataFrame,
    plan: FeaturePlan,
    store: CubeStore,
    static: dict[str, np.ndarray],
    stretches: Sequence[Stretch],
) -> pd.DataFrame:
    """Add predictors, what the baselines read, and the label product at the cell-days of the check."""
    days = context.options.days
    cell, day = frame["cell"].to_numpy(), frame["day"].to_numpy()
    features = np.full((len(frame), len(plan.names)), np.nan, np.float32)
    extra = baseline_variables(days)
    read = {name: np.full(len(frame), np.nan, np.float32) for name in extra}
    label = frame["label"].to_numpy(np.float32, copy=True)
    labels = Product(store, days.labels) if isinstance(days.labels, StateCodes) else None
    checked = frame["check"].notna().to_numpy()
    for number, (start, stop) in enumerate(stretches):
        rows = np.arange(*np.searchsorted(day, [start, stop]))
        if len(rows):
            cells, place = np.unique(cell[rows], return_inverse=True)
            values = compute_features(plan, store, static, start, stop, cells=cells)
            features[rows] = values[:, day[rows] - start, place].T
            for name, variable in extra.items():
                read[name][rows] = store.read(variable, start, stop)[day[rows] - start, cell[rows]]
            asked = rows[checked[rows]]
            if labels is not None and len(asked):
                known = labels.states(start, stop)[day[asked] - start, cell[asked]]
                label[asked] = np.where(known < 0, np.nan, known)
        context.report(number + 1, len(stretches), f"predictors of {store.dates[start].astype('datetime64[M]')}")
    columns = {FEATURE + name: features[:, place] for place, name in enumerate(plan.names)}
    return pd.concat([frame.assign(label=label), pd.DataFrame(columns | {BASELINE + name: read[name] for name in read})], axis=1)


def baseline_variables(days: DayOptions) -> dict[str, str]:
    """What the baselines read, and the variables that hold it."""
    if days.discriminant is None:
        return {}
    return {"vertical_36": days.discriminant.vertical_36, "horizontal_18": days.discriminant.horizontal_18}


def leave_out_missing(frame: pd.DataFrame, plan: FeaturePlan, missing: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Leave out rows that lack a predictor, unless they are routed; says how many, and which predictors."""
    absent = frame[[FEATURE + name for name in plan.names]].isna()
    lacks, check = absent.any(axis=1).to_numpy(), frame["check"].notna().to_numpy()
    by_predictor = {name.removeprefix(FEATURE): int(count) for name, count in absent.sum().items() if count}
    told = {"labels": int((lacks & ~check).sum()), "check": int((lacks & check).sum()), "by_predictor": by_predictor}
    if missing == "route":
        return frame, told | {"left_out": 0}
    return frame[~lacks].reset_index(drop=True), told | {"left_out": int(lacks.sum())}


def table_facts(frame: pd.DataFrame) -> dict[str, Any]:
    """What the table holds, for pages and reports."""
    check = frame["check"].notna()
    own = frame[~check]
    counts = {state: int((own["label"] == code).sum()) for code, state in enumerate(STATES)}
    season = own["month"].map(SEASONS).value_counts()
    facts = {
        "kept": len(own),
        "kept_check": int(check.sum()),
        "class_counts": counts,
        "class_shares": {state: count / max(len(own), 1) for state, count in counts.items()},
        "by_season": {name: int(season.get(name, 0)) for name in ("DJF", "MAM", "JJA", "SON")},
        "by_year": {str(year): int(count) for year, count in own["year"].value_counts().sort_index().items()},
        "cells": int(own["cell"].nunique()),
    }
    if "site" in own:
        facts["sites"] = int(own["site"].nunique())
    both = frame[check & frame["label"].notna()]
    if len(both):
        facts["check_agrees_with_labels"] = float((both["check"] == both["label"]).mean())
    return facts
