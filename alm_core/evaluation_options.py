"""Options of what is measured on a finished map: the area on one side of a threshold, and published maps beside it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from alm_core.option_section import Section


class ExtentOptions(Section):
    """The area of the map on one side of a threshold, such as the extent of permafrost."""

    threshold: float = Field(description="in the unit of the target; it belongs to the side")
    side: Literal["below", "above"] = "below"
    name: str = Field("", description="what lies on this side, for example permafrost")


class ReferenceMapOptions(Section):
    """A published map that the finished map is compared with."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")
    path: str
    slice: str = Field("", description="the slice that is compared with it; default: the main one")
    band: int = Field(1, ge=1)
    scale: float = 1.0
    offset: float = 0.0
    thresholds: tuple[float, ...] = Field(
        (), description="cut the map into classes, rising; a threshold belongs to the class below"
    )
    labels: tuple[str, ...] = Field((), description="of these classes, from low to high values")
    codes: dict[str, tuple[int, ...]] = Field({}, description="label: numbers of a published map of classes")
    ranges: dict[str, tuple[float, float]] = Field(
        {}, description="label: values of a published map, from the first to below the second"
    )
    unit: str = ""
    source: str = ""
