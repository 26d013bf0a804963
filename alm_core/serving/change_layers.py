"""Layers of a study with slices of time that belong to no slice: the change between them, and differences to published maps."""

from __future__ import annotations

from collections.abc import Iterator

from alm_core.inspection.published_maps import published_maps
from alm_core.inspection.slices import CHANGE_FILE, time_slices
from alm_core.serving.catalogue import Layer
from alm_core.serving.rasters import Raster, header
from alm_core.workspace import Run

INSIGNIFICANT, WITHIN = "insignificant", "within_interval"
"""Marks that are laid over a layer of change: no trend at the level of significance; change within both intervals."""
MARKS = (INSIGNIFICANT, WITHIN)
CHANGE_GROUP, DIFFERENCE_GROUP = "change", "differences"
BEYOND_CLASSES = {0: "within", 1: "beyond"}
CHANGE_PALETTE, DIFFERENCE_PALETTE = "vik", "broc"
P_VALUE_PALETTE = "lapaz"


def change_layers(run: Run, unit: str) -> Iterator[Layer]:
    """Change, trend, p value, whether the change is beyond the intervals, and the marks; none without a change map."""
    file = run.folder / CHANGE_FILE
    if len(time_slices(run)) < 2 or not file.is_file():
        return
    bands = {name: number for number, name in enumerate(header(Raster.of(file)).names, start=1)}
    units = {"change": unit, "trend_per_decade": f"{unit} decade-1" if unit not in ("", "1") else "decade-1"}
    for name, text in units.items():
        if name in bands:
            yield Layer(name, CHANGE_GROUP, file, bands[name], name, text, palette=CHANGE_PALETTE, centred=True)
    if "p_value" in bands:
        yield Layer("p_value", CHANGE_GROUP, file, bands["p_value"], "p_value", "1", palette=P_VALUE_PALETTE)
        yield Layer(INSIGNIFICANT, CHANGE_GROUP, file, bands["p_value"], INSIGNIFICANT, "1")
    if "beyond_interval" in bands:
        band = bands["beyond_interval"]
        yield Layer("beyond_interval", CHANGE_GROUP, file, band, "beyond_interval", "", "category", classes=BEYOND_CLASSES)
        yield Layer(WITHIN, CHANGE_GROUP, file, band, WITHIN, "", "category", classes=BEYOND_CLASSES)


def difference_layers(run: Run, unit: str) -> Iterator[Layer]:
    """What our map says more than each published map that it was compared with."""
    for published in published_maps(run):
        if published.difference is None or not published.difference.is_file():
            continue
        found = header(Raster.of(published.difference))
        shown = found.units[0] or unit
        id = f"difference:{published.name}"
        yield Layer(
            id, DIFFERENCE_GROUP, published.difference, 1, published.name, shown, palette=DIFFERENCE_PALETTE, centred=True
        )
