"""Columns that go below each other where the page is narrow, whatever the width of the window and the sidebar."""

from __future__ import annotations

from typing import Any

import streamlit as st

NARROW_PIXELS = 620


def narrow_columns(key: str, *, per_row: int = 1) -> Any:
    """A box for one `st.columns`: narrower than 620 pixels, it shows only `per_row` of them side by side.

    Parameters
    ----------
    key : str
        Letters and hyphens; one of its own on the page.
    per_row : int
        Columns side by side where the box is narrow.
    """
    row = f".st-key-{key} > div > [data-testid=stHorizontalBlock]"
    share = f"calc({100 / per_row:.3f}% - 1rem)"
    box = st.container(key=f"{key}-width", gap=None)
    box.html(
        f"<style>.st-key-{key}-width {{ container-type: inline-size; }} @container (max-width: {NARROW_PIXELS}px) {{ "
        f"{row} {{ flex-wrap: wrap; }} {row} > [data-testid=stColumn] {{ min-width: {share}; flex: 1 1 {share}; }} }}</style>"
    )
    return box.container(key=key, gap=None)
