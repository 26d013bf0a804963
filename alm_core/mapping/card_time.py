"""The part of a map card that tells of time slices and of the change between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alm_core.mapping.facts import CardFacts
from alm_core.mapping.html import Markup, element, join, number, percent, table, unit_text

TRIED_BY_CHANCE = "Without a trend anywhere, five of a hundred cells would be called significant"


def slices_section(facts: CardFacts) -> Markup:
    """Slices with their cells, and the change in words; empty for a map without slices."""
    if not facts.slices:
        return Markup("")
    rows = [(one["name"], f"{one['first_year']} to {one['last_year']}", number(one["mapped"])) for one in facts.slices]
    marked = [place for place, one in enumerate(facts.slices) if one["name"] == facts.main_slice]
    note = f"One model, trained on the sites of all slices, mapped each of them. The map above is that of {facts.main_slice}."
    return join(
        [
            element("h2", "Slices of time"),
            element("p", note),
            table(("Slice", "Years", "Cells mapped"), rows, numbers=(2,), marked=marked),
            element("p", change_text(facts.change)) if facts.change else "",
        ]
    )


def change_text(change: Mapping[str, Any]) -> str:
    """What change.json says, in sentences."""
    unit = unit_text(change["unit"])
    parts = []
    if change["mean_change"] is not None:
        parts.append(f"Mean change from {change['first']} to {change['last']}: {number(change['mean_change'])} {unit}".rstrip())
    if change["beyond_share"] is not None:
        beyond = percent(change["beyond_share"], 1)
        parts.append(f"In {beyond} of the cells it is beyond the intervals of both slices, errors taken as independent")
    if change["smallest_p_value"] >= change["significance"]:
        count, smallest = len(change["slices"]), change["smallest_p_value"]
        parts.append(f"{count} slices are too few to call any trend significant: the smallest possible p is {number(smallest)}")
    elif change["significant_share"] is not None:
        share, controlled = percent(change["significant_share"], 1), percent(change["significant_share_controlled"], 1)
        parts.append(f"{share} of the cells have a significant trend (Mann-Kendall, exact, p < {number(change['significance'])})")
        parts.append(f"{TRIED_BY_CHANCE}; {controlled} stay so with the rate of false discoveries held")
    return ". ".join(parts) + "." if parts else ""
