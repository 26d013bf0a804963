"""The browser's copy of the fusion, assets/browser/fusion.js, is held to Python's function by function, in node or Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alm_core.learning.bias import fit_correction
from alm_core.learning.curves import Curve
from alm_core.learning.fusion import Fusion, fit_fusion
from alm_core.learning.metrics import bias_curves, frontier, regression_scores
from alm_core.scenarios.scenario import CORRECTIONS, default_scenario
from alm_core.scenarios.studio import PRESETS, histograms, studio, studio_data, studio_schemes

MODULE = Path(__file__).resolve().parents[2] / "assets" / "browser" / "fusion.js"
CHROMIUM = "/usr/bin/chromium"
NAMES = ("first", "second", "third")
METHODS = (*PRESETS, "manual")
STEPS_OF_DISPLAY = 254


@cache
def engine() -> str | None:
    """What can run a module here: node, Chromium, or nothing."""
    if shutil.which("node"):
        return "node"
    return "chromium" if Path(CHROMIUM).is_file() else None


pytestmark = pytest.mark.skipif(engine() is None, reason="neither node nor Chromium is installed to run fusion.js")


def javascript(body: str, **values: Any) -> Any:
    """What `body` returns, with `fusion` (the module) and the values in scope."""
    names = ", ".join(values)
    given = json.dumps(values)
    code = f"const {{{names}}} = {given};\n{body}"
    return _by_node(code) if engine() == "node" else _by_chromium(code)


def _by_node(code: str) -> Any:
    text = f"import * as fusion from {json.dumps(MODULE.as_uri())};\nconst answer = (() => {{{code}}})();\n"
    text += "process.stdout.write(JSON.stringify(answer));"
    done = subprocess.run(
        ["node", "--input-type=module", "-"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _by_chromium(code: str) -> Any:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        source = MODULE.read_text(encoding="utf-8")
        answer = page.evaluate(
            "async ([source, code]) => { const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));"
            "const fusion = await import(url); return JSON.stringify(new Function('fusion', code)(fusion)); }",
            [source, code],
        )
        browser.close()
    return json.loads(answer)


def pairs(count: int, *, seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Members [learner, site] that shrink towards the mean, and observations."""
    rng = np.random.default_rng(seed)
    y = 0.3 + 0.1 * rng.normal(size=count)
    members = np.stack([0.3 + part * (y - 0.3) + 0.05 * rng.normal(size=count) for part in (0.6, 0.7, 0.5)])
    return (np.round(members, 2), np.round(y, 2)) if ties else (members, y)


def wide(members: np.ndarray) -> np.ndarray:
    """New members [learner, place] that reach far outside of the fitted ones."""
    rng = np.random.default_rng(9)
    return rng.uniform(members.min() - 0.4, members.max() + 0.4, (len(members), 400))


def fitted(method: str, correction: str, *, blend: float = 0.5, bounds: tuple = (None, None), **kind: Any) -> tuple[Fusion, Any]:
    """A fusion and the members that it was fitted on."""
    members, y = pairs(**kind)
    fusion = fit_fusion(
        members,
        y,
        learners=NAMES,
        method=method,
        weights=[0.2, 0.0, 0.8],
        correction=correction,
        blend=blend,
        minimum=bounds[0],
        maximum=bounds[1],
    )
    return fusion, members


def test_fused_values_are_those_of_python():
    """Weights, correction, tails and bounds give the value of Fusion.predict, for every method and correction."""
    cases = [(method, correction) for method in METHODS for correction in (*CORRECTIONS, "isotonic")]
    made = [fitted(method, correction, bounds=(0.1, 0.55), count=120) for method, correction in cases]
    places = wide(made[0][1])
    found = javascript(
        "return plans.map((plan) => Array.from(fusion.predict(plan, members)));",
        plans=[plan.to_dict() for plan, _ in made],
        members=places.tolist(),
    )
    for case, (plan, _), values in zip(cases, made, found, strict=True):
        np.testing.assert_allclose(values, plan.predict(places).value, rtol=0, atol=1e-9, err_msg=str(case))


@pytest.mark.parametrize("kind", [{"count": 60}, {"count": 60, "ties": True}, {"count": 700}], ids=["plain", "ties", "many"])
def test_corrections_fitted_in_the_browser_are_those_of_python(kind):
    """Every correction fitted by fusion.js equals fit_correction: blends, ties, thinned knots, tail slopes."""
    members, y = pairs(**kind)
    value, far = members.mean(axis=0), np.linspace(-0.5, 1.5, 301)
    cases = [("blend", blend) for blend in (0.0, 0.25, 0.5, 1.0)] + [(name, 0.5) for name in CORRECTIONS if name != "blend"]
    found = javascript(
        "return cases.map(([m, b]) => { const c = fusion.fitCorrection(value, y, m, b);"
        "return far.map((v) => fusion.corrected(c, v)); });",
        cases=cases,
        value=value.tolist(),
        y=y.tolist(),
        far=far.tolist(),
    )
    for (method, blend), curve in zip(cases, found, strict=True):
        expected = fit_correction(value, y, method=method, blend=blend).apply(far)
        np.testing.assert_allclose(curve, expected, rtol=0, atol=1e-9, err_msg=f"{method} {blend}")


def test_a_constant_value_and_a_single_knot_are_handled_as_in_python():
    """A fused value without any spread gives flat curves, not a division by zero."""
    y = np.linspace(0.1, 0.5, 12)
    value = np.full(12, 0.3)
    found = javascript(
        "return ['regression', 'zscore', 'distribution'].map((m) => "
        "fusion.corrected(fusion.fitCorrection(value, y, m, 0.5), 0.4));",
        value=value.tolist(),
        y=y.tolist(),
    )
    expected = [float(fit_correction(value, y, method=name).apply(0.4)) for name in ("regression", "zscore", "distribution")]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_a_curve_is_held_or_goes_straight_on_outside_its_knots():
    """Tail slopes act outside the knots only."""
    curve = Curve(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 3.0]), 0.5, 2.0)
    x = [-2.0, 0.0, 0.25, 1.0, 2.9, 3.0, 5.0]
    found = javascript("return x.map((v) => fusion.onCurve(curve, v));", curve=curve.to_dict(), x=x)
    assert found == pytest.approx(curve(np.array(x)).tolist(), abs=1e-12)


def test_scores_curves_and_histograms_are_those_of_python():
    """R2, errors, spread ratio, both smoothed curves with their standard errors, frontier and bins."""
    members, y = pairs(150)
    f, edges = members.mean(axis=0), np.linspace(0.1, 0.5, 9)
    found = javascript(
        "return {scores: fusion.scores(y, f), curves: fusion.biasCurves(y, f), bins: fusion.histogram(f, edges),"
        "line: [0.4, 0.8, 1].map((s) => fusion.frontier(0.8, s))};",
        y=y.tolist(),
        f=f.tolist(),
        edges=edges.tolist(),
    )
    expected = regression_scores(y, f)
    assert found["scores"] == pytest.approx({name: expected[name] for name in found["scores"]}, abs=1e-9)
    curves = bias_curves(y, f).to_dict()
    for name, parts in found["curves"].items():
        for part, values in parts.items():
            np.testing.assert_allclose(values, curves[name][part], rtol=0, atol=1e-9, err_msg=f"{name} {part}")
    np.testing.assert_allclose(found["bins"], histograms(edges, f, f, None).observed, atol=1e-12)
    np.testing.assert_allclose(found["line"], frontier(0.8, np.array([0.4, 0.8, 1.0])), atol=1e-12)


LIVE = """
return schemes.flatMap((data) => cases.map(({method, weights, correction, blend}) => {
  const preset = data.presets[method];
  const weightingOf = (fold) => (preset ? preset.folds[fold] : fusion.manualWeighting(weights));
  const { value, uncorrected } = fusion.crossFit(data.pairs, weightingOf, correction, blend, data.bounds);
  const final = preset ? preset.final : fusion.manualWeighting(weights);
  const mixed = fusion.mix(final, data.inner.members);
  const curve = fusion.fitCorrection(Array.from(mixed), data.inner.observed, correction, blend);
  const map = Array.from(fusion.predict({weighting: final, correction: curve, bounds: data.bounds}, data.cells));
  return {value: Array.from(value), uncorrected: Array.from(uncorrected), scores: fusion.scores(data.pairs.observed, value),
    correlation: fusion.correlation(uncorrected, data.pairs.observed), map: fusion.histogram(map, data.edges)};
}));
"""


def test_live_scores_are_those_of_the_studio(dashboard_run):
    """Cross-fitted in the browser or in Python: the same values, scores and histograms, for each scheme."""
    weights = {"forest": 0.3, "boosted": 0.9}
    cases = [
        {"method": "bias_aware", "correction": "blend", "blend": 0.5},
        {"method": "least_squares", "correction": "distribution", "blend": 0.5},
        {"method": "manual", "weights": list(weights.values()), "correction": "blend", "blend": 0.2},
        {"method": "equal", "correction": "zscore", "blend": 0.5},
    ]
    schemes = studio_schemes(dashboard_run)
    data = [studio_data(dashboard_run, scheme) for scheme in schemes]
    answers = iter(javascript(LIVE, schemes=data, cases=cases))
    own = default_scenario(dashboard_run)
    for scheme in schemes:
        for case in cases:
            given = weights if case["method"] == "manual" else {}
            expected = studio(dashboard_run, replace(own, **{**case, "name": "live", "weights": given}), scheme=scheme)
            found = next(answers)
            np.testing.assert_allclose(found["value"], expected.value, rtol=0, atol=1e-9)
            np.testing.assert_allclose(found["uncorrected"], expected.uncorrected, rtol=0, atol=1e-9)
            assert found["scores"] == pytest.approx({name: expected.scores[name] for name in found["scores"]}, abs=1e-6)
            assert found["correlation"] == pytest.approx(expected.correlation, abs=1e-6)
            # Members of the map travel rounded: a cell at the edge of a bin may fall to the other side.
            np.testing.assert_allclose(found["map"], expected.histograms.cells, atol=2 / len(data[0]["cells"][0]))


TILES = """
return plans.map((made) => {
  const plan = fusion.tilePlan(made.weighting, {low, high, step, levels});
  const pixels = codes.length / made.learners.length;
  const clean = fusion.cleanTile(Uint16Array.from(codes), made.learners.length);
  const values = fusion.fuseTile(clean, plan, new Float32Array(pixels));
  const palette = fusion.levelPalette(plan, made.correction, made.bounds, {low: 0.1, high: 0.5, colours});
  const painted = new Uint32Array(pixels);
  fusion.paintTile(values, palette, painted);
  return {reds: Array.from(painted, (v) => v & 255), alphas: Array.from(painted, (v) => v >>> 24)};
});
"""


def test_tiles_are_painted_within_one_step_of_python():
    """Codes of a member tile become colours that are at most one step of the display from Fusion.predict; no data stays clear."""
    cases = [(method, correction) for method in METHODS for correction in ("none", "blend", "distribution", "zscore")]
    plans = [fitted(*case, bounds=(0.0, 0.6), count=342, seed=4)[0] for case in cases]
    rng = np.random.default_rng(1)
    low, high, levels = 0.05, 0.55, 4095
    step = (high - low) / (levels - 1)
    codes = rng.integers(1, levels + 1, (3, 5000))
    codes[rng.integers(0, 3, 100), rng.integers(0, 5000, 100)] = 0
    found = javascript(
        TILES,
        plans=[plan.to_dict() for plan in plans],
        codes=codes.ravel().tolist(),
        low=low,
        high=high,
        step=step,
        levels=levels,
        colours=[[level, 0, 0] for level in range(256)],
    )
    here = (codes > 0).all(axis=0)
    members = low + (codes - 1) * step
    for case, plan, tile in zip(cases, plans, found, strict=True):
        assert np.array_equal(np.array(tile["alphas"]) == 255, here), case
        expected = np.clip(1 + (plan.predict(members).value - 0.1) / 0.4 * STEPS_OF_DISPLAY, 1, 255)
        assert np.abs(np.array(tile["reds"]) - expected)[here].max() <= 1, case


def test_simplest_weights_by_hand():
    """Sliders all at zero never divide by zero; all weight on one learner gives that learner."""
    members, _ = pairs(30)
    found = javascript(
        "return [fusion.manualWeighting([0, 0, 0, 0]).weights,"
        "Array.from(fusion.mix(fusion.manualWeighting([0, 3, 0]), members))];",
        members=members.tolist(),
    )
    assert found[0] == [[0.25]] * 4
    np.testing.assert_allclose(found[1], members[1], atol=1e-12)
