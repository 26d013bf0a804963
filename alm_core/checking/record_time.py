"""Rules on when a record says its data were taken: dates, periods, slices, seasons, number of files."""

from __future__ import annotations

import re
from datetime import datetime

from alm_core.checking.phrases import (
    FLAGS,
    covered_years,
    mentions,
    month_ranges,
    number_of,
    sentences,
    year_ranges,
)
from alm_core.checking.places import CLIMATOLOGIES, TIME_VARYING_CLIMATE, sources_named
from alm_core.checking.record import Record
from alm_core.checking.report import Fault, some

DATE_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%Y/%m/%d", "%Y-%m", "%Y")
FIRST_SENSIBLE_YEAR = 1800
ANNUAL_MEAN = re.compile(
    r"\b(?:annual(?:ly)?[ -](?:average|averaged|mean)|mean annual|average annual|yearly (?:mean|average))|"
    r"(?<!多)年(?:平均|均)",
    FLAGS,
)
MULTI_YEAR_MEAN = re.compile(r"多年平均|multi-?year (?:mean|average)|mean over (?:all|the) years", FLAGS)
FIELD_WORK = re.compile(r"sampl|measur|survey|field|collect|采样|测量|调查|野外|观测", FLAGS)
SEASON_REACH = 120
"""Characters within which an "annual mean" and a range of months speak of the same thing."""
LONGEST_SEASON_MONTHS = 10
VALIDATION_WORDS = re.compile(r"validat|verif|evaluat|compar|验证|检验|对比", FLAGS)
STEP_YEARS = re.compile(r"(\d+)[- ]?years? (?:interval|period|slice|step|average)|每(\d+)年|按(\d+)年|every (\d+) years", FLAGS)
STATED_FILES = (
    re.compile(r"(?:共|包含|共计)[^，。；]{0,12}?(\d+)\s*[个幅景][^，。；]{0,16}?(?:文件|影像|栅格)"),
    re.compile(r"\b(\d+)\s+(?:[A-Za-z]+\s+){0,4}(?:files|rasters|images|grids)\b", FLAGS),
)


def parse_date(value: object) -> datetime | None:
    """Read a date as catalogues write them; None where it is none."""
    text = re.sub(r"(\.\d+)?(Z|[+-]\d\d:?\d\d)?$", "", str(value).strip()) if "T" in str(value) else str(value).strip()
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def field_years(record: Record) -> tuple[int | None, int | None]:
    """First and last year of the start and end fields."""
    start, end = (parse_date(record.values[name]) if name in record.values else None for name in ("start", "end"))
    return (start.year if start else None), (end.year if end else None)


def product_years(record: Record) -> tuple[int, int] | None:
    """The period of the product: of the title, else of the abstract, else of the fields."""
    titled = [years for language in ("zh", "en") for years in year_ranges(record.text(language, sections=("title",)))]
    found = titled or covered_years(record.text(sections=("abstract",)))
    if found:
        return min(first for first, _ in found), max(last for _, last in found)
    start, end = field_years(record)
    return (start, end) if start is not None and end is not None else None


def dates(record: Record) -> list[Fault]:
    """Start and end can be read, are in order and lie before the record was written."""
    faults, read = [], {}
    for name in ("start", "end"):
        if name not in record.values:
            continue
        read[name] = parse_date(record.values[name])
        if read[name] is None:
            text = f"{record.values[name]!r} is no date: expected year-month-day, such as 2009-09-01."
            faults.append(Fault("date_invalid", record.where(name), text))
        elif read[name].year < FIRST_SENSIBLE_YEAR:
            text = f"The year {read[name].year} lies before any record of this kind. Check it."
            faults.append(Fault("date_invalid", record.where(name), text))
    if not read and not record.free_text:
        faults.append(Fault("dates_missing", record.where("start"), "No start and end date are given. Give both.", "warning"))
    start, end = read.get("start"), read.get("end")
    if start and end and end < start:
        text = f"The end {end:%Y-%m-%d} lies before the start {start:%Y-%m-%d}: the two may be swapped."
        faults.append(Fault("dates_swapped", f"{record.where('start')}, {record.where('end')}", text))
    created = parse_date(record.values.get("created", ""))
    if end and created and end.date() > created.date():
        text = f"The data end on {end:%Y-%m-%d}, after the record was written on {created:%Y-%m-%d}. Check the year."
        faults.append(Fault("date_after_record", record.where("end"), text, "warning"))
    return faults


def period(record: Record) -> list[Fault]:
    """Titles, text and fields name the same years."""
    stated = []
    for language, section, text in record.parts():
        ranges = year_ranges(text) if section == "title" else covered_years(text) if section == "abstract" else []
        if ranges:
            stated.append((f"{section} ({language})", min(first for first, _ in ranges), max(last for _, last in ranges)))
    start, end = field_years(record)
    if start is not None and end is not None:
        stated.append((f"{record.where('start')}, {record.where('end')}", start, end))
    if len({years[1:] for years in stated}) <= 1:
        return []
    shown = "; ".join(f"{first}-{last} in {where}" for where, first, last in stated)
    text = f"The period is not the same everywhere: {shown}. Give the years that the files hold."
    return [Fault("period_disagrees", some([item[0] for item in stated], limit=4), text)]


def time_tags(record: Record) -> list[Fault]:
    """Tagged years lie inside the period of the product."""
    years = product_years(record)
    tags = record.values.get("time_tags")
    if years is None or not isinstance(tags, list):
        return []
    outside = [tag for tag in tags if isinstance(tag, int) and not years[0] <= tag <= years[1]]
    if not outside:
        return []
    text = f"Tagged years {some(outside)} lie outside the product's {years[0]}-{years[1]}. Take them out."
    return [Fault("time_tags", record.where("time_tags"), text, "note")]


def season_mean(record: Record) -> list[Fault]:
    """What averages a few months is not called an annual mean."""
    multi_year = [f"{section} ({language})" for language, section, text in record.parts() if MULTI_YEAR_MEAN.search(text)]
    faults = []
    for language, section, text in record.parts():
        for sentence in sentences(text):
            season = _season_called_annual(sentence)
            if season:
                against = f"; {some(multi_year)} says a mean over many years" if multi_year else ""
                text = (
                    f"{season[0]!r} is said of {season[1]!r}: a mean over part of the year is not an annual mean{against}. "
                    "Say which months of which years are averaged."
                )
                faults.append(Fault("season_called_annual", f"{section} ({language})", text))
    return faults


def _season_called_annual(sentence: str) -> tuple[str, str] | None:
    for mean in ANNUAL_MEAN.finditer(sentence):
        for first, last, begin, stop in month_ranges(sentence):
            between = sentence[min(mean.end(), stop) : max(mean.start(), begin)]
            if (last - first) % 12 + 1 > LONGEST_SEASON_MONTHS or len(between) > SEASON_REACH or FIELD_WORK.search(between):
                continue
            return mean[0], sentence[begin:stop]
    return None


def slice_years(record: Record) -> int | None:
    """Length in years of the time slices of the product; 1 for yearly maps; None for a single map."""
    stated = str(record.values.get("time_resolution", ""))
    step = re.search(r"(\d+)\s*(?:年|years?)", stated, FLAGS)
    if step:
        return int(step[1])
    if re.fullmatch(r"\s*(?:年|逐年|annual|yearly|year)\s*", stated, FLAGS):
        return 1
    found = STEP_YEARS.search(record.text(sections=("title", "abstract", "process")))
    return int(next(group for group in found.groups() if group)) if found else None


def static_climate(record: Record) -> list[Fault]:
    """A climatology does not drive slices of different years."""
    step, years, text = slice_years(record), product_years(record), record.text()
    if step is None or years is None or years[1] - years[0] < step or TIME_VARYING_CLIMATE.search(text):
        return []
    faults = []
    for name, pattern, averaged, series in CLIMATOLOGIES:
        if mentions(pattern, text) and not mentions(series, text):
            message = (
                f"{name} is a climatology of {averaged}: the same in every {step}-year slice of {years[0]}-{years[1]}. "
                "Name the climate series of each slice, or map one period."
            )
            faults.append(Fault("climatology_slices", some(record.sections_with(pattern)), message))
    return faults


def source_period(record: Record) -> list[Fault]:
    """A source that feeds a time series reaches back to its first slice."""
    years = product_years(record)
    if years is None or slice_years(record) is None:
        return []
    text = "\n".join(sentence for sentence in sentences(record.text()) if not VALIDATION_WORDS.search(sentence))
    late = [source for source in sources_named(text) if source.first_year > years[0]]
    return [
        Fault(
            "source_period",
            "source",
            f"{source.name} begins in {source.first_year}, the product in {years[0]}. Say what stands in for the years before.",
            "warning",
        )
        for source in late
    ]


def files(record: Record) -> list[Fault]:
    """The number of files fits what text and period say."""
    if not isinstance(record.values.get("files"), int):
        return []
    given = record.values["files"]
    text = record.text(sections=("abstract", "process"))
    stated = [number_of(match[1]) for pattern in STATED_FILES for match in pattern.finditer(text)]
    step, years = slice_years(record), product_years(record)
    if stated and max(stated) != given:
        expected = f"the text speaks of {max(stated)} files"
    elif not stated and step and years and given < (years[1] - years[0] + 1) // step:
        expected = f"{step}-year slices of {years[0]}-{years[1]} make {(years[1] - years[0] + 1) // step} or more"
    else:
        return []
    message = f"The record counts {given} files, but {expected}. They may be packed: say so, and list what is inside."
    return [Fault("files_count", record.where("files"), message, "note")]


RULES = (dates, period, time_tags, season_mean, static_climate, source_period, files)
