"""The sections of study.toml: every option, its default, its range and its unit.

Rooms never see these models: the pipeline hands them plain keyword arguments. An unknown key is refused by name.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from alm_core.day_options import DayOptions
from alm_core.evaluation_options import ExtentOptions, ReferenceMapOptions
from alm_core.option_section import Section
from alm_core.time_slices import changes, layer_fault, section_faults, slices_fault

GROUPS = ("terrain", "soil", "vegetation", "climate", "radar", "other")
Group = Literal["terrain", "soil", "vegetation", "climate", "radar", "other"]
Resampling = Literal["nearest", "bilinear", "cubic", "average", "mode", "min", "max", "median"]
LearnerName = str
RASTER_NAMES = ("members", "fused", "uncertainty", "probability", "shap")
"""Files of every map, which a product can't be called."""


class Target(Section):
    """What is mapped."""

    name: str = "value"
    description: str = ""
    unit: str = ""
    task: Literal["regression", "classification"] = "regression"
    minimum: float | None = Field(None, description="physical lower bound; predictions are cut to it")
    maximum: float | None = Field(None, description="physical upper bound")
    transform: Literal["none", "log"] = Field("none", description="the members learn the value, or its logarithm")
    censored: Literal["refuse", "bounds"] = Field(
        "refuse",
        description="table values such as <66 or >124: refused, or kept out of training and used as bounds to validate",
    )


class SliceOptions(Section):
    """A span of years that gets a map of its own; both years belong to it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")
    first_year: int = Field(ge=1500, le=2500)
    last_year: int = Field(ge=1500, le=2500)

    @model_validator(mode="after")
    def ordered(self) -> SliceOptions:
        """A slice ends after it begins."""
        if self.last_year < self.first_year:
            raise ValueError(f"first_year is {self.first_year} and last_year is {self.last_year}: they may be swapped")
        return self


class Bounds(Section):
    """A box in the units of the grid's CRS."""

    west: float
    south: float
    east: float
    north: float

    @model_validator(mode="after")
    def ordered(self) -> Bounds:
        """Refuse swapped edges by name."""
        if self.west >= self.east:
            raise ValueError(f"west is {self.west} and east is {self.east}: west must be smaller; they may be swapped")
        if self.south >= self.north:
            raise ValueError(f"south is {self.south} and north is {self.north}: south must be smaller; they may be swapped")
        return self


class GridOptions(Section):
    """Where and how finely to map: either `like` a raster, or CRS, resolution and bounds."""

    like: str | None = Field(None, description="a raster whose grid is taken")
    crs: str | None = Field(None, description="CRS; with `like` it stands in where the raster has none")
    resolution: float | None = Field(None, gt=0)
    bounds: Bounds | None = None
    mask: str | None = Field(None, description="a raster on any grid; cells with a value in mask_values are mapped")
    mask_values: tuple[int, ...] = (1,)

    @model_validator(mode="after")
    def complete(self) -> GridOptions:
        """One of the two ways must be complete."""
        if self.like is None and (self.crs is None or self.resolution is None or self.bounds is None):
            raise ValueError("give either `like`, or all three of `crs`, `resolution` and `bounds`")
        return self


class Columns(Section):
    """Which column of the table holds what: our name on the left, the table's on the right."""

    site_id: str | None = None
    longitude: str | None = Field(None, description="longitude, or x in `crs`")
    latitude: str | None = Field(None, description="latitude, or y in `crs`")
    value: str | None = None
    date: str | None = None
    year: str | None = None
    method: str | None = None
    uncertainty: str | None = None
    depth: str | None = Field(None, description="depth of a point measurement, m")
    depth_top: str | None = None
    depth_bottom: str | None = None
    survey: str | None = None
    # what the conversions need
    wet_mass: str | None = Field(None, description="g, for the cutting ring")
    dry_mass: str | None = Field(None, description="g, for the cutting ring")
    gravimetric: str | None = Field(None, description="gravimetric water content, g g-1")
    bulk_density: str | None = Field(None, description="dry bulk density, g cm-3")
    travel_time: str | None = Field(None, description="two-way travel time of the radar wave, ns")
    reflector_depth: str | None = Field(None, description="depth of the reflector, m")
    permittivity: str | None = Field(None, description="relative permittivity")
    velocity: str | None = Field(None, description="wave velocity, m ns-1")
    porosity: str | None = None


class ConversionOptions(Section):
    """How raw measurements become volumetric water content."""

    ring_volume_cm3: float = Field(100.0, gt=0)
    ring_uncertainty: float = Field(0.02, ge=0, description="m3 m-3, where the table gives none")
    particle_density: float = Field(2.65, gt=0, description="g cm-3")
    gpr_model: Literal["topp", "crim", "linear"] = "crim"
    gpr_travel_time_uncertainty_ns: float = Field(1.0, ge=0)
    gpr_depth_uncertainty_m: float = Field(0.05, ge=0)
    gpr_permittivity_uncertainty: float = Field(0.5, ge=0)
    gpr_porosity: float = Field(0.45, gt=0, lt=1, description="where the table gives none")
    gpr_linear_intercept: float | None = None
    gpr_linear_slope: float | None = Field(None, description="water content per m ns-1")
    ring_methods: tuple[str, ...] = ("cutting_ring", "cutting ring", "ring", "环刀", "环刀法")
    gpr_methods: tuple[str, ...] = ("gpr", "ground_penetrating_radar", "探地雷达")


class SiteOptions(Section):
    """The site table."""

    table: str
    sheet: str | None = None
    layer: str | None = None
    crs: str = "EPSG:4326"
    value_unit: Literal["as_is", "fraction", "percent"] = "as_is"
    sentinels: tuple[float, ...] = (-9999.0, -999.99, -999.9, -999.0, -99.0, 9999.0)
    columns: Columns = Columns()
    conversion: ConversionOptions | None = None
    repeats: Literal["refuse", "mean", "separate", "slice_mean"] = Field(
        "refuse", description="several dated rows of one site; slice_mean makes one row for each site and slice"
    )
    groups: Literal["survey", "method", "none"] = "survey"


class ScreeningOptions(Section):
    """Rules that take a site out, each with its threshold; "off" switches a rule off (TOML has no null)."""

    @field_validator("*", mode="before")
    @classmethod
    def switched_off(cls, value: Any) -> Any:
        """Read "off" as no threshold."""
        return None if value == "off" else value

    season_months: tuple[int, ...] | None = Field(None, description="months to keep, for example [9, 10]")
    first_year: int | None = None
    last_year: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    porosity_bound: bool = Field(False, description="value must not exceed the porosity, where it is known")
    depth_minimum_m: float | None = None
    depth_maximum_m: float | None = None
    duplicate_distance_cells: float | None = Field(0.0, ge=0, description="0: same cell of the grid; None: off")
    duplicate_choice: Literal["median", "newest", "least_uncertain"] = "median"
    outlier_z: float | None = Field(4.5, gt=0, description="robust z (median, MAD) over all sites")
    neighbour_z: float | None = Field(5.0, gt=0, description="robust z against the nearest sites in covariate space")
    neighbours: int = Field(12, ge=4)
    require_inside_mask: bool = False
    maximum_missing: float = Field(0.3, ge=0, le=1, description="largest part of covariates that may be missing at a site")
    keep: tuple[str, ...] = Field((), description="site ids kept by hand whatever the rules say")
    exclude: dict[str, str] = Field({}, description="site id: reason, taken out by hand")


class CovariateOptions(Section):
    """One raster layer."""

    name: str
    path: str
    band: int = Field(1, ge=1)
    group: Group = "other"
    kind: Literal["continuous", "categorical"] = "continuous"
    unit: str = ""
    resampling: Resampling | None = Field(None, description="default: bilinear, nearest for categories")
    crs: str | None = Field(None, description="stands in where the file has none")
    nodata: float | None = Field(None, description="stands in where the file declares none")
    scale: float = 1.0
    offset: float = 0.0
    minimum: float | None = Field(None, description="values below it are nodata (they are counted)")
    maximum: float | None = None
    use: bool = Field(True, description="false: only an input of derived layers, not offered to the learners")
    source: str = ""
    band_of_slice: dict[str, int] = Field({}, description="slice: its band, of a file that holds all of them")
    static: str = Field("", description="why a layer of climate or vegetation is the same in every slice")
    period: tuple[int, int] | None = Field(None, description="first and last year of a mean over years")


class DerivedOptions(Section):
    """One layer computed from others."""

    name: str
    method: Literal[
        "ndvi", "ndwi", "soil_moisture_change", "degree_days", "annual_degree_days", "n_factor", "frost_number", "ttop", "stefan",
        "slope", "northness", "eastness", "aspect", "plan_curvature", "profile_curvature", "convergence_index",
        "filled_elevation", "closed_depressions", "catchment_area", "topographic_wetness_index", "ls_factor",
        "height_above_channels", "valley_depth", "relative_slope_position", "x", "y", "constant",
    ]  # fmt: skip
    inputs: dict[str, str | list[str]] = Field({}, description="role: name of a covariate, or names of a time stack")
    options: dict[str, Any] = Field({})
    group: Group = "other"
    unit: str = ""


class ExtractionOptions(Section):
    """How covariate values are taken at sites."""

    method: Literal["nearest", "bilinear", "window_mean"] = "bilinear"
    window_cells: int = Field(3, ge=1)


class SelectionOptions(Section):
    """SHAP recursive feature elimination."""

    enabled: bool = True
    keep: tuple[str, ...] = ()
    minimum_features: int = Field(4, ge=1)
    step: float = Field(0.12, gt=0, description="part of the features dropped a round, or a number of them if >= 1")
    correlation: float = Field(0.9, gt=0, le=1, description="|rho| above which features form a group")
    folds: int = Field(5, ge=2)
    repeats: int = Field(2, ge=1)
    scheme: Literal["random", "block", "knndm", "group"] = "random"
    nested: bool = Field(True, description="re-run the selection inside every outer fold")
    learners: tuple[LearnerName, ...] = ()


class LearnerOptions(Section):
    """One learner; `options` go to its constructor."""

    name: str
    kind: str | None = Field(None, description="registry name; default: `name`")
    options: dict[str, Any] = Field({})


class TuningOptions(Section):
    """Optional search of hyperparameters inside the training folds."""

    enabled: bool = False
    trials: int = Field(20, ge=1)
    folds: int = Field(3, ge=2)


class ValidationOptions(Section):
    """How the map is scored."""

    schemes: tuple[Literal["random", "block", "knndm", "survey", "method", "time", "holdout"], ...] = ("random", "block", "knndm")
    headline: Literal["random", "block", "knndm", "survey", "method", "time", "holdout"] = "knndm"
    folds: int = Field(5, ge=2)
    repeats: int = Field(1, ge=1, description="repeats of the random scheme")
    inner_folds: int = Field(5, ge=2)
    block_size_km: float = Field(100.0, gt=0)
    block_size_degrees: float | None = Field(None, gt=0, le=90, description="instead of kilometres, on a geographic grid")
    holdout: tuple[float, float, float] = (0.70, 0.15, 0.15)
    domain_points: int = Field(1000, ge=100)
    bootstrap: int = Field(500, ge=0)


class ComparisonOptions(Section):
    """Learners side by side on the same folds; off by default, because it takes many fits."""

    enabled: bool = False
    learners: tuple[LearnerOptions, ...] = Field((), description="default: those of the study and the four without trees")
    schemes: tuple[Literal["random", "block", "knndm"], ...] = Field(("random", "knndm"), min_length=1)
    folds: int = Field(10, ge=3)
    repeats: int = Field(3, ge=1, description="of random and block folds")
    deciding: Literal["random", "block", "knndm"] | None = Field(
        None, description="scheme that names the learner whose covariates are ranked; default: the last of `schemes`"
    )
    combinations: int = Field(40, ge=0, description="most sets of covariates that are tried; 0: neither ranking nor test")

    @field_validator("learners", mode="before")
    @classmethod
    def by_name(cls, value: Any) -> Any:
        """A plain name stands for a learner with its defaults."""
        return [{"name": entry} if isinstance(entry, str) else entry for entry in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def complete(self) -> ComparisonOptions:
        """Two learners or more with names of their own, and a deciding scheme that is compared."""
        names = [learner.name for learner in self.learners]
        if len(names) == 1 or len(set(names)) < len(names):
            raise ValueError(f"learners are {', '.join(names)}: two or more are expected, each with a name of its own")
        if self.deciding not in (None, *self.schemes):
            raise ValueError(f"deciding is {self.deciding!r}: one of its schemes {', '.join(self.schemes)} is expected")
        return self


class FusionOptions(Section):
    """How the members become one value."""

    method: Literal["equal", "inverse_error", "least_squares", "bias_aware", "manual"] = "bias_aware"
    weights: dict[str, float] = Field({})
    power: float = Field(2.0, gt=0, description="of inverse_error")
    gamma: float = Field(1.0, ge=0, description="how much bias counts against variance")
    bandwidth: float = Field(0.35, gt=0, description="of the kernel, in standard deviations of the fused value")


class BiasOptions(Section):
    """How the fused value is corrected."""

    method: Literal["none", "regression", "distribution", "zscore", "residual", "blend"] = "blend"
    blend: float = Field(0.5, ge=0, le=1, description="lambda: 0 regression on estimates, 1 distribution matching")


class UncertaintyOptions(Section):
    """Prediction intervals."""

    level: float = Field(0.9, gt=0, lt=1)
    method: Literal["cross_conformal", "none"] = "cross_conformal"
    scheme: Literal["random", "block", "knndm"] = "random"
    normalise: bool = True


class ApplicabilityOptions(Section):
    """Dissimilarity index, local point density, area of applicability."""

    enabled: bool = True
    weights: Literal["shap", "equal"] = "shap"
    scheme: Literal["random", "block", "knndm"] = "random"


class KrigingOptions(Section):
    """The geostatistical baseline."""

    enabled: bool = False
    covariates: tuple[str, ...] = Field((), description="drift of universal (regression) kriging")
    residual: bool = Field(False, description="add kriged residuals of the fused value to the map")


class MapOptions(Section):
    """The rasters that are written."""

    block_size: int = Field(512, ge=16)
    compression: Literal["zstd", "deflate"] = "zstd"
    dtype: Literal["float32", "int16"] = "float32"
    scale: float = Field(0.0001, gt=0, description="of int16")
    missing: Literal["leave_out", "route"] = Field(
        "leave_out",
        description="cells inside the mask that lack some covariates: no value, or predicted with missing values sent the way "
        "that each library sends them (counted, and never inside the area of applicability)",
    )
    time: str = Field("", description="of a study without slices; slices have their years")
    main_slice: str = Field("", description="the slice that stands for the map where one is shown; default: the last")
    workers: int = Field(2, ge=1)
    publish_as: str = Field(
        "",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_\-]{0,63})?$",
        description="name of the product, such as ALM_QTP: the fused raster also becomes map/ALM_QTP.tif (EPSG:4326 only)",
    )

    @field_validator("publish_as")
    @classmethod
    def own_name(cls, value: str) -> str:
        """The product must not take the name of another raster of the map."""
        if value.casefold() in RASTER_NAMES:
            raise ValueError(f"{value!r} is the name of another raster of the map; choose one such as ALM_QTP")
        return value


class StudyHead(Section):
    """Who the study is."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")
    title: str = ""
    description: str = ""
    citation: str = ""
    licence: str = ""
    seed: int = Field(42, ge=0)
    simulated: bool = False
    truth: str | None = Field(
        None, description="simulated studies only: the raster that the sites were drawn from, with {slice} where there are slices"
    )


class StudyOptions(Section):
    """All of study.toml."""

    study: StudyHead
    target: Target = Target()
    slices: tuple[SliceOptions, ...] = ()
    grid: GridOptions
    sites: SiteOptions | None = None
    days: DayOptions | None = Field(None, description="instead of sites: a state of every day, learned from a daily product")
    screening: ScreeningOptions = ScreeningOptions()
    covariates: tuple[CovariateOptions, ...] = ()
    derived: tuple[DerivedOptions, ...] = ()
    extraction: ExtractionOptions = ExtractionOptions()
    selection: SelectionOptions = SelectionOptions()
    learners: tuple[LearnerOptions, ...] = (
        LearnerOptions(name="random_forest"),
        LearnerOptions(name="extra_trees"),
        LearnerOptions(name="xgboost"),
        LearnerOptions(name="catboost"),
    )
    tuning: TuningOptions = TuningOptions()
    validation: ValidationOptions = ValidationOptions()
    comparison: ComparisonOptions = ComparisonOptions()
    fusion: FusionOptions = FusionOptions()
    bias: BiasOptions = BiasOptions()
    uncertainty: UncertaintyOptions = UncertaintyOptions()
    applicability: ApplicabilityOptions = ApplicabilityOptions()
    kriging: KrigingOptions = KrigingOptions()
    map: MapOptions = MapOptions()
    extent: ExtentOptions | None = None
    reference_maps: tuple[ReferenceMapOptions, ...] = ()

    @model_validator(mode="after")
    def something_to_learn(self) -> StudyOptions:
        """Sites or days, and something to learn from."""
        if (self.sites is None) == (self.days is None):
            found = "neither" if self.sites is None else "both"
            raise ValueError(f"{found} of [sites] and [days] given: a study learns from a table of sites, or from days")
        if not self.covariates and not (self.days and self.days.variables):
            raise ValueError("no [[covariates]] given: at least one raster is expected")
        if self.days and self.slices:
            raise ValueError("[days] and [[slices]] given: a study maps days or spans of years")
        if self.days and self.days.learner not in [learner.name for learner in self.learners]:
            raise ValueError(f"days.learner is {self.days.learner!r}, which is none of the [[learners]]")
        layers = {layer.name for layer in (*self.covariates, *self.derived)}
        wanted = [name for one in (self.days.features if self.days else ()) if one.of_layers for name in one.inputs]
        if strange := [name for name in wanted if name not in layers]:
            raise ValueError(f"days.features ask for {', '.join(strange)}, which are none of the [[covariates]] and [[derived]]")
        return self

    @model_validator(mode="after")
    def unique_names(self) -> StudyOptions:
        """Names of layers and learners are used as columns and bands, so they must differ."""
        for what, names in (
            ("covariates and derived layers", [layer.name for layer in (*self.covariates, *self.derived)]),
            ("learners", [learner.name for learner in self.learners]),
            ("reference_maps", [one.name for one in self.reference_maps]),
        ):
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"{what} share the name {', '.join(doubled)}: each needs a name of its own")
        return self

    @model_validator(mode="after")
    def slices_fit(self) -> StudyOptions:
        """Slices follow one another, and every layer says what it shows in each; all faults at once."""
        names = [one.name for one in self.slices]
        told = [slices_fault(self.slices)]
        told += [f"covariate {layer.name}: {text}" for layer in self.covariates if (text := layer_fault(layer, names))]
        told += section_faults(self, names)
        told = [text for text in told if text]
        if told:
            raise ValueError("; ".join(told))
        return self

    @property
    def main_slice(self) -> str:
        """Name of the slice that stands for the map where one is shown; empty in a study without slices."""
        return self.map.main_slice or (self.slices[-1].name if self.slices else "")

    @property
    def changing(self) -> tuple[str, ...]:
        """Names of the covariates with a raster or a band for each slice."""
        return tuple(layer.name for layer in self.covariates if changes(layer))
