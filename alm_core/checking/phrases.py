"""Facts written in running text, Chinese or English: sentences, years, months, resolutions, counted lists."""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass

FLAGS = re.IGNORECASE | re.ASCII
"""Word edges are those of Latin letters, so that Chinese characters may touch a word or a number."""

YEAR = r"(?<!\d)(1[6-9]\d\d|20\d\d)"
YEAR_RANGE = re.compile(
    YEAR
    + r"\s*年?(?:\s*\d{1,2}月(?:\s*\d{1,2}日)?)?\s*(?:[-–—−~～]|to|至|到)\s*(?:[A-Z][a-z]+\.? \d{1,2}, ?)?"
    + YEAR
    + r"(?!\d)"
)
COVER_CUE = re.compile(r"时间跨度|时间范围|covers? (?:the )?period|time span|temporal (?:coverage|range)", FLAGS)
COVER_REACH = 60
"""Characters after such a cue in which its years stand."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAME = (
    r"(jan(?=uary|\b)|feb(?=ruary|\b)|mar(?=ch|\b)|apr(?=il|\b)|may(?=\b)|jun(?=e|\b)|jul(?=y|\b)|aug(?=ust|\b)|"
    r"sep(?=t|\b)|oct(?=ober|\b)|nov(?=ember|\b)|dec(?=ember|\b))(?:uary|ruary|ch|il|e|y|ust|tember|t|ober|ember)?\b\.?"
)
ENGLISH_MONTHS = re.compile(rf"\b{MONTH_NAME}\s*(?:to|and|through|until|[-–—])\s*{MONTH_NAME}(?![a-z])", FLAGS)
CHINESE_MONTHS = re.compile(r"(?<!\d)(\d{1,2})\s*月?\s*[-–—~～至到]\s*(\d{1,2})\s*月")

UNITS_IN_METRES = {"m": 1.0, "米": 1.0, "km": 1000.0, "公里": 1000.0, "千米": 1000.0}
UNITS_IN_DEGREES = {"°": 1.0, "度": 1.0, "deg": 1.0, "arc": 1 / 3600, "角秒": 1 / 3600, "弧秒": 1 / 3600, "″": 1 / 3600}
RESOLUTION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(?:[°度]?\s*[-–~～]\s*(\d+(?:\.\d+)?)\s*)?"
    r"(km|公里|千米|米|m|°|度|deg(?:rees?)?|arc[- ]?sec(?:ond)?s?|角秒|弧秒|″)(?![a-zA-Z²³0-9・·])",
    FLAGS,
)
RESOLUTION_CUE = re.compile(r"空间分辨率[为是约:： ]*|spatial resolution (?:of|is|:)?\s*", FLAGS)
KM_PER_DEGREE = 111.32

ENGLISH_NUMBERS = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
)  # fmt: skip
CHINESE_NUMBERS = ("二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二", "十三", "十四", "十五")
WORD_NUMBERS = {word: number for words in (ENGLISH_NUMBERS, CHINESE_NUMBERS) for number, word in enumerate(words, start=2)} | {
    "两": 2
}
NUMBER = r"(?<![\d.,])(\d{1,3}|" + "|".join(sorted(WORD_NUMBERS, key=len, reverse=True)) + r")"
ENGLISH_CLAIM = re.compile(
    r"\b" + NUMBER + r"\s+((?:[A-Za-z][\w\-]*\s+){0,5}?[A-Za-z][\w\-]*s)\b[^.;:()]{0,40}?"
    r"(\(|(?:,\s*)?\b(?:including|namely|i\.e\.,?)\s*:?\s|:\s)",
    FLAGS,
)
CHINESE_CLAIM = re.compile(
    NUMBER + r"\s*[个種种项類类]\s*([^，。；：:（()、\d]{1,25}?)[，,]?\s*(（|\(|包括[：:]?|包含[：:]?|：|:)", re.ASCII
)
CHINESE_TOTAL = re.compile(r"([^，。；：]*、[^，。；：]*?)共\s*" + NUMBER + r"\s*[个种项类]([^，。；：、（(]{1,20})")
CITATION = re.compile(r"et al|等人|doi|https?:|^\s*see\b|详见", FLAGS)
OPEN_LIST = re.compile(r"等(?:$|[^级高温])|\betc\b|\band (?:others|so on)\b|\bsuch as\b|\be\.g\.", FLAGS)


@dataclass(frozen=True)
class CountedList:
    """A number that the text claims and the items that it lists, for example "7 elements (a, b, c)".

    Attributes
    ----------
    claimed : int
        The number in the text.
    what : str
        What is counted.
    items : tuple of str
        The listed items, without brackets, in lower case.
    fewest, most : int
        How many items the list can be read as ("freezing and thawing indices" may be one or two).
    """

    claimed: int
    what: str
    items: tuple[str, ...]
    fewest: int
    most: int


def mentions(pattern: str, text: str) -> bool:
    """True where the pattern occurs, whatever the case of its letters."""
    return re.search(pattern, text, FLAGS) is not None


def plain_text(marked_up: str) -> str:
    """Take the tags and entities out of a piece of HTML; paragraphs become lines."""
    text = re.sub(r"(?i)<\s*(?:p|br|div|li)[^>]*>", "\n", marked_up)
    text = html.unescape(re.sub(r"<[A-Za-z/!][^>]*>", "", text))
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def is_chinese(text: str) -> bool:
    """True where more than a tenth of the characters are Chinese."""
    return len(re.findall(r"[\u4e00-\u9fff]", text)) > 0.1 * len(text)


def sentences(text: str) -> list[str]:
    """Split into sentences of either language.

    Examples
    --------
    >>> sentences("R2 is 0.6. It rained。好")
    ['R2 is 0.6.', 'It rained', '好']
    """
    parts = re.split(r"[。！？；\n]|(?<=[.!?;])\s+(?=[A-Z])", text)
    return [part.strip() for part in parts if part.strip()]


def number_of(word: str) -> int:
    """The value of a written number, in digits or words."""
    return WORD_NUMBERS[word.lower()] if word.lower() in WORD_NUMBERS else int(word)


def year_ranges(text: str) -> list[tuple[int, int]]:
    """First and last year of every range in a text.

    Examples
    --------
    >>> year_ranges("from 1980 to 2018; 2011年01月01日-2020年12月31日")
    [(1980, 2018), (2011, 2020)]
    """
    return [(int(match[1]), int(match[2])) for match in YEAR_RANGE.finditer(text)]


def covered_years(text: str) -> list[tuple[int, int]]:
    """Year ranges that a text names as what the data cover."""
    found = []
    for cue in COVER_CUE.finditer(text):
        found += year_ranges(text[cue.end() : cue.end() + COVER_REACH])[:1]
    return found


def month_ranges(text: str) -> list[tuple[int, int, int, int]]:
    """First month, last month, start and end position of every range of months in a text.

    Examples
    --------
    >>> month_ranges("peak (September to October)")[0][:2], month_ranges("鼎盛期（9-10 月）")[0][:2]
    ((9, 10), (9, 10))
    """
    found = [
        (MONTHS.index(match[1].lower()) + 1, MONTHS.index(match[2].lower()) + 1, *match.span())
        for match in ENGLISH_MONTHS.finditer(text)
    ]
    found += [(int(match[1]), int(match[2]), *match.span()) for match in CHINESE_MONTHS.finditer(text)]
    return [item for item in found if 1 <= item[0] <= 12 and 1 <= item[1] <= 12]


@dataclass(frozen=True)
class Resolution:
    """A cell size as it was written: `text`, and its size in metres or in degrees."""

    text: str
    size: float
    in_degrees: bool

    def kilometres(self, south: float, north: float) -> tuple[float, float]:
        """Least and greatest cell size in km between two latitudes."""
        if not self.in_degrees:
            return self.size / 1000, self.size / 1000
        furthest = min(89.0, max(abs(south), abs(north)))
        return self.size * KM_PER_DEGREE * math.cos(math.radians(furthest)), self.size * KM_PER_DEGREE


def resolutions(text: str) -> list[Resolution]:
    """Every cell size in a short text such as a resolution field; a range gives both of its ends.

    Examples
    --------
    >>> [(item.size, item.in_degrees) for item in resolutions("0.25-0.5°")], resolutions("1 km")[0].size
    ([(0.25, True), (0.5, True)], 1000.0)
    """
    found = []
    for match in RESOLUTION.finditer(text):
        unit = match[3].lower()
        unit = "deg" if unit.startswith("deg") else "arc" if unit.startswith("arc") else unit
        in_degrees = unit in UNITS_IN_DEGREES
        factor = UNITS_IN_DEGREES[unit] if in_degrees else UNITS_IN_METRES[unit]
        found += [Resolution(match[0], float(number) * factor, in_degrees) for number in (match[1], match[2]) if number]
    return found


def stated_resolutions(text: str) -> list[Resolution]:
    """Cell sizes that follow the words "spatial resolution" in running text."""
    found = []
    for cue in RESOLUTION_CUE.finditer(text):
        match = RESOLUTION.match(text, cue.end())
        found += resolutions(match[0]) if match else []
    return found


def split_items(text: str) -> tuple[tuple[str, ...], int, int]:
    """Split a list into items; also the fewest and most items that it can be read as."""
    bare = re.sub(r"[（(][^（()）]*[)）]", "", text)
    chinese = is_chinese(bare)
    parts = re.split(r"、|；" if chinese and "、" in bare else r"[,，;；、]", bare)
    conjunction = r"(?<!饱)和|以及|(?<=.)及(?=.)" if chinese else r"\band\b"
    parts = [re.sub(r"^\s*(?:and|和|以及|及)\s*", "", part).strip(" .\n") for part in parts]
    parts = [part for part in parts if part]
    if not parts:
        return (), 0, 0
    last = [piece.strip(" .") for piece in re.split(conjunction, parts[-1]) if piece.strip(" .")]
    inner = sum(len(re.findall(conjunction, part)) for part in parts)
    items = tuple(piece.lower() for piece in (*parts[:-1], *last))
    return items, len(parts), len(parts) + inner


def _list_after(text: str, start: int, opener: str) -> str:
    if opener not in ("(", "（"):
        return re.split(r"[。；\n]|\.\s", text[start:], maxsplit=1)[0]
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, "（": 1, ")": -1, "）": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return text[start:]


def _counted(claimed: int, what: str, listed: str) -> CountedList | None:
    if CITATION.search(listed) or OPEN_LIST.search(listed):
        return None
    items, fewest, most = split_items(listed)
    if len(items) < 2 or claimed < 2:
        return None
    leading = [re.match(r"\s*(\d+)\s+\S", item) for item in items]
    if all(leading):
        # "30 predictors (10 terrain, 12 climate, 8 soil)": the parts carry their own counts.
        fewest = most = sum(int(match[1]) for match in leading)
    return CountedList(claimed, what.strip(), items, fewest, most)


def counted_lists(text: str) -> list[CountedList]:
    """Every list that a text introduces with its number of items; open lists ("such as", "等") and citations are left out.

    Examples
    --------
    >>> found = counted_lists("Three indices (slope, aspect and wetness) were used.")
    >>> found[0].claimed, found[0].items
    (3, ('slope', 'aspect', 'wetness'))
    """
    found = []
    for pattern in (ENGLISH_CLAIM, CHINESE_CLAIM):
        for match in pattern.finditer(text):
            found.append(_counted(number_of(match[1]), match[2], _list_after(text, match.end(), match[3].strip(", "))))
    for match in CHINESE_TOTAL.finditer(text):
        found.append(_counted(number_of(match[2]), match[3], match[1]))
    return [item for item in found if item is not None]


def bracketed_lists(text: str) -> list[tuple[str, ...]]:
    """Items of every pair of brackets that holds a list of two or more."""
    found = []
    for match in re.finditer(r"[（(]([^（()）]{3,300})[)）]", text):
        if not CITATION.search(match[1]):
            items, _, _ = split_items(match[1])
            found.append(items)
    return [items for items in found if len(items) >= 2]
