"""Open pages without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from alm_core.workspace import Run

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 60


def open_app(page: str, run: Run | None, monkeypatch: Any, *, workspace: Path | None = None, **parameters: str) -> AppTest:
    """Open a page such as ``pages/1_Sites.py`` (or ``app.py``) on a run, with further query parameters.

    The workspace is that of the run, or `workspace`; `monkeypatch` sets it for the test only.
    """
    folder = workspace if workspace is not None else run.folder.parents[1]
    monkeypatch.setenv("ALM_WORKSPACE", str(folder))
    monkeypatch.setenv("ALM_STUDIES", str(Path(folder).parent / "studies"))
    monkeypatch.syspath_prepend(str(ROOT))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_SECONDS)
    if run is not None:
        app.query_params["run"] = f"{run.folder.parent.name}/{run.id}"
    for name, value in parameters.items():
        app.query_params[name] = value
    if page != "app.py":
        app.switch_page(page)
    app.run()
    return app


def check_clean(app: AppTest) -> None:
    """No exception and no error message on the page."""
    assert not app.exception, [item.value for item in app.exception]
    assert not app.error, [item.value for item in app.error]


def texts(app: AppTest) -> str:
    """Everything the page says, as one text."""
    parts = [app.title, app.header, app.subheader, app.caption, app.markdown, app.info, app.warning, app.success, app.error]
    return "\n".join(str(item.value) for part in parts for item in part)
