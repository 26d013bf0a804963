"""Daily fields in NetCDF and HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS

from alm_core.cubes.axes import FieldGrid
from alm_core.cubes.cell_places import axes_of_cells
from alm_core.cubes.fields import FieldHead, as_stored, channel_of, check_declared, chosen, chosen_layer, times_of_name
from alm_core.cubes.orbits import orbit_of
from alm_core.cubes.times import cf_times
from alm_core.errors import AlmError, CrsError, GridError, RasterError

ROLES = {
    "x": {"x", "lon", "long", "longitude", "easting", "cols", "column"},
    "y": {"y", "lat", "latitude", "northing", "rows", "row"},
    "time": {"time", "t", "date"},
}
STANDARD_NAMES = {
    "projection_x_coordinate": "x",
    "longitude": "x",
    "projection_y_coordinate": "y",
    "latitude": "y",
    "time": "time",
}
FILLS = ("_FillValue", "missing_value", "fmissing_value")


class NetcdfField:
    """A variable of a NetCDF or HDF5 file; see `alm_core.cubes.fields.FieldFile`.

    Parameters
    ----------
    path : path
    variable : str
        Its name, with its groups: ``Analysis_Data/sm_surface_analysis``. Empty where the file holds one field only.
    level : int, optional
        Of several layers, from the shallowest (1) on.
    crs : str, optional
        Stands in where the file declares none.
    missing_value : float, optional
        Means missing besides what the file declares, as stored in the file.

    Raises
    ------
    RasterError, StudyError, GridError, CrsError
        The file is damaged, has no such variable or layer, or no axes that can be used.
    """

    def __init__(
        self,
        path: Path,
        variable: str = "",
        *,
        level: int | None = None,
        crs: str | None = None,
        missing_value: float | None = None,
    ) -> None:
        import netCDF4

        self.path = path
        try:
            self._dataset = netCDF4.Dataset(path)
        except OSError as fault:
            raise RasterError(f"{path.name} can't be read as NetCDF or HDF5 ({fault}): is it whole?") from fault
        try:
            self._open(variable, level, crs, missing_value)
        except AlmError:
            self._dataset.close()
            raise
        except (OSError, RuntimeError) as fault:  # what the HDF5 library raises for damaged parts
            self._dataset.close()
            raise RasterError(f"{path.name} can't be read ({fault}): is it whole?") from fault

    def _open(self, variable: str, level: int | None, crs: str | None, missing_value: float | None) -> None:
        fields = {
            name: one for name, one in _variables(self._dataset) if one.ndim >= 2 and one.dtype != str and one.dtype.kind in "iuf"
        }
        named = chosen(variable.strip("/"), _without_axes(fields) if not variable else list(fields), self.path.name)
        self._variable = fields[named]
        self._variable.set_auto_maskandscale(False)
        axes = {name: _axis_of(self._variable, name) for name in self._variable.dimensions}
        self._roles = {role: name for name, axis in axes.items() if (role := _role(name, axis))}
        attributes = _attributes(self._dataset) | _attributes(self._variable)
        grid = self._grid(axes, crs)
        times, timed_by = self._times(axes)
        self._layer, layer = self._level(axes, level, times.size)
        self._unsigned = str(attributes.get("_Unsigned", "")).lower() == "true"
        fills = [float(one) for key in FILLS if key in attributes for one in np.atleast_1d(attributes[key]) if _is_number(one)]
        fills += [] if missing_value is None else [missing_value]
        self.head = FieldHead(
            named,
            grid,
            times,
            timed_by,
            str(attributes.get("units", "")) if "units" in self._variable.ncattrs() else "",
            tuple(dict.fromkeys(fills)),
            orbit_of(self.path.stem, attributes),
            channel_of(str(attributes.get("frequency_and_polarization", ""))),
            layer,
        )
        chunks = self._variable.chunking()
        dimensions = self._variable.dimensions
        timed = "time" in self._roles and isinstance(chunks, list)
        self.steps_together = chunks[dimensions.index(self._roles["time"])] if timed else 1
        self._packing = _packing(self._variable, attributes)

    def _grid(self, axes: dict[str, Any], crs: str | None) -> FieldGrid:
        lacking = [role for role in ("x", "y") if axes.get(self._roles.get(role, "")) is None]
        try:
            if lacking:
                return FieldGrid.make(*self._cell_places(lacking, crs), crs or "EPSG:4326")
            x, y = (axes[self._roles[role]] for role in ("x", "y"))
            declared = _declared_crs(self._variable, x)
            check_declared(declared, crs)
            return FieldGrid.make(_values(x), _values(y), declared or crs)
        except (GridError, CrsError) as fault:
            raise type(fault)(f"{self.path.name}: {fault}") from fault

    def _cell_places(self, lacking: list[str], crs: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Axes by the longitude and latitude of every cell, beside the field or around its group."""
        names = self._variable.dimensions
        shape = self._variable.shape[-2:]
        found: dict[str, np.ndarray] = {}
        for group in _upwards(self._variable):
            for name, one in group.variables.items():
                role = _role(name.removeprefix("cell_"), one)
                if role in ("x", "y") and one.ndim >= 2 and one.shape[-2:] == shape:
                    found.setdefault(role, np.ma.filled(_values(one).astype(float), np.nan).reshape(-1, *shape)[0])
        if set(found) != {"x", "y"}:
            raise GridError(
                f"no axis {' and '.join(lacking)} is found for dimensions {', '.join(names)}. Vectors of cell centres are "
                "expected, named or marked as x and y or longitude and latitude, or longitude and latitude of every cell."
            )
        self._roles |= {"y": names[-2], "x": names[-1]}
        return axes_of_cells(found["x"], found["y"], crs or "EPSG:4326")

    def _times(self, axes: dict[str, Any]) -> tuple[np.ndarray, str]:
        axis = axes.get(self._roles.get("time", ""))
        if axis is None and "time" not in self._roles:
            # Products of one step keep its time beside the field, on a dimension of its own.
            axis = next((one for name, one in _variables(self._dataset) if name == "time" and one.size == 1), None)
        units = str(getattr(axis, "units", ""))
        if axis is not None and " since " in units:
            try:
                return cf_times(_values(axis), units, str(getattr(axis, "calendar", "standard"))), "time axis"
            except RasterError as fault:
                raise RasterError(f"{self.path.name}: {fault}") from fault
        steps = self._variable.shape[self._variable.dimensions.index(self._roles["time"])] if "time" in self._roles else 1
        if steps > 1:
            raise RasterError(f"{self.path.name} has {steps} steps without a time in CF units (such as days since 2000-01-01).")
        return times_of_name(self.path), "file name"

    def _level(self, axes: dict[str, Any], level: int | None, steps: int) -> tuple[dict[str, int], str]:
        """Place along each dimension that is neither x, y nor time, and the layer in words."""
        others = [name for name in axes if name not in self._roles.values()]
        sizes = {name: len(_dimension(self._variable, name)) for name in others}
        many = [name for name in others if sizes[name] > 1]
        if len(many) > 1:
            raise GridError(f"{self.path.name}: the field has several dimensions besides x, y and time: {', '.join(many)}.")
        places = dict.fromkeys(others, 0)
        if not many:
            chosen_layer(level, ["the only one"], self.path.name)
            return places, ""
        name, axis = many[0], axes[many[0]]
        depths = np.arange(sizes[name]) if axis is None else np.abs(_values(axis).astype(float))
        order = np.argsort(depths, kind="stable")
        unit = "" if axis is None else f" {getattr(axis, 'units', '')}".rstrip()
        layers = [f"{name} {depths[place]:g}{unit}" for place in order]
        number = chosen_layer(level, layers, self.path.name)
        places[name] = int(order[number])
        return places, layers[number]

    def read(self, start: int, stop: int, rows: slice, columns: slice) -> np.ndarray:
        """Numbers as stored, ``[step, row, column]``."""
        windows = {"time": slice(start, stop), "y": rows, "x": columns}
        roles = {name: role for role, name in self._roles.items()}
        names = self._variable.dimensions
        index = tuple(windows[roles[name]] if name in roles else self._layer[name] for name in names)
        try:
            raw = self._variable[index]
        except (OSError, RuntimeError) as fault:
            raise RasterError(f"{self.path.name} can't be read ({fault}): is it whole?") from fault
        if self._unsigned and raw.dtype.kind == "i":
            raw = raw.view(np.dtype(f"u{raw.dtype.itemsize}"))
        left = [roles[name] for name in names if name in roles]
        raw = np.asarray(raw).transpose([left.index(role) for role in ("time", "y", "x") if role in left])
        return raw if "time" in left else raw[np.newaxis]

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """float32 in the unit of the file, NaN where missing, infinite outside the range that the file calls valid."""
        factor, offset, low, high = self._packing
        plain = (factor, offset) == (1.0, 0.0)
        values = raw.astype(np.float32) if plain else (raw * factor + offset).astype(np.float32)
        if low is not None:
            values[raw < low] = -np.inf
        if high is not None:
            values[raw > high] = np.inf
        for fill in self.head.fills:
            values[raw == as_stored(fill, raw.dtype)] = np.nan
        return values

    def __enter__(self) -> NetcdfField:
        """Itself."""
        return self

    def __exit__(self, *fault: object) -> None:
        """Close the file."""
        self._dataset.close()


def _variables(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every variable of a file with the path of its groups."""
    for name, variable in group.variables.items():
        yield f"{prefix}{name}", variable
    for name, inner in group.groups.items():
        yield from _variables(inner, f"{prefix}{name}/")


def _without_axes(fields: dict[str, Any]) -> list[str]:
    """Fields that are no bounds and no coordinates of others."""
    bounds = {str(getattr(one, "bounds", "")) for one in fields.values()}
    return [name for name in fields if name not in bounds and not name.endswith(("_bnds", "_bounds"))]


def _upwards(variable: Any) -> Iterator[Any]:
    """The group of a variable and the groups around it."""
    group = variable.group()
    while group is not None:
        yield group
        group = group.parent


def _axis_of(variable: Any, name: str) -> Any | None:
    """The coordinate variable of a dimension, in its group or one around it."""
    for group in _upwards(variable):
        if name in group.variables and group.variables[name].ndim == 1:
            return group.variables[name]
    return None


def _dimension(variable: Any, name: str) -> Any:
    return next(group.dimensions[name] for group in _upwards(variable) if name in group.dimensions)


def _role(name: str, axis: Any | None) -> str | None:
    """What a dimension is: x, y, time, or None for any other."""
    standard = STANDARD_NAMES.get(str(getattr(axis, "standard_name", "")))
    if standard:
        return standard
    units = str(getattr(axis, "units", "")).strip().lower()
    if units.replace("degrees", "degree") in ("degree_north", "degree_east"):
        return "y" if units.endswith("north") else "x"
    if " since " in units:
        return "time"
    letter = str(getattr(axis, "axis", "")).upper()
    if letter in ("X", "Y", "T"):
        return {"X": "x", "Y": "y", "T": "time"}[letter]
    return next((role for role, names in ROLES.items() if name.lower() in names), None)


def _values(axis: Any) -> np.ndarray:
    axis.set_auto_maskandscale(True)
    return axis[:]


def _attributes(thing: Any) -> dict[str, Any]:
    return {name: thing.getncattr(name) for name in thing.ncattrs()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _declared_crs(variable: Any, x: Any) -> str | None:
    """CRS of the grid mapping; longitude and latitude where the axes are degrees."""
    name = str(getattr(variable, "grid_mapping", "")).split(":")[0].strip().lstrip("/")
    mapping = next((group.variables[name] for group in _upwards(variable) if name and name in group.variables), None)
    if mapping is not None:
        fields = _attributes(mapping)
        for key in ("crs_wkt", "spatial_ref", "srid", "proj4text", "proj4"):
            if fields.get(key):
                return _parsed(str(fields[key]), key)
        if fields.get("grid_mapping_name"):
            return _parsed(fields, "grid mapping")
    units = str(getattr(x, "units", "")).strip().lower()
    is_longitude = units.startswith("degree") or str(getattr(x, "standard_name", "")) == "longitude"
    return "EPSG:4326" if is_longitude else None


def _parsed(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return CRS.from_cf(value).to_wkt()
    except Exception as fault:  # pyproj raises its own and plain ones, by version
        raise CrsError(f"Its {what} is no CRS that PROJ knows ({str(fault)[:120]}).") from fault


def _packing(variable: Any, attributes: dict[str, Any]) -> tuple[float, float, float | None, float | None]:
    """Factor, offset, and the valid range as stored (None: open)."""
    names = set(variable.ncattrs())
    factor = float(attributes["scale_factor"]) if "scale_factor" in names else 1.0
    offset = float(attributes["add_offset"]) if "add_offset" in names else 0.0
    low = attributes.get("valid_min") if "valid_min" in names else None
    high = attributes.get("valid_max") if "valid_max" in names else None
    if "valid_range" in names and np.size(attributes["valid_range"]) == 2:
        low, high = attributes["valid_range"]
    # By CF the range is that of the stored numbers, and has their type; ranges of other types are written in both senses.
    packed = (factor, offset) != (1.0, 0.0)
    usable = []
    for one in (low, high):
        fits = _is_number(one) and (not packed or (np.asarray(one).dtype.kind == "f") == (variable.dtype.kind == "f"))
        usable.append(float(one) if fits else None)
    return factor, offset, usable[0], usable[1]
