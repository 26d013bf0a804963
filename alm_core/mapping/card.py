"""The card of a run: one page that says what was mapped, from what, how well, and where not to trust it.

The page is complete in itself: style and figures are inside, nothing is fetched, nothing runs. It prints well.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from alm_core.errors import SitesError
from alm_core.mapping import figures
from alm_core.mapping.card_time import slices_section
from alm_core.mapping.cog import describe_raster
from alm_core.mapping.facts import CardFacts
from alm_core.mapping.files import whole_file
from alm_core.mapping.html import Markup, bars, element, join, level_text, number, pairs, percent, picture, table, unit_text

SCHEMES = {
    "random": ("random folds", ""),
    "block": ("spatial blocks", ""),
    "knndm": ("kNNDM", "folds as far from the sites as the map is"),
    "survey": ("by survey", "one survey left out"),
    "method": ("by field method", "one field method left out"),
    "time": ("by time", "one period left out"),
    "holdout": ("hold-out", "sites set aside once"),
}
ANSWERS = {
    "random": "how well a place among the sites is predicted. It says little about the map far from them",
    "block": "how well a whole block without any site is predicted",
    "knndm": "how well a cell of this map is predicted, because its folds hold sites out at the distances at which the cells of "
    "the map lie from the sites",
    "survey": "how well a place that no survey in the table has visited is predicted",
    "method": "how well one field method predicts the other",
    "time": "how well another period is predicted",
    "holdout": "how well sites that were set aside once are predicted",
}
METRICS = {
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "mean_error": "mean error",
    "ccc": "CCC",
    "sd_ratio": "sd ratio",
    "picp": "coverage",
    "mpiw": "interval width",
    "overall_accuracy": "overall accuracy",
    "kappa": "kappa",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "F1 (macro)",
    "mcc": "MCC",
}
IN_UNIT = ("rmse", "mae", "mean_error", "mpiw")
MAXIMUM_REASONS = 12


def write_card(path: str | Path, facts: CardFacts) -> Path:
    """Write the card as one HTML file.

    Parameters
    ----------
    path : path
        The target, ``card.html`` by custom.
    facts : CardFacts
        What is empty is left out of the page.

    Returns
    -------
    Path

    Raises
    ------
    MissingFileError, RasterError
        A raster of the map is not there or can't be read.
    WorkspaceError
        The page can't be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     card = write_card(f"{folder}/card.html", CardFacts("Moisture", "demo", "1a2b", simulated=True))
    ...     "SIMULATED" in card.read_text(encoding="utf-8")
    True
    """
    path = Path(path)
    text = _page(facts)
    with whole_file(path, bytes_needed=len(text.encode())) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _page(facts: CardFacts) -> str:
    style = resources.files("alm_core.mapping").joinpath("card.css").read_text(encoding="utf-8")
    parts = [
        _banner(facts),
        _head(facts),
        _tiles(facts),
        _map(facts),
        slices_section(facts),
        _quality(facts),
        _bias(facts),
        _trust(facts),
        _sources(facts),
        _fusion(facts),
        _citation(facts),
        _provenance(facts),
    ]
    body = element("body", element("main", join(parts)))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{element('title', facts.title or facts.study)}<style>\n{style}</style></head>\n{body}\n</html>\n"
    )


# ---- sections -----------------------------------------------------------------------------------------------------------


def _banner(facts: CardFacts) -> Markup:
    if not facts.simulated:
        return Markup("")
    text = (
        "The sites and covariates of this run were made by a computer to try the program out. "
        "Its maps say nothing about the real world."
    )
    return element("div", element("strong", "SIMULATED DATA"), text, class_="banner", role="alert")


def _head(facts: CardFacts) -> Markup:
    what = f"{facts.target}, {unit_text(facts.unit)}" if facts.unit else facts.target
    facts_line = " · ".join(part for part in (what, facts.time, facts.area) if part)
    return element(
        "header",
        element("p", "Map card", class_="kicker"),
        element("h1", facts.title or facts.study),
        element("p", facts_line, class_="sub"),
        element("p", facts.description) if facts.description else "",
    )


def _tiles(facts: CardFacts) -> Markup:
    scores, under = facts.fused_scores(facts.headline), _scheme(facts.headline)
    tiles = []
    for metric in ("r2", "rmse") if facts.task == "regression" else ("overall_accuracy", "kappa"):
        if metric in scores:
            unit = unit_text(facts.unit) if metric in IN_UNIT else ""
            label = f"{METRICS[metric]} by {under}{_range_text(scores, metric)}"
            tiles.append((join([number(scores[metric]), element("small", unit) if unit else ""]), label))
    if facts.interval_level is not None and "picp" in scores:
        tiles.append((percent(scores["picp"], 1), f"of held-out sites inside their {level_text(facts.interval_level)} interval"))
    mapped = facts.counts.get("mapped", 0)
    if mapped and facts.threshold is not None:
        tiles.append((percent(mapped - facts.counts.get("outside", 0), mapped), "of the map inside the area of applicability"))
    if facts.sites_kept:
        what = "sites in their slices" if facts.slices else "sites"
        tiles.append((number(facts.sites_kept), f"{what} used of {number(facts.sites_total)} in the table"))
    return element(
        "div", join(element("div", element("b", a), element("span", b), class_="tile") for a, b in tiles), class_="tiles"
    )


def _map(facts: CardFacts) -> Markup:
    if facts.fused is None:
        return Markup("")
    preview = figures.read_preview(facts.fused, categorical=bool(facts.classes))
    band = _band(facts.uncertainty, "inside") if facts.threshold is not None else 0
    outside = figures.outside_of(facts.uncertainty, band, shape=preview.values.shape) if band and facts.uncertainty else None
    places = (facts.site_x, facts.site_y) if facts.site_x is not None and facts.site_y is not None else None
    png = figures.map_figure(preview, label=facts.target, outside=outside, places=places, classes=facts.classes, width=10.5)
    text = _counts_text(facts.counts)
    hatched = "Hatched: outside the area of applicability, where the sites say nothing about such places." if band else ""
    return join(
        [element("h2", "What was mapped"), picture(png, alt=f"Map of {facts.target}", caption=text + hatched)],
    )


def _counts_text(counts: Mapping[str, int]) -> str:
    """What became of the cells, in one sentence."""
    if not counts:
        return ""
    parts = [f"{number(counts.get('mapped', 0))} cells mapped"]
    if counts.get("routed"):
        parts.append(
            f"{number(counts['routed'])} of them lack some covariates: the members sent the missing values the way of their "
            "libraries, and such cells are never inside the area of applicability"
        )
    parts.append(f"{number(counts.get('masked', 0))} outside the mask")
    lack = "have no covariates to predict from" if counts.get("routed") else "lack a covariate"
    parts.append(f"{number(counts.get('missing', 0))} inside it {lack}")
    parts.append(f"{number(counts.get('clipped', 0))} values were cut to the physical range")
    return "; ".join(parts) + ". "


def _quality(facts: CardFacts) -> Markup:
    schemes = facts.metrics.get("schemes", {})
    if not schemes:
        return Markup("")
    shown = [name for name in METRICS if any(name in facts.fused_scores(scheme) for scheme in schemes)]
    heads = [_metric_head(name, facts.unit) for name in shown]
    rows = [_score_row(facts, scheme, shown) for scheme in schemes]
    marked = [place for place, scheme in enumerate(schemes) if scheme == facts.headline]
    answer = ANSWERS.get(facts.headline)
    sentence = [
        element("strong", f"{_scheme(facts.headline)} answers for this map"),
        f": it measures {answer}." if answer else ".",
        " The other schemes are given for comparison with published figures.",
    ]
    metric = "r2" if facts.task == "regression" else "overall_accuracy"
    points = {
        _scheme(scheme): _score_point(facts.fused_scores(scheme), metric)
        for scheme in schemes
        if metric in facts.fused_scores(scheme)
    }
    label = f"{METRICS[metric]} of the fused map"
    png = figures.scores_figure(points, label=label, headline=_scheme(facts.headline)) if points else None
    return join(
        [
            element("h2", "How good it is"),
            element("p", *sentence, class_="answer"),
            table(["scheme", *heads], rows, numbers=range(1, len(shown) + 1), marked=marked),
            picture(
                png,
                alt="Scores by scheme",
                caption="Every score is computed once over all predictions of sites that the model had not seen. "
                "Lines and small print: 95 % bootstrap interval over groups of sites.",
            ),
            _members_table(facts, metric),
        ]
    )


def _score_row(facts: CardFacts, scheme: str, shown: list[str]) -> list[Any]:
    scores = facts.fused_scores(scheme)
    tag = element("span", "answers for the map", class_="tag") if scheme == facts.headline else ""
    about = SCHEMES.get(scheme, (scheme, ""))[1]
    cells: list[Any] = [join([element("span", _scheme(scheme)), tag, element("small", about) if about else ""])]
    for name in shown:
        value = percent(scores[name], 1) if name == "picp" and name in scores else number(scores.get(name))
        cells.append(
            join(
                [
                    element("span", value),
                    element("small", _range_text(scores, name).strip(" ()")) if _has_range(scores, name) else "",
                ]
            )
        )
    return cells


def _members_table(facts: CardFacts, metric: str) -> Markup:
    columns = facts.metrics["schemes"][facts.headline]
    if len(columns) < 2:
        return Markup("")
    shown = [name for name in METRICS if all(name in scores for scores in columns.values())]
    rows = [[name, *(number(scores[part]) for part in shown)] for name, scores in columns.items()]
    marked = [place for place, name in enumerate(columns) if name == "fused"]
    title = f"Members and baselines by {_scheme(facts.headline)}"
    body = table(
        ["prediction", *(_metric_head(name, facts.unit) for name in shown)], rows, numbers=range(1, len(shown) + 1), marked=marked
    )
    return join([element("h3", title), body])


def _bias(facts: CardFacts) -> Markup:
    if facts.observed is None or facts.predicted is None or facts.task != "regression":
        return Markup("")
    from alm_core.learning.metrics import bias_curves

    try:
        curves = bias_curves(facts.observed, facts.predicted)
    except SitesError as fault:
        return join([element("h2", "Bias"), element("p", f"No bias curves: {fault}.")])
    caption = (
        "Left: mean error of sites with a given observed value. Every imperfect map is too high at the low end and too low at "
        "the high end, and no correction removes that without losing accuracy. Right: mean error of sites with a given predicted "
        "value; a calibrated map stays at zero. Bands: 95 %."
    )
    return join(
        [
            element("h2", "Bias, seen from both sides"),
            picture(figures.bias_figure(curves, unit=facts.unit), alt="Bias curves", caption=caption),
        ]
    )


def _trust(facts: CardFacts) -> Markup:
    mapped, outside = facts.counts.get("mapped", 0), facts.counts.get("outside", 0)
    parts: list[Any] = [element("h2", "Where not to trust it")]
    if mapped and facts.threshold is not None:
        sentence = (
            f"{percent(outside, mapped)} of the mapped cells lie outside the area of applicability: they are more unlike every "
            "site than held-out sites were unlike the sites that predicted them, so the scores above do not hold there."
        )
        parts.append(element("p", sentence, class_="caution"))
    if facts.uncertainty is not None:
        parts.append(element("div", _width_map(facts), _dissimilarity_map(facts), class_="pair"))
    if facts.limits:
        parts.append(element("ul", join(element("li", limit) for limit in facts.limits)))
    return join(parts) if len(parts) > 1 else Markup("")


def _width_map(facts: CardFacts) -> Markup:
    lower, upper = _band(facts.uncertainty, "lower"), _band(facts.uncertainty, "upper")
    if not lower or not upper or facts.uncertainty is None:
        return Markup("")
    low, high = (figures.read_preview(facts.uncertainty, band) for band in (lower, upper))
    width = figures.Preview(high.values - low.values, high.grid, high.unit)
    if not (width.values == width.values).any():
        return Markup("")
    level = f"{level_text(facts.interval_level)} " if facts.interval_level else ""
    png = figures.map_figure(width, label="interval width", palette="cividis", width=7)
    return picture(png, alt="Map of the interval width", caption=f"Width of the {level}prediction interval.")


def _dissimilarity_map(facts: CardFacts) -> Markup:
    band, inside = _band(facts.uncertainty, "dissimilarity"), _band(facts.uncertainty, "inside")
    if not band or not inside or facts.uncertainty is None:
        return Markup("")
    layer = figures.read_preview(facts.uncertainty, band)
    if not (layer.values == layer.values).any():
        return Markup("")
    outside = figures.outside_of(facts.uncertainty, inside, shape=layer.values.shape)
    png = figures.map_figure(layer, label="dissimilarity", outside=outside, palette="cividis", width=7)
    edge = f"; the edge of the area is at {number(facts.threshold)}" if facts.threshold is not None else ""
    return picture(
        png,
        alt="Map of the dissimilarity",
        caption=f"Dissimilarity to the nearest site in covariate space{edge}. Hatched: outside.",
    )


def _sources(facts: CardFacts) -> Markup:
    parts: list[Any] = []
    if facts.covariates:
        ordered = sorted(facts.covariates, key=lambda one: (not one.used, -(one.importance or 0.0), one.name))
        total = sum(one.importance or 0.0 for one in ordered)
        head = ["covariate", "group", "unit", "source", "used", *(["importance"] if total else [])]
        rows = [
            [
                one.name,
                one.group,
                one.unit,
                one.source,
                "yes" if one.used else "no",
                *([percent(one.importance, total) if one.importance else "\N{EN DASH}"] if total else []),
            ]
            for one in ordered
        ]
        used = sum(one.used for one in ordered)
        parts += [element("h3", f"Covariates: {used} used of {len(ordered)} offered"), table(head, rows, numbers=[5])]
    if facts.sites_total:
        parts.append(element("h3", f"Sites: {number(facts.sites_kept)} kept of {number(facts.sites_total)}"))
        reasons = sorted(facts.removed.items(), key=lambda pair: (-pair[1], pair[0]))
        shown = dict(reasons[:MAXIMUM_REASONS])
        rest = sum(count for _, count in reasons[MAXIMUM_REASONS:])
        shown |= {"other reasons": rest} if rest else {}
        parts.append(bars(shown, kind="warn"))
        parts.append(element("ul", join(element("li", note) for note in facts.site_notes)) if facts.site_notes else "")
    return join([element("h2", "From what"), *parts]) if parts else Markup("")


def _fusion(facts: CardFacts) -> Markup:
    if not facts.weights and not facts.fusion:
        return Markup("")
    left = join([element("h3", "Mean weight of each member"), bars(facts.weights)]) if facts.weights else ""
    right = join([element("h3", "Settings"), pairs(facts.fusion)]) if facts.fusion else ""
    return join(
        [
            element("h2", "How the members became one map"),
            element("div", element("div", left), element("div", right), class_="pair"),
            _oracle(facts),
        ]
    )


def _oracle(facts: CardFacts) -> Markup:
    """How far the compiled members are from their own libraries."""
    found = facts.oracle
    if not found:
        return Markup("")
    unit = f" {unit_text(facts.unit)}" if facts.unit and facts.task == "regression" else ""
    apart = ", ".join(f"{name} {value:.1e}{unit}" for name, value in found["differences"].items())
    compared = (
        f"Compiled trees against their own libraries on {number(found['cells'])} cells of the first block, largest difference: "
        f"{apart} (at most {found['tolerance']:.1e}{unit} was allowed). "
    )
    without = f"Asked through their own libraries, so with nothing to compare: {', '.join(found['without'])}."
    return element("p", (compared if apart else "") + (without if found["without"] else ""))


def _citation(facts: CardFacts) -> Markup:
    if not facts.citation and not facts.licence:
        return Markup("")
    licence = element("p", element("strong", "Licence: "), facts.licence) if facts.licence else ""
    text = facts.citation or "The study gives no citation."
    return join([element("h2", "How to cite"), element("p", text, class_="cite"), licence])


def _provenance(facts: CardFacts) -> Markup:
    head = {
        "study": facts.study,
        "run": facts.run,
        "seed": "" if facts.seed is None else str(facts.seed),
        "created": facts.created,
        "published as": facts.published,
    }
    inputs = {name: element("code", text) for name, text in sorted(facts.hashes.items())}
    versions = " · ".join(f"{name} {version}" for name, version in facts.versions.items())
    return join(
        [
            element("h2", "Provenance"),
            pairs({name: element("code", text) for name, text in head.items() if text}),
            join([element("h3", "Inputs (SHA-256)"), pairs(inputs)]) if inputs else "",
            element("p", f"Made with {versions}.") if versions else "",
            element("footer", "Active Layer Mapper. This page needs nothing from the internet."),
        ]
    )


# ---- parts --------------------------------------------------------------------------------------------------------------


def _band(path: Path | None, name: str) -> int:
    """Number of a band by its name; 0 where it is not there."""
    if path is None:
        return 0
    names = [band["name"] for band in describe_raster(path)["bands"]]
    return names.index(name) + 1 if name in names else 0


def _scheme(name: str) -> str:
    return SCHEMES.get(name, (name, ""))[0]


def _metric_head(metric: str, unit: str) -> Markup:
    """Name of a score, with its unit in small print below."""
    below = element("small", unit_text(unit)) if metric in IN_UNIT and unit else ""
    return join([element("span", METRICS[metric]), below])


def _has_range(scores: Any, metric: str) -> bool:
    return metric in scores.get("interval", {})


def _range_text(scores: Any, metric: str) -> str:
    if not _has_range(scores, metric):
        return ""
    low, high = scores["interval"][metric]
    return f" ({number(low)} to {number(high)})"


def _score_point(scores: Any, metric: str) -> tuple[float, float | None, float | None]:
    low, high = scores.get("interval", {}).get(metric, (None, None))
    return scores[metric], low, high
