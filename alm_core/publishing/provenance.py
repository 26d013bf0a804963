"""Where a run comes from: inputs, versions, seed, times, and the study as it was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from alm_core.options import ScreeningOptions
from alm_core.toml_text import TomlText
from alm_core.workspace import RECORD, Run, read_json


@dataclass(frozen=True)
class Provenance:
    """What must be known to make a run again.

    Attributes
    ----------
    study, run, title : str
    simulated : bool
    seed : int
    created : str
        When the report was written, ISO 8601 in UTC; of an unfinished run when its record was last changed.
    inputs : mapping of str to str
        Role of every input file to its SHA-256.
    versions : mapping of str to str
    stages : tuple of (str, str, float or None)
        Name, state and seconds of every stage in order; None for one that is not done.
    """

    study: str
    run: str
    title: str
    simulated: bool
    seed: int
    created: str
    inputs: Mapping[str, str]
    versions: Mapping[str, str]
    stages: tuple[tuple[str, str, float | None], ...]

    @property
    def seconds(self) -> float:
        """Time of all finished stages together."""
        return sum(seconds or 0.0 for _, _, seconds in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def provenance(run: Run) -> Provenance:
    """Read where a run comes from; works for an unfinished one too."""
    record = run.record
    stages = []
    for name in record["order"]:
        entry = record["stages"].get(name, {})
        stages.append((name, entry.get("state", "waiting"), entry.get("seconds")))
    return Provenance(
        study=record["study"],
        run=run.id,
        title=record["title"] or record["study"],
        simulated=bool(record["simulated"]),
        seed=record["seed"],
        created=created(run),
        inputs=dict(record["inputs"]),
        versions=dict(record["versions"]),
        stages=tuple(stages),
    )


def created(run: Run) -> str:
    """When the map was made: what its catalogue item says, else when the record of the run was last changed."""
    item = run.folder / "stac.json"
    if item.is_file():
        text = read_json(item)["properties"].get("created")
        if text:
            return text
    changed = (run.folder / RECORD).stat().st_mtime
    return datetime.fromtimestamp(changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def software_version(run: Run) -> str:
    """Version of the program that made the run."""
    return run.record["versions"].get("alm_core", "unknown")


def study_toml(run: Run) -> str:
    """study.toml as it was run, every default written out.

    The file that the run was started from may have changed since; this text gives the options that the run used. Reading it
    (`alm_core.study.parse_options`) gives the same options again.
    """
    options = run.record["options"]
    text = TomlText()
    text.comment(f"Options of run {run.id}, every default written out. Paths start at the folder of the study.")
    for name, values in options.items():
        if isinstance(values, list):
            for item in values:
                _table(text, name, item, item_of_list=True)
        elif values is not None:  # a section that the study leaves out
            _table(text, name, values)
    return text.text() + "\n"


def _table(text: TomlText, name: str, values: Mapping[str, Any], *, item_of_list: bool = False) -> None:
    """Write a table, its plain values first and its own tables after them, as TOML wants it."""
    text.table(name, item=item_of_list)
    inner = {}
    for key, value in values.items():
        if value is None:
            if name == "screening" and ScreeningOptions.model_fields[key].default is not None:
                text.line(key, "off")
            continue
        # Tables of an item of a list are written on the line of their key: a heading would need the item's number.
        if isinstance(value, Mapping) and not item_of_list:
            inner[key] = value
        else:
            text.line(key, _without_none(value))
    for key, value in inner.items():
        _table(text, f"{name}.{key}", value)


def _without_none(value: Any) -> Any:
    """TOML has no null: what is not set is not written."""
    if isinstance(value, Mapping):
        return {key: _without_none(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_none(part) for part in value]
    return value
