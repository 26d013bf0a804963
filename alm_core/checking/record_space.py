"""Rules on where a record says its data lie: the box, the region named, the reach of sources, projection, resolution."""

from __future__ import annotations

import re

from alm_core.checking.phrases import FLAGS, Resolution, mentions, resolutions, stated_resolutions
from alm_core.checking.places import ALL_LONGITUDES, named_southern_limit, regions_named, sources_named
from alm_core.checking.record import Record
from alm_core.checking.report import Fault, some

FULL_CIRCLE_DEGREES = 350.0
LATITUDE_TOLERANCE_DEGREES = 1.0
LEAST_INSIDE = 0.5
"""Part of the box that must lie in the region that the record names."""
METRE_TOLERANCE = 0.05
DEGREE_TOLERANCE = 0.20
DEFAULT_LATITUDES = (0.0, 60.0)

PROJECTED = re.compile(
    r"albers|lambert|\butm\b|mercator|stereographic|gauss|kr[uü]ger|equal[- _]?area|conic|sinusoidal|\bease\b|"
    r"阿尔伯斯|兰伯特|墨卡托|极射|高斯|等面积|圆锥|正弦",
    FLAGS,
)
GEOGRAPHIC = re.compile(r"wgs[_ -]?(?:19)?84|cgcs[_ -]?2000|\bgcs|geographic|地理坐标|经纬度|epsg:4326", FLAGS)
PROJECTION_PARAMETERS = re.compile(
    r"epsg|\butm\b|standard parallel|central meridian|标准纬线|中央经线|中央子午线|\+proj|lat_\d", FLAGS
)


def box_edges(record: Record) -> list[Fault]:
    """The box is there, in range, in order, and not empty."""
    given = [name for name in ("west", "south", "east", "north") if name in record.values]
    where = f"{record.where('west')} .. {record.where('north')}"
    if record.box is None:
        if not given:
            text = "No bounding box is given: a search by area never finds the record. Give west, south, east and north."
            return [Fault("box_missing", where, text, "warning")]
        return [
            Fault("box_incomplete", where, f"Only {some(given)} came, or no numbers: all four edges of the box are expected.")
        ]
    west, south, east, north = record.box
    faults = []
    if record.crosses_antimeridian:
        text = f"West {west:g} is east of east {east:g}: read as a box that crosses the antimeridian."
        faults.append(Fault("box_crosses_antimeridian", where, text, "note"))
    elif west > east:
        text = f"West is {west:g} and east is {east:g}: west must be smaller than east. Swap the two."
        faults.append(Fault("box_swapped", where, text))
    if south > north:
        faults.append(Fault("box_swapped", where, f"South is {south:g} and north is {north:g}: the two are swapped."))
    if max(abs(south), abs(north)) > 90:
        swapped = max(abs(west), abs(east)) <= 90
        hint = "longitude and latitude may be swapped" if swapped else "check the units: degrees are expected"
        faults.append(Fault("box_range", where, f"Latitudes {south:g} to {north:g} leave -90..90; {hint}."))
    if max(west, east) > 180 or min(west, east) < -180:
        text = f"Longitudes {west:g} to {east:g} leave -180..180. Take 360 off what is above 180."
        faults.append(Fault("box_range", where, text, "warning" if 0 <= west <= 360 and 0 <= east <= 360 else "error"))
    if west == east or south == north:
        text = f"The box ({west:g}, {south:g}, {east:g}, {north:g}) has no area. Give its true edges."
        faults.append(Fault("box_empty", where, text))
    return faults


def _share_inside(box: tuple[float, float, float, float], region: tuple[float, float, float, float]) -> float:
    best = 0.0
    for shift in (-360.0, 0.0, 360.0):
        width = min(box[2] + shift, region[2]) - max(box[0] + shift, region[0])
        height = min(box[3], region[3]) - max(box[1], region[1])
        area = (box[2] - box[0]) * (box[3] - box[1])
        best = max(best, width * height / area if width > 0 and height > 0 and area > 0 else 0.0)
    return best


def box_region(record: Record) -> list[Fault]:
    """The box fits the region that title or place name."""
    box = record.ordered_box
    named = record.text(sections=("title", "place"))
    if box is None or box[0] == box[2] or box[1] == box[3]:
        return []
    shown = f"({box[0]:g}, {box[1]:g}, {box[2]:g}, {box[3]:g})"
    where = f"{record.where('west')} .. {record.where('north')}"
    regions = regions_named(named)
    if regions:
        shares = {region.name: _share_inside(box, region.box) for region in regions}
        if max(shares.values()) >= LEAST_INSIDE:
            return []
        text = f"The record names {some(list(shares))}, but only {max(shares.values()):.0%} of the box {shown} lies there."
        return [Fault("box_region", where, f"{text} Check the edges, or the name of the region.")]
    faults = []
    if ALL_LONGITUDES.search(named) and box[2] - box[0] < FULL_CIRCLE_DEGREES:
        text = f"The record names a region all around the globe, but the box runs from {box[0]:g} to {box[2]:g} E."
        faults.append(Fault("box_longitudes", where, f"{text} Longitudes -180 to 180 are expected."))
    south = named_southern_limit(named)
    if south is not None and abs(box[1] - south) > LATITUDE_TOLERANCE_DEGREES:
        text = f'The record says "north of {south:g}", but the box begins at {box[1]:g} N. Make the two agree.'
        faults.append(Fault("box_latitude", where, text))
    return faults


def arctic_circle(record: Record) -> list[Fault]:
    """A title that names the Arctic Circle (66.6 N) goes with a box that begins there."""
    title = record.text("en", sections=("title",))
    box = record.ordered_box
    if box is None or not mentions(r"arctic circle", title) or box[1] >= 60:
        return []
    text = f"The title names the Arctic Circle (66.6 N), but the box begins at {box[1]:g} N."
    return [Fault("box_arctic_circle", "title (en)", f'{text} "Circum-Arctic" may be meant.', "warning")]


def source_coverage(record: Record) -> list[Fault]:
    """No source is used beyond the latitudes that it covers."""
    box = record.ordered_box
    stated = named_southern_limit(record.text())
    north = max([box[3]] if box else [], default=None)
    if stated is not None:
        north = max(90.0, north or 90.0)
    if north is None:
        return []
    south = box[1] if box else stated
    faults = []
    for source in sources_named(record.text()):
        beyond = [f"north of {source.north:g} N"] if north > source.north + LATITUDE_TOLERANCE_DEGREES else []
        beyond += [f"south of {-source.south:g} S"] if south < source.south - LATITUDE_TOLERANCE_DEGREES else []
        if beyond:
            text = (
                f"{source.name} has no data {' or '.join(beyond)}, but the product covers {south:g} to {north:g} N. "
                "Name the source that fills the rest, or cut the product to what is covered."
            )
            faults.append(Fault("source_coverage", _section_of(record, source.pattern), text))
    return faults


def _section_of(record: Record, pattern: str) -> str:
    return some(record.sections_with(pattern), limit=2) or "text"


def projection(record: Record) -> list[Fault]:
    """A projected CRS goes with metres, a geographic one with degrees; a projection comes with its parameters."""
    coordinate = str(record.values.get("coordinate", ""))
    projected = str(record.values.get("projection", ""))
    size = resolutions(str(record.values.get("resolution", "")))
    where = f"{record.where('coordinate')}, {record.where('projection')}, {record.where('resolution')}"
    if not coordinate and not projected:
        # Fields are absent: the sentences that state a resolution may name the projection too.
        abstract = record.text(sections=("abstract", "process"))
        found = PROJECTED.search(abstract)
        projected, where = found[0] if found else "", "abstract"
        geographic = GEOGRAPHIC.search(abstract)
        coordinate = geographic[0] if geographic else ""
        size = size or stated_resolutions(abstract)
    if PROJECTED.search(projected):
        return _projected(record, coordinate, projected, size, where)
    metric = [item for item in size if not item.in_degrees]
    if GEOGRAPHIC.search(f"{projected} {'' if projected else coordinate}") and metric:
        seconds = metric[0].size / 30.87
        text = (
            f"The grid is geographic, but its cell size is given as {metric[0].text}, which is so at one latitude only. "
            f"Give it in degrees or arc-seconds (about {seconds:.2g} arc-seconds) and the metres beside it."
        )
        return [Fault("resolution_unit", where, text, "note")]
    return []


def _projected(record: Record, coordinate: str, projected: str, size: list[Resolution], where: str) -> list[Fault]:
    faults = []
    degrees = [item for item in size if item.in_degrees]
    if degrees:
        beside = f" beside {coordinate!r}" if coordinate else ""
        text = (
            f"The projection is {projected!r}{beside}, but the cell size is {degrees[0].text}: a projected grid has its "
            "cell size in metres, a geographic one in degrees. Say which of the two the files have, with an EPSG code."
        )
        faults.append(Fault("projection_mixed", where, text))
    if not PROJECTION_PARAMETERS.search(f"{coordinate} {projected} {record.text(sections=('abstract', 'process'))}"):
        text = (
            f"The projection is {projected!r} without its parameters. Give the EPSG code, or the standard parallels, "
            "the central meridian and the datum."
        )
        faults.append(Fault("projection_incomplete", record.where("projection"), text, "note"))
    return faults


def resolution(record: Record) -> list[Fault]:
    """Field, titles and abstracts state one cell size."""
    stated = [(record.where("resolution"), item) for item in resolutions(str(record.values.get("resolution", "")))]
    for language, section, text in record.parts():
        if section == "title" and not mentions(r"depth|深|ground temperature|地温|top layer|表层", text):
            stated += [(f"title ({language})", item) for item in resolutions(text)]
        elif section == "abstract":
            stated += [(f"abstract ({language})", item) for item in stated_resolutions(text)]
    if not stated:
        text = "No cell size is stated: give it as a number with its unit."
        return [] if record.free_text else [Fault("resolution_missing", record.where("resolution"), text, "note")]
    box = record.ordered_box
    latitudes = (box[1], box[3]) if box else DEFAULT_LATITUDES
    first_where, first = stated[0]
    for where, other in stated[1:]:
        if not _same_size(first, other, latitudes):
            text = f"The cell size is {first.text!r} in {first_where} and {other.text!r} in {where}: one is expected."
            return [Fault("resolution_disagrees", f"{first_where}, {where}", text)]
    return []


def _same_size(first: Resolution, second: Resolution, latitudes: tuple[float, float]) -> bool:
    slack = DEGREE_TOLERANCE if first.in_degrees != second.in_degrees else METRE_TOLERANCE
    if first.in_degrees and second.in_degrees:
        return abs(first.size - second.size) <= slack * max(first.size, second.size)
    low, high = first.kilometres(*latitudes)
    other_low, other_high = second.kilometres(*latitudes)
    return low * (1 - slack) <= other_high and other_low <= high * (1 + slack)


RULES = (box_edges, box_region, arctic_circle, source_coverage, projection, resolution)
