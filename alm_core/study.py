"""A study: what to map, from what, read from study.toml."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from alm_core.day_options import DayVariable, StateTable
from alm_core.errors import MissingFileError, StudyError
from alm_core.options import CovariateOptions, StudyOptions
from alm_core.time_slices import PLACEHOLDER, changes, placed


@dataclass(frozen=True)
class Study:
    """A checked study.toml and the folder that its paths start from.

    Attributes
    ----------
    options : StudyOptions
        Every option; see `alm_core.options`.
    folder : Path
        Folder of study.toml.
    path : Path or None
        The file itself, where there is one.
    """

    options: StudyOptions
    folder: Path
    path: Path | None = None

    @property
    def name(self) -> str:
        """The short name, used for folders."""
        return self.options.study.name

    def file(self, relative: str) -> Path:
        """Resolve a path of the study against its folder."""
        return (self.folder / relative).resolve()

    def input_files(self) -> dict[str, Path]:
        """Every file that the study reads, by its role."""
        options = self.options
        files = {"site table": self.file(options.sites.table)} if options.sites else self._of_days()
        if options.grid.like:
            files["grid"] = self.file(options.grid.like)
        if options.grid.mask:
            files["mask"] = self.file(options.grid.mask)
        if options.study.truth:
            files |= self._of_slices("truth", options.study.truth)
        files |= {f"published {one.name}": self.file(one.path) for one in options.reference_maps}
        for layer in options.covariates:
            files |= self._of_slices(f"covariate {layer.name}", layer.path)
        return files

    def _of_days(self) -> dict[str, Path]:
        """Files of the daily variables in the order of their names, and of the states at sites."""
        days = self.options.days
        if days is None:
            return {}
        files = {"states": self.file(days.labels.table)} if isinstance(days.labels, StateTable) else {}
        for variable in days.variables:
            for path in self.day_files(variable):
                files[f"days {variable.name} {path.name}"] = path  # many names hold the date: another name is another input
        return files

    def day_files(self, variable: DayVariable) -> list[Path]:
        """Files of a daily variable; the pattern itself where nothing fits it, so that it is told missing."""
        folder = self.file(variable.path)
        names = sorted(folder.parent.glob(folder.name))
        return names or [folder]

    def layer_fields(self, layer: CovariateOptions) -> dict[str, Any]:
        """A layer as plain values for `alm_core.covariates.layers.LayerSource`: absolute paths, and those of each slice.

        The path of a layer that changes is that of the first slice.
        """
        fields = layer.model_dump(exclude={"band_of_slice", "static", "period"})
        if not changes(layer):
            return fields | {"path": self.file(layer.path)}
        places = {one.name: placed(layer, one.name) for one in self.options.slices}
        slices = {name: (self.file(path), band) for name, (path, band) in places.items()}
        path, band = next(iter(slices.values()))
        return fields | {"path": path, "band": band, "slices": slices}

    def _of_slices(self, role: str, path: str) -> dict[str, Path]:
        """A file by its role, or one for each slice where the path names the slice."""
        if PLACEHOLDER not in path:
            return {role: self.file(path)}
        return {f"{role} {one.name}": self.file(path.replace(PLACEHOLDER, one.name)) for one in self.options.slices}

    @classmethod
    def load(cls, path: str | Path) -> Study:
        """Read and check a study.

        Raises
        ------
        MissingFileError
            The file, or a file that it names, is not there.
        StudyError
            The text is not TOML, or a key or a value is wrong; every fault is named, with the nearest valid key.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "study.toml"
        if not path.is_file():
            raise MissingFileError(f"No study at {path}: a study.toml is expected. `python -m alm_core new` writes one.")
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
            raise StudyError(f"{path} is not valid TOML: {fault}. Strings need quotes, tables a [heading].") from fault
        study = cls(parse_options(values, path), path.resolve().parent, path.resolve())
        missing = [f"{role}: {file}" for role, file in study.input_files().items() if not file.is_file()]
        if missing:
            raise MissingFileError(
                f"{path} names files that are not there: " + "; ".join(missing) + ". Paths start at its folder."
            )
        return study


def parse_options(values: dict[str, Any], path: str | Path = "study.toml") -> StudyOptions:
    """Check the values of a study.toml.

    Raises
    ------
    StudyError
        With every fault in one text: where, what came, what was expected, and for an unknown key the nearest valid one.
    """
    try:
        return StudyOptions.model_validate(values)
    except ValidationError as fault:
        lines = [_explain(error) for error in fault.errors()]
        raise StudyError(f"{path} has {len(lines)} fault(s):\n  " + "\n  ".join(lines)) from fault


def _explain(error: dict[str, Any]) -> str:
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"]) or "study.toml"
    if error["type"] == "extra_forbidden":
        return f"{where}: no such key. {_nearest(error['loc'])}"
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{where}: missing. It must be given."
    given = error.get("input")
    shown = "" if isinstance(given, dict | list | BaseModel) else f" (came: {given!r})"
    return f"{where}: {text}{shown}."


def _nearest(location: tuple[Any, ...]) -> str:
    model: Any = StudyOptions
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        model = _model_of(field.annotation) if field else None
        if model is None:
            return "Remove it."
    keys = sorted(model.model_fields)
    close = difflib.get_close_matches(str(location[-1]), keys, n=1, cutoff=0.5)
    return f"Did you mean `{close[0]}`?" if close else f"Valid keys: {', '.join(keys)}."


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_of(part)
        if found is not None:
            return found
    return None
