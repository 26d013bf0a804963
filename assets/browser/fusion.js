// Fusion, bias correction and scores as alm_core computes them; no page, no map, no fetching.
// The truth is Fusion.predict of Python: tests hold every function here to it. Arrays of members are [learner][place].

const MAXIMUM_KNOTS = 512;
const TAIL_PART = 0.1;
const LEVELS = 16384; // of a fused value between tile and palette

// ---- small tools -----------------------------------------------------------------------------------------------------

const sum = (values) => values.reduce((total, value) => total + value, 0);
export const mean = (values) => sum(values) / values.length;

// As Python and NumPy round: halves go to the even neighbour.
function roundHalfEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

// Place of the last knot at or left of value; knots increase.
function knotBefore(value, knots) {
  let low = 0;
  let high = knots.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}

// Linear between knots, held at the ends (numpy.interp).
export function interpolate(value, x, y) {
  const last = x.length - 1;
  if (Number.isNaN(value)) return NaN;
  if (value <= x[0]) return y[0];
  if (value >= x[last]) return y[last];
  const place = knotBefore(value, x);
  return y[place] + ((y[place + 1] - y[place]) / (x[place + 1] - x[place])) * (value - x[place]);
}

// ---- correction ------------------------------------------------------------------------------------------------------

// A curve {x, y, left_slope, right_slope}: linear between knots, straight on outside.
export function onCurve(curve, value) {
  const { x, y } = curve;
  let result = interpolate(value, x, y);
  if (curve.left_slope !== 0) result += curve.left_slope * Math.min(value - x[0], 0);
  if (curve.right_slope !== 0) result += curve.right_slope * Math.max(value - x[x.length - 1], 0);
  return result;
}

export function corrected(correction, value) {
  return correction.curve === null ? value : onCurve(correction.curve, value);
}

function moments(value, y) {
  const centre = mean(value);
  const level = mean(y);
  let squares = 0;
  let products = 0;
  let ySquares = 0;
  for (let i = 0; i < value.length; i++) {
    squares += (value[i] - centre) ** 2;
    products += (value[i] - centre) * (y[i] - level);
    ySquares += (y[i] - level) ** 2;
  }
  return { centre, level, squares, products, ySquares };
}

// The line through (mean of value, level), with knots at the ends of the data.
function line(value, centre, level, slope) {
  const low = value.reduce((a, b) => Math.min(a, b));
  const high = value.reduce((a, b) => Math.max(a, b));
  const x = low < high ? [low, high] : [low];
  return { x, y: x.map((knot) => level + slope * (knot - centre)), left_slope: slope, right_slope: slope };
}

function regressionCurve(value, y) {
  const { centre, level, squares, products } = moments(value, y);
  return line(value, centre, level, squares > 0 ? Math.max(products / squares, 0) : 0);
}

function zscoreCurve(value, y) {
  const { centre, level, squares, ySquares } = moments(value, y);
  return line(value, centre, level, squares > 0 ? Math.sqrt(ySquares) / Math.sqrt(squares) : 0);
}

function tailSlope(x, y) {
  const { squares, products } = moments(x, y);
  return squares > 0 ? Math.max(products / squares, 0) : 0;
}

// Matching of the empirical distributions through order statistics; equal values share the mean of theirs.
function distributionCurve(value, y) {
  const sorted = Float64Array.from(value).sort();
  const matched = Float64Array.from(y).sort();
  let x = [];
  let knots = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    let total = 0;
    while (end < sorted.length && sorted[end] === sorted[start]) total += matched[end++];
    x.push(sorted[start]);
    knots.push(total / (end - start));
    start = end;
  }
  if (x.length > MAXIMUM_KNOTS) {
    const step = (x.length - 1) / (MAXIMUM_KNOTS - 1);
    const even = Array.from({ length: MAXIMUM_KNOTS }, (_, i) => roundHalfEven(i * step));
    even[MAXIMUM_KNOTS - 1] = x.length - 1;
    const pick = [...new Set(even)];
    x = pick.map((i) => x[i]);
    knots = pick.map((i) => knots[i]);
  }
  const tail = Math.max(3, roundHalfEven(TAIL_PART * x.length));
  return {
    x,
    y: knots,
    left_slope: tailSlope(x.slice(0, tail), knots.slice(0, tail)),
    right_slope: tailSlope(x.slice(-tail), knots.slice(-tail)),
  };
}

// (1 - share) * first + share * second, exactly: both are straight between the knots of either.
function blendCurves(first, second, share) {
  const x = [...new Set([...first.x, ...second.x])].sort((a, b) => a - b);
  return {
    x,
    y: x.map((knot) => (1 - share) * onCurve(first, knot) + share * onCurve(second, knot)),
    left_slope: (1 - share) * first.left_slope + share * second.left_slope,
    right_slope: (1 - share) * first.right_slope + share * second.right_slope,
  };
}

// Fit a correction on out-of-fold pairs: none, regression, distribution, zscore or blend.
export function fitCorrection(value, y, method, blend) {
  const makers = { none: () => null, regression: regressionCurve, distribution: distributionCurve, zscore: zscoreCurve };
  if (method === "blend") {
    return { method, blend, curve: blendCurves(regressionCurve(value, y), distributionCurve(value, y), blend) };
  }
  return { method, blend: null, curve: makers[method](value, y) };
}

// ---- weighting -------------------------------------------------------------------------------------------------------

// Weights by hand, scaled to sum to one; all zero means equal.
export function manualWeighting(weights) {
  const total = sum(weights);
  const shares = weights.map((weight) => (total > 0 ? weight / total : 1 / weights.length));
  return { method: "manual", steps: 0, grid: [0], weights: shares.map((share) => [share]), biases: shares.map(() => [0]) };
}

export const isConstant = (weighting) => weighting.grid.length === 1;

// Weigh the members: u_k = f_k - bias_k(f_k); start from their plain mean; `steps` times v = sum of weights_k(v) u_k.
export function mix(weighting, members) {
  const count = members.length;
  const places = members[0].length;
  const value = new Float64Array(places);
  const unbiased = new Float64Array(count);
  const { grid, weights, biases } = weighting;
  for (let place = 0; place < places; place++) {
    let v = 0;
    if (isConstant(weighting)) {
      for (let k = 0; k < count; k++) v += weights[k][0] * members[k][place];
    } else {
      for (let k = 0; k < count; k++) {
        unbiased[k] = members[k][place] - interpolate(members[k][place], grid, biases[k]);
        v += unbiased[k];
      }
      v /= count;
      for (let step = 0; step < weighting.steps; step++) {
        let next = 0;
        for (let k = 0; k < count; k++) next += interpolate(v, grid, weights[k]) * unbiased[k];
        v = next;
      }
    }
    value[place] = v;
  }
  return value;
}

export function cut(value, [minimum, maximum]) {
  if (minimum !== null && value < minimum) return minimum;
  if (maximum !== null && value > maximum) return maximum;
  return value;
}

// The fused value of Fusion.predict, from Fusion.to_dict.
export function predict(fusion, members) {
  return mix(fusion.weighting, members).map((value) => cut(corrected(fusion.correction, value), fusion.bounds));
}

// ---- scores ----------------------------------------------------------------------------------------------------------

const pick = (values, rows) => rows.map((row) => values[row]);

// Fused values with and without correction, each by a weighting (`weightingOf(fold)`) and a correction that never saw the fold.
export function crossFit(pairs, weightingOf, method, blend, bounds) {
  const { observed, members, folds } = pairs;
  const value = new Float64Array(observed.length);
  const uncorrected = new Float64Array(observed.length);
  const rows = observed.map((_, row) => row);
  for (let fold = 0; fold <= Math.max(...folds); fold++) {
    const mixed = mix(weightingOf(fold), members);
    const outside = rows.filter((row) => folds[row] !== fold);
    const correction = fitCorrection(pick(mixed, outside), pick(observed, outside), method, blend);
    for (const row of rows) {
      if (folds[row] !== fold) continue;
      uncorrected[row] = mixed[row];
      value[row] = cut(corrected(correction, mixed[row]), bounds);
    }
  }
  return { value, uncorrected };
}

export function correlation(a, b) {
  const { squares, products, ySquares } = moments(a, b);
  return products / Math.sqrt(squares * ySquares);
}

// R2 is 1 - SSE/SST; errors are predicted less observed.
export function scores(observed, predicted) {
  const { centre, level, squares, ySquares } = moments(predicted, observed);
  let sse = 0;
  let absolute = 0;
  for (let i = 0; i < observed.length; i++) {
    sse += (predicted[i] - observed[i]) ** 2;
    absolute += Math.abs(predicted[i] - observed[i]);
  }
  const count = observed.length;
  return {
    r2: 1 - sse / ySquares,
    rmse: Math.sqrt(sse / count),
    mae: absolute / count,
    mean_error: centre - level,
    sd_ratio: Math.sqrt(squares / ySquares),
    r: correlation(predicted, observed),
  };
}

// How much less squared error the second of two predictions makes: mean over folds and its standard error.
export function pairedGain({ observed, folds }, first, second) {
  const count = Math.max(...folds) + 1;
  const gains = Array.from({ length: count }, () => []);
  observed.forEach((y, row) => gains[folds[row]].push((first[row] - y) ** 2 - (second[row] - y) ** 2));
  const perFold = gains.map(mean);
  const centre = mean(perFold);
  const variance = sum(perFold.map((gain) => (gain - centre) ** 2)) / (count - 1);
  return { mean: centre, standard_error: Math.sqrt(variance / count), folds: count };
}

// Best R2 of a straight correction that stretches an unbiased value of correlation r to a spread ratio.
export const frontier = (r, ratio) => 2 * r * ratio - ratio * ratio;

function quantile(sorted, part) {
  const place = part * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

// Local-linear smooth of y against x with a Gaussian kernel, and its standard error.
export function smoothLine(x, y, grid, bandwidth) {
  const shares = grid.map((centre) => localShares(x, centre, bandwidth));
  const smooth = shares.map(({ share }) => y.reduce((total, value, i) => total + share[i] * value, 0));
  const squares = y.map((value, i) => (value - (grid.length > 1 ? interpolate(x[i], grid, smooth) : smooth[0])) ** 2);
  const error = shares.map(({ share, kernel }) => {
    let weight = 0;
    let variance = 0;
    let factor = 0;
    for (let i = 0; i < x.length; i++) {
      weight += kernel[i];
      variance += kernel[i] * squares[i];
      factor += share[i] * share[i];
    }
    return Math.sqrt((variance / weight) * factor);
  });
  return { grid, mean: smooth, standard_error: error };
}

function localShares(x, centre, bandwidth) {
  const count = x.length;
  const kernel = new Float64Array(count);
  let least = Infinity;
  for (let i = 0; i < count; i++) {
    kernel[i] = 0.5 * ((centre - x[i]) / bandwidth) ** 2;
    if (kernel[i] < least) least = kernel[i];
  }
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < count; i++) {
    kernel[i] = Math.exp(least - kernel[i]);
    const offset = x[i] - centre;
    s0 += kernel[i];
    s1 += kernel[i] * offset;
    s2 += kernel[i] * offset * offset;
  }
  s2 += 0.01 * bandwidth * bandwidth * s0;
  const share = new Float64Array(count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    share[i] = kernel[i] * (s2 - (x[i] - centre) * s1);
    total += share[i];
  }
  for (let i = 0; i < count; i++) share[i] /= total;
  return { kernel, share };
}

function smoothed(x, error, bandwidth, points) {
  const sorted = Float64Array.from(x).sort();
  let low = quantile(sorted, 0.01);
  let high = quantile(sorted, 0.99);
  if (low === high) [low, high] = [sorted[0], sorted[sorted.length - 1]];
  const grid = Array.from({ length: points }, (_, i) => low + ((high - low) * i) / (points - 1));
  const centre = mean(x);
  const deviation = Math.sqrt(mean(x.map((value) => (value - centre) ** 2)));
  return smoothLine(x, error, grid, bandwidth * deviation);
}

// Both faces of bias: error against observed, and observed less predicted against predicted.
export function biasCurves(observed, predicted, { bandwidth = 0.35, points = 50 } = {}) {
  const y = Array.from(observed);
  const f = Array.from(predicted);
  return {
    against_observed: smoothed(y, y.map((value, i) => f[i] - value), bandwidth, points),
    against_predicted: smoothed(f, f.map((value, i) => y[i] - value), bandwidth, points),
  };
}

// Parts of one in bins of even width; values outside count in the outermost bins.
export function histogram(values, edges) {
  const bins = edges.length - 1;
  const width = (edges[bins] - edges[0]) / bins;
  const parts = new Array(bins).fill(0);
  for (const value of values) {
    let bin = Math.min(Math.max(Math.floor((value - edges[0]) / width), 0), bins - 1);
    if (value < edges[bin] && bin > 0) bin--; // the edges, not their rounded width, decide
    else if (bin < bins - 1 && value >= edges[bin + 1]) bin++;
    parts[bin] += 1 / values.length;
  }
  return parts;
}

// ---- tiles -----------------------------------------------------------------------------------------------------------
// A member tile holds codes from 1 to levels; value = low + (code - 1) * step; 0 is no data. Fusing gives each pixel its value before correction (NaN: no data).
// Correction, bounds and colours are then looked up by LEVELS even levels between plan.low and plan.high; a level in which the
// corrected value climbs by more than half a step of the display is marked steep, and its pixels are computed one by one.

const STEEP = 1; // no colour of a palette: it would be all but clear

export function tilePlan(weighting, { low, high, step, levels }) {
  if (isConstant(weighting)) {
    const shares = Float64Array.from(weighting.weights, (row) => row[0] * step);
    return { constant: true, low, high, shares, offset: low - sum(shares) };
  }
  const grid = weighting.grid;
  const size = grid.length;
  const unbiased = weighting.biases.map((table) =>
    Float32Array.from({ length: levels + 1 }, (_, code) => {
      const value = low + (code - 1) * step;
      return value - interpolate(value, grid, table);
    }),
  );
  const all = unbiased.map((table) => table.subarray(1));
  return {
    constant: false,
    low: Math.min(...all.map((table) => table.reduce((a, b) => Math.min(a, b)))),
    high: Math.max(...all.map((table) => table.reduce((a, b) => Math.max(a, b)))),
    unbiased,
    weights: Float64Array.from(weighting.weights.flat()),
    climbs: Float64Array.from(weighting.weights.flatMap((row) => row.map((weight, i) => (row[i + 1] ?? weight) - weight))),
    first: grid[0],
    perUnit: (size - 1) / (grid[size - 1] - grid[0]),
    size,
    steps: weighting.steps,
  };
}

// A pixel that lacks one member lacks all: done once, when a tile arrives. Codes are [learner, pixel] in one Uint16Array.
export function cleanTile(codes, count) {
  const pixels = codes.length / count;
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let at = pixel; at < codes.length; at += pixels) if (codes[at] === 0) codes[pixel] = 0;
  }
  return codes;
}

// Fused values of one clean tile before correction, into a Float32Array of pixels.
export function fuseTile(codes, plan, out) {
  if (plan.constant) fuseConstant(codes, plan, out);
  else fuseByValue(codes, plan, out);
  for (let pixel = 0; pixel < out.length; pixel++) if (codes[pixel] === 0) out[pixel] = NaN;
  return out;
}

// Four members at a time: a loop without an inner loop is several times faster, and this one runs while a slider moves.
function fuseConstant(codes, { shares, offset }, out) {
  const plane = (k) => codes.subarray(k * out.length, (k + 1) * out.length);
  out.fill(offset);
  for (let k = 0; k < shares.length; k += 4) {
    const here = [k, k + 1, k + 2, k + 3].map((at) => (at < shares.length ? [shares[at], plane(at)] : [0, plane(0)]));
    addFour(out, ...here.flat());
  }
}

function addFour(out, shareA, a, shareB, b, shareC, c, shareD, d) {
  for (let i = 0; i < out.length; i++) out[i] += shareA * a[i] + shareB * b[i] + shareC * c[i] + shareD * d[i];
}

function fuseByValue(codes, { unbiased, weights, climbs, first, perUnit, size, steps }, out) {
  const pixels = out.length;
  const count = unbiased.length;
  const u = new Float64Array(count);
  for (let pixel = 0; pixel < pixels; pixel++) {
    if (codes[pixel] === 0) continue;
    let value = 0;
    for (let k = 0, at = pixel; k < count; k++, at += pixels) value += u[k] = unbiased[k][codes[at]];
    value /= count;
    for (let step = 0; step < steps; step++) {
      const place = Math.min(Math.max((value - first) * perUnit, 0), size - 1);
      const left = Math.min(place | 0, size - 2);
      const right = place - left;
      let next = 0;
      for (let k = 0, at = left; k < count; k++, at += size) next += (weights[at] + right * climbs[at]) * u[k];
      value = next;
    }
    out[pixel] = value;
  }
}

// Place of a value among 256 colours, as on the tiles of the server: colour 1 at low and below, 255 at high and above.
function colourPlace(value, { low, high }) {
  return Math.min(Math.max(1 + ((value - low) / (high - low)) * 254, 1), 255);
}

// What paints fused values: display is {low, high, colours: 256 * [red, green, blue]}.
export function levelPalette(plan, correction, bounds, display) {
  const pixels = Uint32Array.from(display.colours, ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0);
  const place = (value) => colourPlace(cut(corrected(correction, value), bounds), display);
  const colourOf = (value) => pixels[Math.round(place(value))];
  const height = plan.high > plan.low ? (plan.high - plan.low) / (LEVELS - 2) : 1;
  const colours = new Uint32Array(LEVELS); // level 0 stays clear: no data
  let below = place(plan.low - height / 2);
  for (let level = 1; level < LEVELS; level++) {
    const above = place(plan.low + (level - 0.5) * height);
    colours[level] = Math.abs(above - below) > 0.5 ? STEEP : pixels[Math.round((above + below) / 2)];
    below = above;
  }
  return { colours, colourOf, low: plan.low, perUnit: 1 / height };
}

// Pixels of canvas memory (little-endian RGBA) from fused values.
export function paintTile(values, palette, pixels) {
  const { colours, colourOf, low, perUnit } = palette;
  for (let pixel = 0; pixel < values.length; pixel++) {
    const value = values[pixel];
    const colour = colours[((value - low) * perUnit + 1.5) | 0]; // NaN is level 0
    pixels[pixel] = colour === STEEP ? colourOf(value) : colour;
  }
}
