"""Card, catalogue item, single files, and everything of a run in one zip."""

from __future__ import annotations

import streamlit as st

from alm_core.jobs import Job, find_job, list_jobs, submit
from alm_core.jobs.kinds import JobError
from alm_core.mapping.files import readable_bytes
from alm_core.publishing.bundle import bundle_size, bundle_version, table_csv
from alm_core.publishing.provenance import study_toml
from alm_core.publishing.stac_hints import Hint, stac_hints
from alm_core.serving.urls import card_url, download_url
from alm_core.workspace import read_json
from pages.parts.columns import narrow_columns
from pages.parts.frame import Page, run_key, workspace
from pages.parts.job_panel import job_panel

CARD_HEIGHT = 1000
LEVELS = {"good": (":material/check_circle:", "green"), "hint": (":material/info:", "blue"), "fault": (":material/error:", "red")}
JOBS_LOOKED_AT = 20


def card_view(page: Page) -> None:
    """The card in a frame of its own."""
    path = page.run.folder / "card.html"
    if not path.is_file():
        st.info(page.t("card.none"), icon=":material/hourglass:")
        return
    st.markdown(page.t("card.text"))
    left, right = narrow_columns("card-buttons").columns(2)
    left.link_button(page.t("card.open"), card_url(page.run), icon=":material/open_in_new:", width="stretch")
    with right:
        file_button(page, page.t("card.download"), "card.html", f"{page.run.id}-card.html", "text/html")
    st.iframe(card_url(page.run), height=CARD_HEIGHT)


def file_button(page: Page, text: str, name: str, file_name: str, kind: str) -> None:
    """Offer a file of the run; it is read when it is asked for."""
    st.download_button(
        text,
        (page.run.folder / name).read_bytes,
        file_name=file_name,
        mime=kind,
        icon=":material/download:",
        width="stretch",
        on_click="ignore",
    )


def catalogue_view(page: Page) -> None:
    """The STAC item with what a catalogue would say of it."""
    path = page.run.folder / "stac.json"
    st.subheader(page.t("catalogue.title"), anchor=False)
    if not path.is_file():
        st.info(page.t("catalogue.none"), icon=":material/hourglass:")
        return
    st.markdown(page.t("catalogue.text"))
    item = read_json(path)
    for hint in stac_hints(item, page.run.folder):
        show_hint(page, hint)
    file_button(page, page.t("catalogue.download"), "stac.json", f"{item['id']}-stac.json", "application/geo+json")
    with st.expander("stac.json", icon=":material/data_object:", expanded=True):
        st.json(item, expanded=1)


def show_hint(page: Page, hint: Hint) -> None:
    """One line: an icon, what it says, how much it matters."""
    icon, colour = LEVELS[hint.level]
    level = page.t(f"catalogue.level_{hint.level}")
    st.markdown(f"{icon} {page.t(f'hint.{hint.code}_{hint.level}', detail=hint.detail)} :{colour}-badge[{level}]")


def files_view(page: Page) -> None:
    """The zip as a job, and single small files at once."""
    st.subheader(page.t("files.title"), anchor=False)
    if not (page.run.folder / "map" / "fused.tif").is_file():
        st.info(page.t("files.no_map"), icon=":material/hourglass:")
    else:
        st.markdown(page.t("files.text"))
        bundle_part(page)
    st.subheader(page.t("files.single"), anchor=False)
    single_files(page)
    st.caption(page.t("files.map_note"))


def bundle_part(page: Page) -> None:
    """Start the zip, show how far it is, give its link."""
    job = bundle_of(page)
    state = job.state() if job else None
    if state is not None and state.open:
        job_panel(page, job.id)
        return
    st.caption(page.t("files.size", size=readable_bytes(bundle_size(page.run))))
    done = state is not None and state.state == "done"
    if done:
        result = state.result
        st.success(page.t("files.ready", size=readable_bytes(result["size_bytes"])), icon=":material/folder_zip:")
        st.link_button(
            page.t("files.get", name=result["file"]),
            download_url(job, result["file"]),
            icon=":material/download:",
            type="primary",
        )
        st.code(f"SHA-256  {result['sha256']}", language=None)
        if job.spec["version"] != bundle_version(page.run):
            st.info(page.t("files.stale"), icon=":material/update:")
    elif state is not None:
        # failed, cancelled or died: the panel says what happened
        job_panel(page, job.id)
    text, kind = (page.t("files.again"), "secondary") if done else (page.t("files.make"), "primary")
    st.button(
        text, icon=":material/folder_zip:", type=kind, on_click=start_bundle, args=(run_key(page.run), bundle_version(page.run))
    )


def start_bundle(run: str, version: str) -> None:
    """Start the job and keep it in the address, so that a reload finds it."""
    st.query_params["job"] = submit(workspace(), "bundle", run=run, version=version).id


def bundle_of(page: Page) -> Job | None:
    """The job of the address where it is a zip of this run, else the newest that is open or done."""
    wanted = run_key(page.run)
    asked = st.query_params.get("job")
    if asked:
        try:
            job = find_job(workspace(), asked)
        except JobError:
            # an old link: look for another zip of this run
            job = None
        if job is not None and is_bundle(job, wanted):
            return job
    for job in list_jobs(workspace())[:JOBS_LOOKED_AT]:
        if is_bundle(job, wanted) and job.state().state in ("queued", "running", "done"):
            return job
    return None


def is_bundle(job: Job, run: str | None) -> bool:
    """True for a zip of the run."""
    return job.kind == "bundle" and job.spec.get("run") == run


def single_files(page: Page) -> None:
    """Small files at once."""
    run, stem = page.run, f"{page.options.study.name}-{page.run.id}"
    offers = [(page.t("files.study"), lambda: study_toml(run), f"{stem}-study.toml", "application/toml")]
    for text, source, name in (
        (page.t("files.sites"), "sites.parquet", f"{stem}-sites.csv"),
        (page.t("files.out_of_fold"), "out_of_fold.parquet", f"{stem}-out-of-fold.csv"),
    ):
        if (run.folder / source).is_file():
            offers.append((text, lambda source=source: table_csv(run, source), name, "text/csv"))
    for text, source, name in (
        (page.t("files.metrics"), "metrics.json", f"{stem}-metrics.json"),
        (page.t("files.stac"), "stac.json", f"{stem}-stac.json"),
        (page.t("card.download"), "card.html", f"{stem}-card.html"),
    ):
        if (run.folder / source).is_file():
            kind = "text/html" if source.endswith("html") else "application/json"
            offers.append((text, (run.folder / source).read_bytes, name, kind))
    columns = narrow_columns("single-files").columns(3)
    for place, (text, content, name, kind) in enumerate(offers):
        columns[place % 3].download_button(
            text, content, file_name=name, mime=kind, icon=":material/download:", width="stretch", on_click="ignore"
        )
