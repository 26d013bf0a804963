"""The two states of a surface, and their codes on every map and in every table."""

from __future__ import annotations

THAWED, FROZEN = 0, 1
UNKNOWN = 255
"""In maps: outside the mask, or a day without data."""
STATES = ("thawed", "frozen")
"""Words of the codes, in their order."""
