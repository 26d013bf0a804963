"""Daily fields in GRIB, by GDAL's driver."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from alm_core.cubes.fields import FieldHead, chosen, chosen_layer
from alm_core.cubes.geotiff import BandField
from alm_core.cubes.orbits import orbit_of
from alm_core.errors import AlmError, RasterError

LAYER = re.compile(r"^(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?-([A-Z0-9]+)$")
"""GDAL's name of a layer: ``0-10-DBLY`` between two depths, ``2-HTGL`` at one height."""


class GribField(BandField):
    """Messages of one element and one layer of a GRIB file, as steps in the order of time.

    Layers are told apart by their depths, not by the order of the messages (`_from_the_top` says what GLDAS does). Units are
    those of the file (GDAL would turn K into degree Celsius).

    Parameters
    ----------
    path : path
    variable : str
        Element (``TSOIL``), or element and kind of layer (``TMP HTGL``) where one element has several; empty where there is
        only one.
    level : int, optional
        Of several layers, from the shallowest (1) on.
    crs : str, optional
        Not needed: GRIB declares its own.
    missing_value : float, optional
        Means missing besides what the file declares.

    Raises
    ------
    RasterError, StudyError, GridError, CrsError
        The file is damaged, or has no such element or layer.
    """

    def __init__(
        self,
        path: Path,
        variable: str = "",
        *,
        level: int | None = None,
        crs: str | None = None,
        missing_value: float | None = None,
    ) -> None:
        super().__init__(path, "GRIB", GRIB_NORMALIZE_UNITS="NO")
        try:
            grid = self._grid(crs)
            named, bands = self._messages(variable)
            layers: dict[tuple[float, ...], dict[np.datetime64, int]] = {}
            for band in bands:
                depths, time = _depths(self._tag(band, "GRIB_SHORT_NAME")), self._time(band)
                if time in layers.setdefault(depths, {}):
                    raise RasterError(f"{path.name}: {named} of {time} comes twice in the layer {_words(depths)}.")
                layers[depths][time] = band
            ordered = _from_the_top(list(layers))
            place = chosen_layer(level, [_words(depths) for depths in ordered], path.name)
            steps = sorted(layers[ordered[place]].items())
            fills = self._use([band for _, band in steps], missing_value)
        except AlmError:
            self._dataset.close()
            raise
        layer = _words(ordered[place]) if len(ordered) > 1 else ""
        times = np.array([time for time, _ in steps], "datetime64[s]")
        unit = self._tag(bands[0], "GRIB_UNIT").strip("[]")
        self.head = FieldHead(named, grid, times, "time axis", unit, fills, orbit_of(path.stem, {}), layer=layer)

    def _tag(self, band: int, key: str) -> str:
        return self._dataset.tags(band).get(key, "")

    def _messages(self, variable: str) -> tuple[str, list[int]]:
        """The element and its messages; of one kind of layer."""
        elements: dict[str, list[int]] = {}
        for band in self._dataset.indexes:
            elements.setdefault(self._tag(band, "GRIB_ELEMENT"), []).append(band)
        element, _, kind = variable.partition(" ")
        element = chosen(element, list(elements), self.path.name)
        kinds: dict[str, list[int]] = {}
        for band in elements[element]:
            match = LAYER.match(self._tag(band, "GRIB_SHORT_NAME"))
            kinds.setdefault(match[3] if match else self._tag(band, "GRIB_SHORT_NAME"), []).append(band)
        if len(kinds) > 1 or kind:
            whole = chosen(f"{element} {kind}".strip(), [f"{element} {one}" for one in kinds], self.path.name)
            return whole, kinds[whole.partition(" ")[2]]
        return element, next(iter(kinds.values()))

    def _time(self, band: int) -> np.datetime64:
        text = self._tag(band, "GRIB_VALID_TIME").split()
        if not text or not text[0].lstrip("-").isdigit():
            raise RasterError(f"{self.path.name}: message {band} has no valid time.")
        return np.datetime64(int(text[0]), "s")


def _depths(text: str) -> tuple[float, ...]:
    """Bottom and top of a layer, so that layers sort from the shallowest."""
    match = LAYER.match(text)
    if not match:
        return (0.0,)
    numbers = [float(one) for one in match.groups()[:2] if one is not None]
    return (max(numbers), min(numbers))


def _from_the_top(layers: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Layers from the shallowest on.

    GLDAS 1 writes the numbers of its layers where depths belong, counted from the deepest: "0 to 4" is its layer of 0-10 cm,
    "0 to 1" that of 100-200 cm (at noon the ground below "0 to 4" is the hottest; the readers of TU Wien name it layer 1
    too). Layers of depths never share their top like that.
    """
    numbers = [float(number) for number in range(1, len(layers) + 1)]
    numbered = len(layers) > 1 and sorted(layers) == [(number, 0.0) for number in numbers]
    return sorted(layers, reverse=numbered)


def _words(depths: tuple[float, ...]) -> str:
    bottom, top = depths[0], depths[-1]
    return f"{top:g} to {bottom:g}" if top != bottom else f"{bottom:g}"
