"""The layers of a run: what there is to show, where it is stored, in which colours."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from alm_core.covariates.stack import STACK_FILE
from alm_core.errors import AlmError
from alm_core.inspection.published_maps import REFERENCE_MAPS_FILE
from alm_core.inspection.slices import (
    CHANGE_FILE,
    SLICES_FILE,
    find_slice,
    is_of_slice,
    main_slice,
    stack_of,
    time_slices,
)
from alm_core.mapping.slices import MapSlice
from alm_core.palettes import PALETTES, category_colour, centred_range, is_centred_unit, is_diverging, unit_palette
from alm_core.serving.checks import LayerError
from alm_core.serving.ranges import classes_of, display_range
from alm_core.serving.rasters import Raster, header
from alm_core.workspace import RECORD, Run, read_json

LOG = logging.getLogger(__name__)
REFERENCES = "references"
REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
AT = "@"
"""Between the id of a layer and its slice of time in an address."""
INSIDE_CLASSES = {0: "outside", 1: "inside"}
GROUP_PALETTES = {"terrain": "bamako", "soil": "turku_r", "vegetation": "speed", "climate": "thermal", "radar": "davos"}


@dataclass(frozen=True)
class Layer:
    """Something that can be shown on the map.

    Attributes
    ----------
    id : str
        ``fused``, ``member:<name>``, ``lower``, ``upper``, ``width``, ``dissimilarity``, ``density``, ``inside``,
        ``covariate:<name>``, ``shap:<feature>``, ``reference:<id>``; of a classification also ``probability:<label>``,
        ``member:<name>: <label>`` and ``margin``; of a study with slices also those of `alm_core.serving.change_layers`.
    group : str
        ``value``, ``members``, ``uncertainty``, ``trust``, ``change``, ``differences``, ``covariates``, ``shap`` or
        ``references``.
    file : Path
    band : int
    name : str
        Machine name without the group.
    unit : str
    kind : str
        ``continuous`` or ``category``.
    palette : str
        Of a continuous layer.
    classes : dict of int to str, or None
        Label of each number of a layer of classes.
    ranged : tuple of (Path, tuple of int)
        File and bands whose values decide the display range.
    slice : str or None
        Slice of time; None: the main one, or no slice at all.
    companions : tuple of Path
        Files of other slices with the same bands: all slices share one range, so that their colours can be compared.
    centred : bool
        The range is even about 0.
    """

    id: str
    group: str
    file: Path
    band: int
    name: str
    unit: str
    kind: str = "continuous"
    palette: str = "batlow"
    classes: dict[int, str] | None = None
    ranged: tuple[Path, tuple[int, ...]] | None = None
    slice: str | None = None
    companions: tuple[Path, ...] = ()
    centred: bool = False

    @property
    def key(self) -> str:
        """What names it in an address: its id, and its slice where that is not the main one."""
        return self.id if self.slice is None else f"{self.id}{AT}{self.slice}"

    @property
    def raster(self) -> Raster:
        """The file as it is now.

        Raises
        ------
        LayerError
            It is gone.
        """
        return _raster(self.file, self.id)

    @property
    def is_difference(self) -> bool:
        """True of the width of the interval, which is stored nowhere: upper less lower."""
        return self.id == "width"

    @property
    def range(self) -> tuple[float, float]:
        """Values of the first and the last colour: the 2 % and 98 % quantiles of the layer, remembered per file."""
        if self.kind == "category":
            numbers = list(self.classes or {0: ""})
            return float(min(numbers)), float(max(numbers) if len(numbers) > 1 else min(numbers) + 1)
        file, bands = self.ranged or (self.file, (self.band,))
        files = (file, *(other for other in self.companions if other != file))
        found = [display_range(_raster(path, self.id), bands, difference=self.is_difference) for path in files]
        low, high = min(part[0] for part in found), max(part[1] for part in found)
        if self.group == "shap" or self.centred or (is_diverging(self.palette) and low < 0 < high):
            return centred_range(low, high)
        return low, high

    @property
    def low(self) -> float:
        """Value of the first colour."""
        return self.range[0]

    @property
    def high(self) -> float:
        """Value of the last colour."""
        return self.range[1]

    def class_colours(self) -> dict[int, str]:
        """``#rrggbb`` of each class, for the legend; empty for a continuous layer."""
        return {number: category_colour(position) for position, number in enumerate(sorted(self.classes or {}))}

    def to_dict(self) -> dict[str, Any]:
        """Plain values without the file; reads the range."""
        plain = {name: getattr(self, name) for name in ("id", "group", "band", "name", "unit", "kind", "palette", "low", "high")}
        return plain | {"classes": None if self.classes is None else {str(key): text for key, text in self.classes.items()}}


def layers(run: Run, *, slice: str | None = None) -> tuple[Layer, ...]:
    """Every layer of a run that is there to be shown, in the order of a list to choose from.

    A run that is not mapped yet has its staged covariates only.

    Parameters
    ----------
    run : Run
    slice : str, optional
        Name of a slice of time; by default the main one.

    Raises
    ------
    StudyError
        No such slice.

    Examples
    --------
    ::

        for layer in layers(run):
            print(layer.id, layer.unit, layer.low, layer.high)
    """
    return _layers(run.folder, stamps(run), _other_slice(run, slice))


def find_layer(run: Run, id: str) -> Layer:
    """One layer by its id, followed by ``@`` and the name of a slice where it is not that of the main one.

    Raises
    ------
    LayerError
        The run has no such layer, or no such slice.
    """
    plain, _, name = id.rpartition(AT)
    if plain and name in {slice.name for slice in time_slices(run)}:
        found = _by_id(run.folder, stamps(run), _other_slice(run, name)).get(plain)
    else:
        found = _by_id(run.folder, stamps(run), None).get(id)
    if found is None:
        raise LayerError(
            f"This run has no layer {id[:80]!r}. It has {', '.join(layer.id for layer in layers(run)) or 'none yet'}."
        )
    return found


def task(run: Run) -> str:
    """``regression`` or ``classification``."""
    return facts(run)["task"]


def learners(run: Run) -> tuple[str, ...]:
    """Names of the members, in their order."""
    return facts(run)["learners"]


def facts(run: Run) -> dict[str, Any]:
    """What tiles need to know of a run's options, read once: task, learners, unit, residual, interval, applicability."""
    return _facts(run.folder, _stamp(run.folder / RECORD))


# ---- parts --------------------------------------------------------------------------------------------------------------


def _other_slice(run: Run, name: str | None) -> str | None:
    """A slice that is not the main one."""
    if name is None or name == main_slice(run):
        return None
    return find_slice(run, name).name


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def stamps(run: Run) -> tuple[tuple[int, int] | None, ...]:
    """Changes whenever a layer may have come or gone."""
    folder = run.folder
    watched = (RECORD, "map/map.json", "map/fused.tif", "map/shap.tif", SLICES_FILE, CHANGE_FILE, REFERENCE_MAPS_FILE)
    watched += (f"covariates/{STACK_FILE}", f"../{REFERENCES}")
    return tuple(_stamp(folder / name) for name in watched)


def _raster(file: Path, id: str) -> Raster:
    try:
        return Raster.of(file)
    except OSError as fault:
        raise LayerError(f"The file of the layer {id!r} is gone: run the study again.") from fault


@lru_cache(maxsize=64)
def _facts(folder: Path, stamp: tuple[int, int] | None) -> dict[str, Any]:
    options = Run(folder).record["options"]
    return {
        "task": options["target"]["task"],
        "unit": options["target"]["unit"],
        "learners": tuple(learner["name"] for learner in options["learners"]),
        "residual": bool(options["kriging"]["residual"] or options["bias"]["method"] == "residual"),
        "interval": options["uncertainty"]["method"] != "none",
        "applicability": bool(options["applicability"]["enabled"]),
    }


@lru_cache(maxsize=64)
def _layers(folder: Path, stamps: tuple[tuple[int, int] | None, ...], slice: str | None) -> tuple[Layer, ...]:
    from alm_core.serving.change_layers import change_layers, difference_layers

    run = Run(folder)
    found: list[Layer] = []
    if (folder / "map" / "map.json").is_file():
        found += _map_layers(run, slice)
        found += change_layers(run, facts(run)["unit"])
        found += difference_layers(run, facts(run)["unit"])
    found += _covariate_layers(run, slice)
    found += _shap_layers(folder, facts(run)["unit"])
    found += _reference_layers(folder.parent / REFERENCES)
    return tuple(found)


@lru_cache(maxsize=64)
def _by_id(folder: Path, stamps: tuple[tuple[int, int] | None, ...], slice: str | None) -> dict[str, Layer]:
    return {layer.id: layer for layer in _layers(folder, stamps, slice)}


def _map_layers(run: Run, slice: str | None) -> Iterator[Layer]:
    """Layers of the map stage, each with the slice that it shows and the files that share its colours."""
    paths = read_json(run.folder / "map" / "map.json")["paths"]
    chosen = None if slice is None else find_slice(run, slice)
    for layer in _slice_layers(run, _files(run, paths, chosen)):
        name = (layer.file if layer.ranged is None else layer.ranged[0]).name
        files = (run.folder / one.folder / name for one in _ends(run))
        yield replace(layer, slice=slice, companions=tuple(file for file in files if file.is_file()))


def _ends(run: Run) -> tuple[MapSlice, ...]:
    """The first and the last slice, which stand for all of them: what changes with time changes most between these."""
    slices = time_slices(run)
    return tuple(dict.fromkeys((slices[0], slices[-1]))) if slices else ()


def _files(run: Run, paths: dict[str, str], slice: MapSlice | None) -> dict[str, Path]:
    """Rasters of a slice by what they hold; those of the run itself where there is none."""
    if slice is None:
        return {name: run.folder / path for name, path in paths.items()}
    return {name: run.folder / slice.folder / Path(path).name for name, path in paths.items()}


def _slice_layers(run: Run, files: dict[str, Path]) -> Iterator[Layer]:
    """Layers of one map: bands are found by the names that the map gave them."""
    content, known = read_json(run.folder / "map" / "map.json"), facts(run)
    if known["task"] == "classification":
        yield from _class_layers(files, {int(code): class_label(label) for code, label in content["classes"].items()})
    else:
        yield from _value_layers(files, known)
    names = header(Raster.of(files["uncertainty"])).names
    if known["applicability"]:
        yield _trust(files["uncertainty"], names, "dissimilarity", "1", "lajolla_r")
        yield _trust(files["uncertainty"], names, "density", "sites", "oslo_r")
        inside = names.index("inside") + 1
        yield Layer("inside", "trust", files["uncertainty"], inside, "inside", "", "category", classes=INSIDE_CLASSES)


def _value_layers(files: dict[str, Path], known: dict[str, Any]) -> Iterator[Layer]:
    unit, palette = known["unit"], unit_palette(known["unit"])
    centred = is_centred_unit(unit)
    # Members and their fusion share one range: their colours can be compared.
    shared = (files["fused"], (1,))
    yield Layer("fused", "value", files["fused"], 1, "fused", unit, palette=palette, ranged=shared, centred=centred)
    for band, name in enumerate(known["learners"], start=1):
        file = files["members"]
        yield Layer(f"member:{name}", "members", file, band, name, unit, palette=palette, ranged=shared, centred=centred)
    if known["interval"]:
        names = header(Raster.of(files["uncertainty"])).names
        lower, upper = names.index("lower") + 1, names.index("upper") + 1
        yield Layer("lower", "uncertainty", files["uncertainty"], lower, "lower", unit, palette=palette, centred=centred)
        yield Layer("upper", "uncertainty", files["uncertainty"], upper, "upper", unit, palette=palette, centred=centred)
        both = (files["uncertainty"], (lower, upper))
        yield Layer("width", "uncertainty", files["uncertainty"], lower, "width", unit, palette="lajolla_r", ranged=both)


def _class_layers(files: dict[str, Path], classes: dict[int, str]) -> Iterator[Layer]:
    yield Layer("fused", "value", files["fused"], 1, "class", "", "category", classes=classes)
    for band, label in enumerate(header(Raster.of(files["probability"])).names, start=1):
        yield Layer(f"probability:{label}", "value", files["probability"], band, class_label(label), "1", palette="lapaz_r")
    for band, name in enumerate(header(Raster.of(files["members"])).names, start=1):
        yield Layer(f"member:{name}", "members", files["members"], band, class_label(name), "1", palette="lapaz_r")
    margin = header(Raster.of(files["uncertainty"])).names.index("margin") + 1
    yield Layer("margin", "uncertainty", files["uncertainty"], margin, "margin", "1", palette="davos_r")


def class_label(text: str) -> str:
    """A class as people write it: numbers that came as floats lose their ``.0``.

    Examples
    --------
    >>> class_label("2.0"), class_label("forest: 2.0"), class_label("frozen")
    ('2', 'forest: 2', 'frozen')
    """
    return text[:-2] if re.search(r"[0-9]\.0$", text) else text


def _trust(file: Path, names: tuple[str, ...], name: str, unit: str, palette: str) -> Layer:
    return Layer(name, "trust", file, names.index(name) + 1, name, unit, palette=palette)


def _covariate_layers(run: Run, slice: str | None) -> Iterator[Layer]:
    if not (run.folder / "covariates" / STACK_FILE).is_file():
        return
    stack = stack_of(run, slice)
    for name in (*stack.names, *stack.inputs):
        unit, file = stack.units[name], stack.file(name)
        own = slice if is_of_slice(file) else None
        ends = [file.parents[1] / one.name / file.name for one in _ends(run)] if is_of_slice(file) else []
        if stack.kinds[name] == "categorical":
            classes = {number: str(number) for number in classes_of(Raster.of(file), 1)}
            id = f"covariate:{name}"
            yield Layer(id, "covariates", file, 1, name, unit, "category", classes=classes, slice=own, companions=tuple(ends))
        else:
            palette = covariate_palette(name, stack.groups[name], unit)
            id = f"covariate:{name}"
            yield Layer(id, "covariates", file, 1, name, unit, palette=palette, slice=own, companions=tuple(ends))


def _shap_layers(folder: Path, unit: str) -> Iterator[Layer]:
    file = folder / "map" / "shap.tif"
    if not file.is_file():
        return
    for band, name in enumerate(header(Raster.of(file)).names, start=1):
        yield Layer(f"shap:{name}", "shap", file, band, name, unit, palette="vik")


def _reference_layers(folder: Path) -> Iterator[Layer]:
    """Published maps that somebody added to the study; one that can't be read is left out and logged."""
    for file in sorted(folder.glob("*.tif")):
        if not REFERENCE_ID.fullmatch(file.stem):
            continue
        try:
            yield _reference(file, file.with_suffix(".json"))
        except (AlmError, OSError, ValueError, KeyError, TypeError) as fault:
            LOG.warning("the published map %s is left out: %s", file.name, fault)


def _reference(file: Path, description: Path) -> Layer:
    said = json.loads(description.read_text(encoding="utf-8"))
    found, raster = header(Raster.of(file)), Raster.of(file)
    unit = str(said.get("unit") or found.units[0])
    palette = said.get("palette") if said.get("palette") in PALETTES else unit_palette(unit)
    kind, classes = "continuous", None
    if said.get("kind") == "category":
        labels = {int(number): str(label) for number, label in (said.get("classes") or {}).items()}
        kind, classes = "category", labels or {number: str(number) for number in classes_of(raster, 1)}
    return Layer(f"reference:{file.stem}", "references", file, 1, str(said["name"]), unit, kind, palette, classes)


def covariate_palette(name: str, group: str, unit: str) -> str:
    """The palette of a covariate, by what it is."""
    lowered = name.lower()
    if "precip" in lowered or "rain" in lowered or "snow" in lowered or unit in ("m3 m-3",):
        return "deep"
    if unit.lower() in ("degc", "k"):
        return "thermal"
    return GROUP_PALETTES.get(group, "batlow")
