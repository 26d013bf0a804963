"""The start page: the runs of the workspace, how good they are, and what to do next."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from alm_core.workspace import Run, list_runs

WORKSPACE = Path(os.environ.get("ALM_WORKSPACE", "workspace"))
NUMBERS = (("r2", "R²"), ("rmse", "RMSE"), ("mae", "MAE"), ("sd_ratio", "sd ratio"))


def show_run(run: Run) -> None:
    """One run: title, scores of the scheme that answers for the map, thumbnail, card."""
    record = run.record
    st.subheader(record["title"] or record["study"])
    if record["simulated"]:
        st.warning("Simulated data: sites and rasters come from written formulas. Nothing here is an observation.", icon="⚠️")
    if not (run.folder / "metrics.json").is_file():
        st.info("Not scored yet. Start it again with `python -m alm_core run`; finished stages are kept.")
        return
    metrics = run.metrics()
    headline = metrics["headline"]
    st.caption(f"Run {run.id} · scores of {headline} folds, which answer for the map · unit {metrics['unit'] or 'none'}")
    scores = metrics["schemes"][headline]["fused"]
    for column, (name, label) in zip(st.columns(len(NUMBERS)), NUMBERS, strict=True):
        if name in scores:
            column.metric(label, f"{scores[name]:.2f}")
    picture = run.folder / "map" / "thumbnail.png"
    if picture.is_file():
        st.image(str(picture), caption="Fused map; hatched: outside the area of applicability", width="stretch")
    card = run.folder / "card.html"
    if card.is_file():
        st.download_button("Model card (HTML)", card.read_bytes(), file_name=f"{run.id}-card.html", key=f"card-{run.id}")


st.set_page_config(page_title="Active Layer Mapper", page_icon="🗺️", layout="wide")
st.title("Active Layer Mapper")
st.write("From field sites and raster stacks to validated, bias-corrected maps of frozen ground, with honest uncertainty.")
runs = list_runs(WORKSPACE)
if not runs:
    st.info("No run yet. `python -m alm_core demo` writes a simulated study, `python -m alm_core new` one from your own files.")
for found in runs:
    with st.container(border=True):
        show_run(found)
