"""Reads a layer of a run over an area, with what belongs to it: bounds, trust, thickness."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alm_core.errors import StudyError
from alm_core.grid import Grid
from alm_core.inspection.slices import slice_file
from alm_core.inspection.water import Thickness, check_water, thickness_file
from alm_core.mapping.area_cells import AreaBlock
from alm_core.mapping.cog import open_raster
from alm_core.mapping.fused_window import FUSED_BANDS, FusedWindows
from alm_core.publishing.export import OWN, read_physical
from alm_core.workspace import Run


@dataclass(frozen=True)
class AreaReader:
    """Gives the numbers of a layer, block by block.

    Attributes
    ----------
    layer, scenario, unit : str
    grid : Grid
    bands : dict
        Name to (dataset, band): ``value``, and where there are, ``lower``, ``upper``, ``inside``, ``thickness``.
    fused : FusedWindows or None
        Of a scenario that is not the study's own.
    classes : dict or None
        Labels of a layer of classes.
    thickness : float or None
        Metres, where it is the same everywhere.
    """

    layer: str
    scenario: str
    unit: str
    grid: Grid
    bands: dict[str, tuple[Any, int]]
    fused: FusedWindows | None
    classes: dict[int, str] | None
    thickness: float | None

    @property
    def has_interval(self) -> bool:
        """True of the fused value of a regression."""
        return self.layer == "fused" and self.classes is None

    def read(self, part: AreaBlock, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Physical values of the bands of these names that there are, ``[row, column]``."""
        window = part.window
        if self.layer == "width":
            return {"value": self._band("upper", window) - self._band("lower", window)}
        found = {name: self._band(name, window) for name in names if name in self.bands}
        if self.fused is not None and set(names) & set(FUSED_BANDS):
            found |= dict(zip(FUSED_BANDS, self.fused.read(window), strict=True))
        if self.thickness is not None and "thickness" in names:
            found["thickness"] = np.full(part.inside.shape, self.thickness)
        return found

    def _band(self, name: str, window: Any) -> np.ndarray:
        dataset, band = self.bands[name]
        return read_physical(dataset, band, window).astype(np.float64)


def open_reader(
    run: Run,
    layer: str,
    scenario: str | None,
    thickness: Thickness | None,
    opened: contextlib.ExitStack,
    *,
    slice: str | None = None,
) -> AreaReader:
    """Open a layer of a run, and what belongs to it; everything is closed with `opened`.

    Raises
    ------
    LayerError, StudyError, DomainError
        Unknown layer or scenario; a scenario for what does not depend on it; a thickness that gives no water.
    """
    from alm_core.serving.catalogue import AT, find_layer

    found = find_layer(run, layer if slice is None else f"{layer}{AT}{slice}")
    scenario = scenario or OWN
    if scenario != OWN and layer != "fused":
        raise StudyError(f"The layer {layer!r} does not depend on a scenario: leave the scenario out, or ask for fused.")
    dataset = opened.enter_context(open_raster(found.file))
    bands, fused = {"value": (dataset, found.band)}, None
    if found.group in ("value", "uncertainty", "trust", "members"):
        trust = opened.enter_context(open_raster(slice_file(run, "uncertainty.tif", slice)))
        names = {name: (trust, number) for number, name in enumerate(trust.descriptions, start=1)}
        bands |= {name: names[name] for name in ("lower", "upper", "inside") if name in names}
    if scenario != OWN:
        from alm_core.scenarios.scenario import load_scenario, scenario_fusion

        members = opened.enter_context(open_raster(slice_file(run, "members.tif", slice)))
        fused = FusedWindows(members, scenario_fusion(run, load_scenario(run, scenario)))
    metres = None
    if thickness is not None:
        check_water(layer, found.unit)
        metres = thickness.metres
        if thickness.covariate is not None:
            bands["thickness"] = (opened.enter_context(open_raster(thickness_file(run, thickness.covariate))), 1)
    grid = Grid.from_dataset(dataset)
    return AreaReader(layer, scenario, found.unit, grid, bands, fused, found.classes, metres)
