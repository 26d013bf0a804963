"""Names of schemes, learners and groups of runs of days, as people read them."""

from __future__ import annotations

from pages.parts.frame import Page, label

NUMBERED = ": "
"""A quarter of a height is called ``1: 4200 to 4500``."""


def scheme_name(page: Page, name: str) -> str:
    """A scheme: here random means cell-days and not sites."""
    return page.t.get(f"scheme.{name}") or label(page, "scheme", name)


def learner_name(page: Page, name: str) -> str:
    """A learner or a discriminant."""
    return page.t.get(f"learner.{name}") or label(page, "learner", name)


def kind_label(page: Page, kind: str) -> str:
    """What groups are of: season, year, land cover."""
    return page.t.get(f"kind.{kind}") or kind.replace("_", " ")


def group_label(page: Page, kind: str, name: str) -> str:
    """A group: seasons and months in words, a quarter by its bounds, a class as it is."""
    known = page.t.get(f"group.{name.replace(' ', '_')}")
    if known:
        return known
    number, found, bounds = name.partition(NUMBERED)
    if found and number.isdigit():
        return bounds.replace(" to ", " – ")
    return name if kind == "year" else f"{kind_label(page, kind)} {name}" if name.isdigit() else name
