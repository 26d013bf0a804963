"""Choices that live in the address by their machine names, so that a link means the same in every language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.parts.frame import seed, to_address


def choose_segment(
    label: str, options: Sequence[str], *, key: str, names: Callable[[str], str], label_visibility: str = "visible"
) -> str:
    """One of a few, as a row of buttons; the first at first."""
    seed(key, tuple(options))
    chosen = st.segmented_control(
        label, list(options), format_func=names, key=key, required=True, label_visibility=label_visibility
    )
    to_address(key)
    return chosen


def choose_item(place: Any, label: str, options: Sequence[str], *, first: str, key: str, names: Callable[[str], str]) -> str:
    """One of several, as a list in `place` (a column); `first` at first."""
    seed(key, (first, *options))
    chosen = place.selectbox(label, list(options), format_func=names, key=key)
    to_address(key)
    return chosen


def choose_number(label: str, *, low: float, high: float, step: float, first: float, decimals: int, key: str) -> float:
    """A number from `low` to `high` by a slider; what the address or an earlier range left outside is moved to the edge."""
    if key not in st.session_state:
        st.session_state[key] = number_of(st.query_params.get(key), first)
    st.session_state[key] = min(max(st.session_state[key], low), high)
    chosen = st.slider(label, min_value=low, max_value=high, step=step, format=f"%.{decimals}f", key=key)
    text = f"{chosen:.{decimals}f}"
    if st.query_params.get(key) != text:
        st.query_params[key] = text
    return chosen


def number_of(text: str | None, first: float) -> float:
    """The number of an address; `first` where it holds none."""
    try:
        value = float(text) if text is not None else first
    except ValueError:
        # a mistyped address is no fault of the page
        return first
    return value if value == value else first
