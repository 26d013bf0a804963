// The four small charts of the fusion page, drawn as SVG text: two bias curves, the frontier, the histogram.

const MARGIN = { left: 50, right: 12, top: 8, bottom: 38 };
const HEIGHT = 220;
const BAND = 2; // standard errors on either side of a curve

export const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[sign]);

// Even steps of 1, 2 or 5 times a power of ten that fill a range.
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + 1e-9 * step; number++) {
    found.push({ value: number * step, text: (number * step).toFixed(places).replace(/^-(0\.?0*)$/, "$1") });
  }
  return found;
}

// A frame with axes; gives the scales to draw in it.
function frame({ width, x, y, xTitle, yTitle }) {
  const right = width - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const atX = (value) => MARGIN.left + ((value - x[0]) / (x[1] - x[0])) * (right - MARGIN.left);
  const atY = (value) => bottom - ((value - y[0]) / (y[1] - y[0])) * (bottom - MARGIN.top);
  const vertical = ticks(...y, 4).map(
    ({ value, text }) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${atY(value)}" y2="${atY(value)}"/>` +
      `<text class="tick" x="${MARGIN.left - 6}" y="${atY(value) + 4}" text-anchor="end">${text}</text>`,
  );
  const horizontal = ticks(...x, width < 300 ? 3 : 5).map(
    ({ value, text }) => `<text class="tick" x="${atX(value)}" y="${bottom + 15}" text-anchor="middle">${text}</text>`,
  );
  const titles =
    `<text class="title" x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escaped(xTitle)}</text>` +
    `<text class="title" transform="translate(11 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(yTitle)}</text>`;
  const axes = `${vertical.join("")}<line class="axis" x1="${MARGIN.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`;
  const wrap = (inside) =>
    `<svg width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img">${axes}${horizontal.join("")}${titles}` +
    `<svg x="0" y="0" width="${width}" height="${bottom}">${inside}</svg></svg>`;
  return { atX, atY, wrap };
}

const round = (value) => Math.round(value * 10) / 10;

function path(xs, ys, { atX, atY }) {
  return xs.map((x, i) => `${i ? "L" : "M"}${round(atX(x))} ${round(atY(ys[i]))}`).join("");
}

// One bias curve with its band; `own` is the same curve of the study, dashed.
export function biasChart({ width, curve, own, limit, xTitle, yTitle, colour }) {
  const ends = [Math.min(curve.grid[0], own.grid[0]), Math.max(curve.grid.at(-1), own.grid.at(-1))];
  const scales = frame({ width, x: ends, y: [-limit, limit], xTitle, yTitle });
  const upper = curve.mean.map((value, i) => value + BAND * curve.standard_error[i]);
  const lower = curve.mean.map((value, i) => value - BAND * curve.standard_error[i]);
  const band = `${path(curve.grid, upper, scales)}${path([...curve.grid].reverse(), [...lower].reverse(), scales).replace("M", "L")}Z`;
  return scales.wrap(
    `<path class="band" d="${band}" style="fill:${colour}"/>` +
      `<line class="zero" x1="${scales.atX(ends[0])}" x2="${scales.atX(ends[1])}" y1="${scales.atY(0)}" y2="${scales.atY(0)}"/>` +
      `<path class="own" d="${path(own.grid, own.mean, scales)}"/>` +
      `<path class="line" d="${path(curve.grid, curve.mean, scales)}" style="stroke:${colour}"/>`,
  );
}

// Largest size of a bias curve with its band, for an axis that both charts share.
export function biasLimit(curves) {
  const sizes = curves.flatMap((curve) => curve.mean.map((value, i) => Math.abs(value) + BAND * curve.standard_error[i]));
  const largest = Math.max(...sizes, 1e-12);
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].map((factor) => factor * power).find((size) => size >= largest);
}

export function frontierChart({ width, ratios, best, here, own, words, xTitle, yTitle, colour }) {
  const all = [...best, here.r2, own.r2];
  const x = [Math.min(ratios[0], here.sd_ratio), Math.max(ratios.at(-1), here.sd_ratio)];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const space = 0.12 * (high - low);
  const scales = frame({ width, x, y: [low - space, high + space], xTitle, yTitle });
  const at = ({ sd_ratio, r2 }) => [round(scales.atX(sd_ratio)), round(scales.atY(r2))];
  const [hereX, hereY] = at(here);
  const [ownX, ownY] = at(own);
  const full = round(scales.atX(1));
  const leftward = hereX > width * 0.6;
  return scales.wrap(
    `<line class="zero" x1="${full}" x2="${full}" y1="0" y2="${HEIGHT}"/>` +
      `<path class="line" d="${path(ratios, best, scales)}" style="stroke:#8a979f"/>` +
      `<circle cx="${ownX}" cy="${ownY}" r="5" class="ghost"/>` +
      `<circle cx="${hereX}" cy="${hereY}" r="6" style="fill:${colour}" class="here"/>` +
      `<text class="note" x="${hereX + (leftward ? -10 : 10)}" y="${hereY + 18}" text-anchor="${leftward ? "end" : "start"}">` +
      `${escaped(words.here)}</text>`,
  );
}

// Steps of parts of one per bin.
function steps(edges, parts, scales) {
  const points = parts.flatMap((part, i) => [`${round(scales.atX(edges[i]))} ${round(scales.atY(part))}`, `${round(scales.atX(edges[i + 1]))} ${round(scales.atY(part))}`]);
  const ends = [edges[0], edges.at(-1)].map((edge) => `${round(scales.atX(edge))} ${round(scales.atY(0))}`);
  return `M${ends[0]}L${points.join("L")}L${ends[1]}`;
}

export function histogramChart({ width, edges, series, highest, xTitle, yTitle }) {
  const scales = frame({ width, x: [edges[0], edges.at(-1)], y: [0, highest], xTitle, yTitle });
  const drawn = series.map(({ parts, colour, filled }) => {
    const style = filled ? `fill:${colour};fill-opacity:.25;stroke:none` : `fill:none;stroke:${colour}`;
    return `<path class="line" d="${steps(edges, parts.map((part) => 100 * part), scales)}" style="${style}"/>`;
  });
  return scales.wrap(drawn.join(""));
}
