"""The last stage: what was mapped, from what, how good, where not to trust it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from alm_core.covariates.samples import Samples
from alm_core.learning.validation import FUSED
from alm_core.mapping.card import CardFacts, write_card
from alm_core.mapping.facts import CovariateFact
from alm_core.mapping.figures import map_figure, outside_of, read_preview
from alm_core.mapping.judge import judge_map
from alm_core.mapping.published import publish
from alm_core.mapping.slices import read_slices
from alm_core.mapping.stac import ItemFacts, build_item, write_item
from alm_core.stages.context import Context
from alm_core.stages.evaluation import write_extent, write_reference_maps
from alm_core.stages.fitted import load_fusion
from alm_core.stages.mapping import final_plan, mean_weights
from alm_core.time_slices import PLACEHOLDER
from alm_core.workspace import RECORD, atomic_path, read_json, write_json

INSIDE_BAND = {"regression": 5, "classification": 4}
"""Band of uncertainty.tif that holds the area of applicability."""
THUMBNAIL_PIXELS = 700
MINIMUM_SITES_OF_A_SURVEY = 5


def stage_report(context: Context) -> list[Path]:
    """Write the card, the STAC item, the thumbnail and, for a simulated study, the judgement against its truth."""
    written = []
    if context.options.map.publish_as:
        written += publish_maps(context)
    if context.options.study.truth and context.options.target.task == "regression":
        written.append(write_judgement(context))
    written += [*write_extent(context), *write_reference_maps(context)]
    context.report(1, 4, "thumbnail")
    written.append(write_thumbnail(context))
    context.report(2, 4, "card")
    facts = card_facts(context)
    written.append(write_card(context.folder / "card.html", facts))
    context.report(3, 4, "catalogue item")
    written.append(write_catalogue_item(context, facts))
    context.report(4, 4, "report written")
    return written


def publish_maps(context: Context) -> list[Path]:
    """The fused raster under the name of the product; beside it one of each slice, named by both."""
    name = context.options.map.publish_as
    slices = read_slices(context.folder)
    folders = [(slices.folder(slice), f"{name}_{slice}") for slice in slices.names]
    return [publish(folder / "fused.tif", title) for folder, title in [(context.folder / "map", name), *folders]]


def write_judgement(context: Context) -> Path:
    """Compare the map of a simulated study with its truth, slice by slice where the truth is given so."""
    noise = context.samples.about["uncertainty"].dropna().to_numpy()
    slices, truth = read_slices(context.folder), context.options.study.truth

    def judged(folder: Path, slice: str) -> dict[str, Any]:
        known = context.study.file(truth.replace(PLACEHOLDER, slice))
        return judge_map(folder, known, label_noise=noise, seed=context.options.study.seed).to_dict()

    found = judged(context.folder / "map", slices.main)
    if PLACEHOLDER in truth:
        found["slices"] = {name: judged(slices.folder(name), name) for name in slices.names}
    path = context.folder / "truth.json"
    write_json(path, found)
    return path


def slice_facts(context: Context) -> tuple[dict[str, Any], ...]:
    """Years and mapped cells of each slice; none without slices."""
    found = read_slices(context.folder)
    return tuple(
        {
            "name": one.name,
            "first_year": one.first_year,
            "last_year": one.last_year,
            "mapped": read_json(found.folder(one.name) / "map.json")["counts"]["mapped"],
        }
        for one in found.slices
    )


def map_time(context: Context) -> str:
    """What the maps are valid for: what the study says, or the years from the first slice to the last."""
    slices = context.options.slices
    return f"{slices[0].first_year}/{slices[-1].last_year}" if slices else context.options.map.time


def write_thumbnail(context: Context) -> Path:
    """A small picture of the fused map, hatched outside the area of applicability."""
    fused = context.folder / "map" / "fused.tif"
    classes = read_json(context.folder / "map" / "map.json")["classes"]
    layer = read_preview(fused, pixels=THUMBNAIL_PIXELS, categorical=bool(classes))
    outside, band = None, INSIDE_BAND[context.options.target.task]
    if context.options.applicability.enabled:
        outside = outside_of(context.folder / "map" / "uncertainty.tif", band, shape=layer.values.shape)
    path = context.folder / "map" / "thumbnail.png"
    with atomic_path(path) as temporary:
        temporary.write_bytes(map_figure(layer, label=context.options.target.name, outside=outside, classes=classes or None))
    return path


def covariate_facts(context: Context) -> tuple[CovariateFact, ...]:
    """Every layer that was offered, with its share in the fused value where it was chosen."""
    stack = context.stack
    importance = read_json(context.folder / "importance.json")["fused"]
    chosen = set(read_json(context.folder / "models.json")["features"])
    sources = {layer.name: layer.source for layer in context.options.covariates}
    sources |= {layer.name: f"derived: {layer.method}" for layer in context.options.derived}
    return tuple(
        CovariateFact(name, stack.groups[name], stack.units[name], sources.get(name, ""), name in chosen, importance.get(name))
        for name in stack.names
    )


def card_facts(context: Context) -> CardFacts:
    """Gather the card from the files of the run."""
    options, folder, samples = context.options, context.folder, context.samples
    head, target = options.study, options.target
    sites = read_json(folder / "sites.json")
    record = read_json(folder / RECORD)
    metrics = read_json(folder / "metrics.json")
    plan = final_plan(context, samples)
    pairs = pd.read_parquet(folder / "out_of_fold.parquet")
    pairs = pairs[pairs["scheme"] == metrics["headline"]] if metrics["headline"] in set(pairs["scheme"]) else pairs
    frame = pd.read_parquet(folder / "sites.parquet")
    applicability = read_json(folder / "applicability.json") if options.applicability.enabled else {}
    mapped = read_json(folder / "map" / "map.json")
    regression = target.task == "regression"
    return CardFacts(
        title=head.title,
        study=head.name,
        run=context.run_id,
        target=target.name,
        unit=target.unit,
        task=target.task,
        description=". ".join(part.rstrip(".") for part in (target.description, head.description) if part),
        time=map_time(context),
        created=now(),
        simulated=head.simulated,
        seed=head.seed,
        covariates=covariate_facts(context),
        sites_total=len(frame),
        sites_kept=int(frame["kept"].sum()),
        removed={str(reason): int(count) for reason, count in frame.loc[~frame["kept"], "rule"].value_counts().items()},
        site_notes=tuple(sites["table"].get("notes", ())),
        metrics=metrics,
        observed=pairs["observed"].to_numpy() if regression else None,
        predicted=pairs[FUSED].to_numpy() if regression else None,
        weights=mean_weights(folder, load_fusion(folder, plan), plan),
        fusion={"method": options.fusion.method, "bias correction": options.bias.method, "residual": plan.residual},
        interval_level=options.uncertainty.level if regression and plan.interval else None,
        counts=mapped["counts"],
        oracle=mapped["oracle"],
        threshold=applicability.get("threshold"),
        fused=folder / "map" / "fused.tif",
        published=f"map/{options.map.publish_as}.tif" if options.map.publish_as else "",
        uncertainty=folder / "map" / "uncertainty.tif",
        classes=mapped["classes"],
        slices=slice_facts(context),
        main_slice=options.main_slice,
        change=read_slices(folder).change_facts,
        site_x=samples.x,
        site_y=samples.y,
        limits=limits(context, metrics, samples),
        citation=head.citation,
        licence=head.licence,
        hashes=context.hashes,
        versions=record["versions"],
    )


def limits(context: Context, metrics: dict[str, Any], samples: Samples) -> tuple[str, ...]:
    """Cautions that follow from the run itself."""
    found = []
    schemes, headline = metrics["schemes"], metrics["headline"]
    key = "r2" if metrics["task"] == "regression" else "overall_accuracy"
    if "random" in schemes and headline in schemes and headline != "random":
        random, honest = schemes["random"][FUSED][key], schemes[headline][FUSED][key]
        if random - honest > 0.05:
            found.append(
                f"Random folds alone would have printed {random:.2f} instead of {honest:.2f}: sites lie close together, "
                "most of the map lies far from them."
            )
    if context.options.selection.enabled and not metrics["selection_nested"]:
        found.append("The covariates were chosen on all sites before scoring, so the scores are somewhat too good.")
    routed = read_json(context.folder / "map" / "map.json")["counts"]["routed"]
    if routed:
        found.append(
            f"{routed} cells lack some covariates and were predicted without them: nobody has scored such predictions, and they "
            "have no dissimilarity."
        )
    sizes = pd.Series(samples.groups("survey")).value_counts()
    small = int((sizes < MINIMUM_SITES_OF_A_SURVEY).sum())
    if small:
        found.append(f"{small} of {len(sizes)} surveys have fewer than {MINIMUM_SITES_OF_A_SURVEY} sites.")
    gains = metrics["gain_over_learner"].get(headline, {}).values()
    best = min((gain["mean"] / gain["standard_error"] for gain in gains if gain["standard_error"]), default=None)
    if best is not None and best < 2:
        found.append("The fusion is not clearly better than its best member: the gain is within two standard errors.")
    return tuple(found)


def write_catalogue_item(context: Context, facts: CardFacts) -> Path:
    """stac.json beside the card."""
    folder = context.folder
    assets = {name: folder / path for name, path in read_json(folder / "map" / "map.json")["paths"].items()}
    if context.options.map.publish_as:
        assets["published"] = folder / "map" / f"{context.options.map.publish_as}.tif"
    assets |= slice_assets(context)
    assets = {"fused": assets.pop("fused"), **assets, "card": folder / "card.html", "thumbnail": folder / "map" / "thumbnail.png"}
    scores = facts.fused_scores(facts.headline)
    item = build_item(
        ItemFacts(
            id=f"{facts.study}-{facts.run}",
            title=facts.title,
            description=facts.description,
            licence=facts.licence,
            citation=facts.citation,
            time=facts.time,
            created=facts.created,
            simulated=facts.simulated,
            seed=facts.seed,
            software=dict(facts.versions),
            inputs=dict(facts.hashes),
            properties={
                "alm:validation": facts.headline,
                "alm:scores": {name: value for name, value in scores.items() if isinstance(value, float) and value == value},
                "alm:weights": dict(facts.weights),
                **({"alm:slices": list(facts.slices), "alm:main_slice": facts.main_slice} if facts.slices else {}),
            },
        ),
        assets,
        root=folder,
    )
    return write_item(folder / "stac.json", item)


def slice_assets(context: Context) -> dict[str, Path]:
    """The rasters of every slice, named ``fused-1980-1984`` and so on, and the change map; none without slices."""
    found, assets = read_slices(context.folder), {}
    for name in found.names:
        paths = read_json(found.folder(name) / "map.json")["paths"]
        assets |= {f"{raster}-{name}": context.folder / path for raster, path in paths.items()}
    return assets | ({"change": found.change} if found.change is not None else {})


def now() -> str:
    """The time, for people; it enters no hash and no raster."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
