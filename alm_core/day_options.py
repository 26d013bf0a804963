"""The section of study.toml that makes a study map days: ``[days]`` and the tables in it.

Rooms never see these models: the stages hand them plain values.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator, model_validator

from alm_core.option_section import Section

QUANTITY_UNITS = {"brightness_temperature": "K", "temperature": "K", "moisture": "m3 m-3", "state": "1", "other": ""}
QUANTITY_RANGES = {
    "brightness_temperature": (50.0, 340.0),
    "temperature": (180.0, 350.0),
    "moisture": (0.0, 1.0),
    "state": (None, None),
    "other": (None, None),
}
"""What a quantity can be at the surface of the earth; values beyond are missing, and counted."""


class DayVariable(Section):
    """One quantity of every day: a cube of files."""

    name: str
    path: str = Field(description="a file, or a pattern such as tb/*_18H_*.nc whose files together hold the days")
    variable: str = Field("", description="its name in the files, with groups (GRIB: element); empty where a file holds only one")
    level: int | None = Field(None, ge=1, description="of several layers: 1 is the shallowest, whatever their order in the file")
    quantity: Literal["brightness_temperature", "temperature", "moisture", "state", "other"] = "other"
    unit: str = Field("", description="the unit it is kept in; default: that of the quantity")
    frequency_ghz: float | None = Field(None, gt=0)
    polarisation: Literal["", "V", "H"] = ""
    orbit: Literal["", "ascending", "descending"] = ""
    regrid: Literal["nearest", "bilinear", "average", "mode"] | None = Field(
        None, description="default: bilinear, of states nearest; from cells finer by half or more average, of states mode"
    )
    crs: str | None = Field(None, description="stands in where the files declare none")
    missing_value: float | None = Field(None, description="stands in where the files declare none")
    minimum: float | None = None
    maximum: float | None = None
    most_missing_days: float = Field(0.5, ge=0, le=1, description="largest part of the days that may be missing")

    @property
    def kept_unit(self) -> str:
        """Unit in memory."""
        return self.unit or QUANTITY_UNITS[self.quantity]

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """Smallest and largest possible value."""
        low, high = QUANTITY_RANGES[self.quantity]
        return (low if self.minimum is None else self.minimum), (high if self.maximum is None else self.maximum)


class DayFeature(Section):
    """One predictor of a day, from the variables of that day and of days before it."""

    name: str
    method: Literal[
        "value", "difference", "ratio", "polarisation_ratio", "running_mean", "running_sd", "running_range", "change",
        "day_of_year_sine", "day_of_year_cosine", "seasonal_temperature",
    ] = "value"  # fmt: skip
    inputs: tuple[str, ...] = ()
    days: int = Field(1, ge=1, description="length of a running window that ends on the day itself; of `change` the days back")

    @property
    def of_layers(self) -> bool:
        """Its inputs are [[covariates]] and [[derived]], not [[days.variables]]: annual, January and July mean temperature."""
        return self.method == "seasonal_temperature"


class StateCodes(Section):
    """Which values of a product mean what; every other value is missing, and counted."""

    variable: str = Field(description="name of a [[days.variables]]")
    frozen: tuple[int, ...] = (1,)
    thawed: tuple[int, ...] = (0,)


class StateTable(Section):
    """Daily temperatures or states at sites, instead of a product."""

    table: str
    site_id: str = "site"
    date: str = "date"
    longitude: str = "longitude"
    latitude: str = "latitude"
    value: str = "value"
    frozen_at_or_below: float = Field(0.0, description="temperatures in degree Celsius at or below it are frozen")


class SampleOptions(Section):
    """Cell-days that are learned from."""

    count: int = Field(60_000, ge=100, description="drawn at random from the labelled cell-days; all where there are fewer")
    check_count: int = Field(20_000, ge=100, description="cell-days with a value of the independent product")


class SplitOptions(Section):
    """How the cell-days are parted for scores."""

    schemes: tuple[Literal["random", "year", "block", "site"], ...] = Field(("year", "block"), min_length=1)
    headline: Literal["random", "year", "block", "site"] = "year"
    parts: tuple[float, float, float] = Field((0.70, 0.15, 0.15), description="training, validation and test of `random`")
    random_because: str = Field(
        "",
        description="`random` puts neighbouring days and cells on both sides and flatters; say here why it is wanted",
    )
    folds: int = Field(5, ge=2, description="of block and site; the years are parted into as many groups")
    block_size_km: float = Field(300.0, gt=0)
    gap_days: int = Field(10, ge=0, description="days at the borders of a test period that train nothing")

    @model_validator(mode="after")
    def told(self) -> SplitOptions:
        """A split that leaks needs a reason, and the headline is one of the schemes."""
        if self.headline not in self.schemes:
            raise ValueError(f"headline is {self.headline!r}: one of its schemes {', '.join(self.schemes)} is expected")
        if "random" in self.schemes and not self.random_because:
            raise ValueError(
                "schemes has random: neighbouring days and cells of a training sample are in its test set, so its scores are too "
                "good. Say in random_because why it is wanted (for example to compare with a published figure), or leave it out"
            )
        if abs(sum(self.parts) - 1) > 1e-9 or min(self.parts) <= 0:
            raise ValueError(f"parts are {self.parts}: three positive parts that add up to 1 are expected")
        return self


class DiscriminantOptions(Section):
    """Baselines of two numbers: brightness temperature at 36.5 GHz V, and its ratio to 18.7 GHz H."""

    vertical_36: str = Field(description="name of the [[days.variables]] at 36.5 GHz, V")
    horizontal_18: str = Field(description="name of the [[days.variables]] at 18.7 GHz, H")
    transition_months: tuple[int, ...] = Field((3, 4, 5, 9, 10, 11), description="months in which the state changes")


class PhenologyOptions(Section):
    """Onset and end of freezing in every year."""

    first_month: int = Field(7, ge=1, le=12, description="a freezing year begins in it, so that a winter is not cut in two")
    run_days: int = Field(5, ge=1, description="days in a row that make an onset")
    most_missing: float = Field(0.3, ge=0, le=1, description="larger parts of missing days leave a year without a value")


class DayOptions(Section):
    """A study of days."""

    first: date
    last: date
    variables: tuple[DayVariable, ...] = Field((), description="cubes")
    features: tuple[DayFeature, ...] = Field((), description="default: the value of every variable that is no state")
    labels: StateCodes | StateTable
    check: StateCodes | None = Field(None, description="an independent product that is never learned from")
    samples: SampleOptions = SampleOptions()
    splits: SplitOptions = SplitOptions()
    discriminant: DiscriminantOptions | None = None
    phenology: PhenologyOptions = PhenologyOptions()
    learner: str = Field("extra_trees", description="the one of [[learners]] that makes the maps")
    missing: Literal["leave_out", "route"] = Field(
        "leave_out", description="cell-days without some predictors: no value, or sent the way that the learner sends them"
    )

    @field_validator("variables", "features")
    @classmethod
    def own_names(cls, value: tuple[DayVariable | DayFeature, ...]) -> tuple[DayVariable | DayFeature, ...]:
        """Names are columns, so they must differ."""
        names = [one.name for one in value]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"share the name {', '.join(doubled)}: each needs a name of its own")
        return value

    @model_validator(mode="after")
    def fit_together(self) -> DayOptions:
        """Days in order, and no name that is not there; the independent product is no predictor and no label."""
        if self.last < self.first:
            raise ValueError(f"first is {self.first} and last is {self.last}: they may be swapped")
        known = {one.name: one for one in self.variables}
        wanted = [(f"feature {one.name}", name) for one in self.features for name in one.inputs if not one.of_layers]
        codes = [("labels", self.labels)] if isinstance(self.labels, StateCodes) else []
        codes += [("check", self.check)] if self.check else []
        wanted += [(who, one.variable) for who, one in codes]
        if self.discriminant:
            wanted += [("discriminant", self.discriminant.vertical_36), ("discriminant", self.discriminant.horizontal_18)]
        strange = [f"{who} asks for {name!r}" for who, name in wanted if name not in known]
        if strange:
            raise ValueError(f"{'; '.join(strange)}: [[days.variables]] has {', '.join(known) or 'none'}")
        held_back = {one.variable for _, one in codes}
        leaking = [f"feature {one.name}" for one in self.features if held_back & set(one.inputs)]
        if leaking or len(held_back) < len(codes):
            raise ValueError(
                f"{', '.join(leaking) or 'check'} uses the product of the labels or of the check: what is learned or checked "
                "can't be a predictor, and the check must be another product than the labels"
            )
        return self
