// Component of the fusion page: sliders and scores on the left, the map fused in this browser on the right, charts below.
// While a slider moves everything is redrawn here; Python hears of it when the slider is let go.

const components = new WeakMap();
const scripts = new Map();
const COLOURS = { now: "#1f6f8b", predicted: "#c0561b", sites: "#4d4d4d", map: "#1f6f8b", fitted: "#e69f00" };
const LAKES = { color: "#3b78b5", weight: 0.7, fillColor: "#a9cdea", fillOpacity: 0.85, interactive: false };
const RIVERS = { color: "#5b97cf", weight: 1, opacity: 0.85, fill: false, interactive: false };
const SCORES = ["r2", "rmse", "mae", "sd_ratio", "mean_error", "r"];
const LARGER_IS_BETTER = { r2: true, rmse: false, mae: false };
const LATER_MS = 120; // two choices within this time are one for Python

export default function (component) {
  const box = component.parentElement.querySelector(".alm-fusion");
  const known = components.get(box);
  if (known) {
    known.then((studio) => studio.update(component));
  } else {
    components.set(box, start(box, component));
  }
  return () => setTimeout(() => {
    if (!box.isConnected) components.get(box)?.then((studio) => studio.map.remove());
  }, 0);
}

async function start(box, component) {
  const { urls } = component.data;
  try {
    const [fusion, charts] = await Promise.all([urls.fusion, urls.charts].map((url) => import(new URL(url, document.baseURI).href)));
    await loadScript(urls.leaflet, urls.leaflet_style);
    return new Studio(box, component, fusion, charts);
  } catch (fault) {
    box.textContent = `${component.data.words.failed} (${fault.message})`;
    throw fault;
  }
}

// Leaflet is a plain script: once per window, its style too.
function loadScript(url, style) {
  if (window.L?.GridLayer) return Promise.resolve();
  if (!scripts.has(url)) {
    scripts.set(url, new Promise((done, failed) => {
      const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: style });
      const script = Object.assign(document.createElement("script"), { src: url, onload: done, onerror: () => failed(new Error(url)) });
      document.head.append(sheet, script);
    }));
  }
  return scripts.get(url);
}

class Studio {
  constructor(box, component, fusion, charts) {
    Object.assign(this, { box, component, fusion, charts, tiles: new Map(), asked: null, later: null, limit: 0, highest: 0 });
    this.take(component.data);
    box.innerHTML = this.skeleton();
    this.part = (name) => box.querySelector(`.${name}`);
    this.listen();
    this.drawMap();
    new ResizeObserver(() => this.ask()).observe(this.part("charts"));
    this.showChoice();
  }

  // New data from Python: a new scheme changes the scores; a new revision also the choice.
  update(component) {
    this.component = component;
    const { data } = component;
    if (data.revision === this.data.revision && data.studio.scheme === this.data.studio.scheme) return;
    this.take({ ...data, choice: data.revision === this.data.revision ? this.choice : data.choice });
    this.showChoice();
    this.ask();
  }

  take(data) {
    this.data = data;
    this.choice = { ...data.choice, weights: [...data.choice.weights] };
    const own = data.studio.own;
    const weights = data.studio.learners.map((name) => own.weights[name] ?? 0);
    this.ownChoice = { method: own.method, weights, correction: own.correction, blend: own.blend };
    this.own = this.judge(this.ownChoice);
    this.limit = 0;
    this.highest = 0;
  }

  // ---- what a choice means -------------------------------------------------------------------------------------------

  weightings({ method, weights }) {
    const preset = this.data.studio.presets[method];
    if (preset) return { final: preset.final, of: (fold) => preset.folds[fold], mean: preset.mean };
    const final = this.fusion.manualWeighting(weights);
    return { final, of: () => final, mean: final.weights.map((row) => row[0]) };
  }

  // The fusion of the map: the correction is fitted on the pairs that the study fitted its own on.
  fit(choice) {
    const { inner, bounds } = this.data.studio;
    const weighting = this.weightings(choice).final;
    const mixed = Array.from(this.fusion.mix(weighting, inner.members));
    return { weighting, correction: this.fusion.fitCorrection(mixed, inner.observed, choice.correction, choice.blend), bounds };
  }

  // Cross-fitted values, scores, curves and histograms of a choice.
  judge(choice, made = this.fit(choice)) {
    const { fusion } = this;
    const { pairs, bounds, cells, edges } = this.data.studio;
    const { value, uncorrected } = fusion.crossFit(pairs, this.weightings(choice).of, choice.correction, choice.blend, bounds);
    const curves = fusion.biasCurves(pairs.observed, value);
    return {
      value,
      scores: fusion.scores(pairs.observed, value),
      correlation: fusion.correlation(uncorrected, pairs.observed),
      curves: [curves.against_observed, curves.against_predicted],
      fitted: fusion.histogram(value, edges),
      map: cells && fusion.histogram(fusion.predict(made, cells), edges),
    };
  }

  same(a, b) {
    const shares = (choice) => this.weightings(choice).mean;
    return a.method === b.method && a.correction === b.correction && (a.correction !== "blend" || a.blend === b.blend)
      && (a.method !== "manual" || shares(a).every((share, k) => Math.abs(share - shares(b)[k]) < 1e-9));
  }

  // ---- controls ------------------------------------------------------------------------------------------------------

  skeleton() {
    const { words, labels, studio } = this.data;
    const text = this.charts.escaped;
    const button = (name) => `<button type="button" data-preset="${name}">${text(labels.presets[name])}</button>`;
    const slider = (label, k, colour) =>
      `<label class="slider"><span><i style="background:${colour}"></i>${text(label)}</span><output></output>` +
      `<input type="range" min="0" max="1" step="0.01" data-learner="${k}" aria-label="${text(label)}"></label>`;
    const chart = (name, title, note) =>
      `<figure><figcaption><b>${text(title)}</b><span>${text(note)}</span></figcaption><div class="chart ${name}"></div></figure>`;
    return `<div class="desk"><div class="side">
      <h4>${text(words.weights)}</h4><div class="presets">${["study", ...Object.keys(studio.presets)].map(button).join("")}</div>
      ${studio.learners.map((name, k) => slider(labels.learners[k], k, labels.colours[k])).join("")}
      <h4>${text(words.correction)}</h4>
      <select class="correction" aria-label="${text(words.correction)}">
        ${Object.entries(labels.corrections).map(([name, label]) => `<option value="${name}">${text(label)}</option>`).join("")}</select>
      <label class="slider blend"><span>${text(words.blend)}</span><output></output>
        <input type="range" min="0" max="1" step="0.01" data-blend="1" aria-label="${text(words.blend)}">
        <small><span>${text(words.blend_low)}</span><span>${text(words.blend_high)}</span></small></label>
      <h4>${text(words.scores)}</h4><p class="scheme"></p><div class="scores"></div><p class="verdict"></p>
      <div class="actions"><button type="button" class="copy">${text(words.copy)}</button><span class="said" role="status"></span></div>
      </div><div class="stage"><div class="map" role="application" aria-label="${text(words.map)}"></div>
      <div class="legend"><span class="low"></span><span class="bar"></span><span class="high"></span><span class="unit"></span>
        <span class="value"></span></div></div></div>
      <div class="charts">${chart("observed", words.observed_title, words.observed_note)}
      ${chart("predicted", words.predicted_title, words.predicted_note)}
      ${chart("frontier", words.frontier_title, words.frontier_note)}
      <figure><figcaption><b>${text(words.histogram_title)}</b><span class="keys"><i style="background:${COLOURS.sites}55"></i>${text(words.sites)}
        <i style="background:${COLOURS.fitted}"></i>${text(words.fitted)}<i style="background:${COLOURS.map}"></i>${text(words.cells)}</span>
        </figcaption><div class="chart histogram"></div></figure></div>`;
  }

  listen() {
    this.box.addEventListener("input", (event) => {
      const { learner, blend } = event.target.dataset;
      if (learner !== undefined) this.byHand(Number(learner), Number(event.target.value));
      else if (blend !== undefined) this.choice.blend = Number(event.target.value);
      else if (event.target.matches(".correction")) this.choice.correction = event.target.value;
      this.showChoice(event.target);
      this.ask();
    });
    this.box.addEventListener("change", () => this.tell());
    this.box.addEventListener("click", (event) => {
      const preset = event.target.closest("[data-preset]")?.dataset.preset;
      if (preset) this.takePreset(preset);
      if (event.target.matches(".copy")) this.copyLink();
    });
  }

  // A moved slider starts from what the sliders show.
  byHand(learner, weight) {
    if (this.choice.method !== "manual") this.choice.weights = [...this.weightings(this.choice).mean];
    this.choice.method = "manual";
    this.choice.weights[learner] = weight;
  }

  takePreset(name) {
    this.choice = name === "study" ? { ...this.ownChoice, weights: [...this.ownChoice.weights] } : { ...this.choice, method: name };
    this.showChoice();
    this.ask();
    this.tell();
  }

  // Python gets the choice once the hand is off; quick successive choices are one.
  tell() {
    clearTimeout(this.later);
    const { method, weights, correction, blend } = this.choice;
    const given = method === "manual" && !weights.some((weight) => weight > 0) ? weights.map(() => 1) : weights;
    this.later = setTimeout(() => this.component.setStateValue("choice", { method, weights: given, correction, blend }), LATER_MS);
  }

  showChoice(moved = null) {
    const { choice, data } = this;
    const shares = this.weightings(choice).mean;
    const own = this.same(choice, this.ownChoice);
    for (const button of this.box.querySelectorAll("[data-preset]")) {
      const { preset } = button.dataset;
      button.setAttribute("aria-pressed", own ? preset === "study" : preset === choice.method);
    }
    this.box.querySelectorAll("[data-learner]").forEach((input, k) => {
      if (input !== moved) input.value = choice.method === "manual" ? choice.weights[k] : shares[k];
      input.parentElement.querySelector("output").textContent = `${(100 * shares[k]).toFixed(0)} %`;
    });
    this.part("correction").value = choice.correction;
    const blend = this.part("blend");
    blend.classList.toggle("off", choice.correction !== "blend");
    const input = blend.querySelector("input");
    input.disabled = choice.correction !== "blend";
    if (input !== moved) input.value = choice.blend;
    blend.querySelector("output").textContent = Number(choice.blend).toFixed(2);
    this.part("scheme").textContent = data.words.scheme_note;
  }

  async copyLink() {
    const { choice, data } = this;
    const url = new URL(window.location.href);
    for (const name of ["preset", "weights", "correction", "lambda"]) url.searchParams.delete(name);
    const own = this.same(choice, this.ownChoice);
    url.searchParams.set("preset", own ? "study" : choice.method);
    if (!own) {
      url.searchParams.set("correction", choice.correction);
      url.searchParams.set("lambda", Number(choice.blend.toPrecision(6)));
      if (choice.method === "manual") url.searchParams.set("weights", choice.weights.map((weight) => Number(weight.toPrecision(6))).join(","));
    }
    const done = await copyText(url.href);
    this.part("said").textContent = done ? data.words.copied : url.href;
  }

  // ---- drawing -------------------------------------------------------------------------------------------------------

  // The map is drawn in the next frame; scores and charts in the one after, so that the map never waits for them.
  ask() {
    if (this.asked !== null) return;
    const began = performance.now();
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      this.draw(began);
      requestAnimationFrame(() => this.drawFigures());
    });
  }

  draw(began) {
    const { fusion, choice } = this;
    const started = performance.now();
    const made = this.fit(choice);
    if (!this.plan || !sameWeighting(this.made.weighting, made.weighting)) {
      this.plan = fusion.tilePlan(made.weighting, this.data.codes);
      for (const tile of this.tiles.values()) tile.fused = false;
    }
    this.made = made;
    this.palette = fusion.levelPalette(this.plan, made.correction, made.bounds, this.data.display);
    for (const tile of this.tiles.values()) this.paint(tile);
    const milliseconds = performance.now() - started;
    // A task after the frame: what was drawn is on the screen.
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const count = (window.__alm_fusion?.count ?? 0) + 1;
      window.__alm_fusion = { tiles: this.tiles.size, milliseconds, shown: performance.now() - began, count, fusion: made, choice };
    };
    channel.port2.postMessage(null);
  }

  drawFigures() {
    this.now = this.judge(this.choice, this.made);
    this.showScores();
    this.drawCharts();
  }

  paint(tile) {
    if (!tile.codes || !this.palette) return;
    if (!tile.fused) this.fusion.fuseTile(tile.codes, this.plan, tile.values);
    tile.fused = true;
    this.fusion.paintTile(tile.values, this.palette, tile.pixels);
    tile.context.putImageData(tile.image, 0, 0);
  }

  showScores() {
    const { data, now, own } = this;
    const text = this.charts.escaped;
    const { clear, words } = this.verdict();
    const rows = SCORES.map((name) => {
      const difference = now.scores[name] - own.scores[name];
      const places = data.places[name];
      const none = Math.abs(difference) < 0.5 * 10 ** -places;
      const judged = clear && !none && name in LARGER_IS_BETTER;
      const better = judged ? (difference > 0 === LARGER_IS_BETTER[name] ? "better" : "worse") : "";
      const change = none ? "±0" : `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(places)}`;
      const value = now.scores[name].toFixed(places).replace("-", "−");
      return `<div><dt>${text(data.labels.scores[name])}</dt><dd data-score="${name}">${value}</dd><small class="${better}">${change}</small></div>`;
    });
    this.part("scores").innerHTML = rows.join("");
    this.part("verdict").textContent = words;
  }

  // Against the study's own, over the folds: a change within two standard errors is none.
  verdict() {
    const { now, own, choice } = this;
    const { words, studio } = this.data;
    if (this.same(choice, this.ownChoice)) return { clear: false, words: words.is_own };
    const { mean, standard_error } = this.fusion.pairedGain(studio.pairs, own.value, now.value);
    if (!(Math.abs(mean) > 2 * standard_error)) return { clear: false, words: words.no_difference };
    return { clear: true, words: mean > 0 ? words.better : words.worse };
  }

  drawCharts() {
    const { charts, data, now, own } = this;
    const { words, studio } = data;
    const width = (name) => Math.max(this.part(name).clientWidth, 180);
    this.limit = Math.max(this.limit, charts.biasLimit([...now.curves, ...own.curves]));
    const titles = [[words.observed_x, words.observed_y], [words.predicted_x, words.predicted_y]];
    ["observed", "predicted"].forEach((name, i) => {
      this.part(name).innerHTML = charts.biasChart({
        width: width(name), curve: now.curves[i], own: own.curves[i], limit: this.limit,
        xTitle: titles[i][0], yTitle: titles[i][1], colour: i ? COLOURS.predicted : COLOURS.now,
      });
    });
    const ratios = Array.from({ length: 56 }, (_, i) => 0.2 + (1.1 * i) / 55);
    this.part("frontier").innerHTML = charts.frontierChart({
      width: width("frontier"), ratios, best: ratios.map((ratio) => this.fusion.frontier(now.correlation, ratio)),
      here: now.scores, own: own.scores, words, xTitle: data.labels.scores.sd_ratio, yTitle: data.labels.scores.r2, colour: COLOURS.now,
    });
    const sites = (studio.sites ??= this.fusion.histogram(studio.pairs.observed, studio.edges));
    const series = [
      { parts: sites, colour: COLOURS.sites, filled: true },
      { parts: now.fitted, colour: COLOURS.fitted },
      ...(now.map ? [{ parts: now.map, colour: COLOURS.map }] : []),
    ];
    this.highest = Math.max(this.highest, ...series.flatMap(({ parts }) => parts.map((part) => 105 * part)));
    this.part("histogram").innerHTML = charts.histogramChart({
      width: width("histogram"), edges: studio.edges, series, highest: this.highest, xTitle: words.histogram_x, yTitle: words.histogram_y,
    });
  }

  // ---- map -----------------------------------------------------------------------------------------------------------

  drawMap() {
    const { data } = this;
    const { L } = window;
    const minZoom = data.bounds[1][1] - data.bounds[0][1] < 100 ? 3 : 1; // A map around the pole needs the whole world.
    const map = (this.map = L.map(this.part("map"), { minZoom, maxZoom: 13, zoomSnap: 0.25, attributionControl: false, fadeAnimation: false }));
    const bounds = L.latLngBounds(data.bounds);
    map.fitBounds(bounds, { animate: false });
    map.setMaxBounds(bounds.pad(0.6));
    if (data.urls.hillshade) L.tileLayer(data.urls.hillshade, { maxNativeZoom: 12, opacity: 0.9 }).addTo(map);
    const fused = new (this.fusedLayer())({ maxNativeZoom: data.codes.zoom, opacity: 0.82 });
    fused.on("tileunload", (event) => this.tiles.delete(event.tile));
    fused.on("load", () => this.box.setAttribute("data-loaded", this.tiles.size));
    fused.addTo(map);
    this.layer = fused;
    map.createPane("water").style.zIndex = 350;
    for (const [url, style] of [[data.urls.lakes, LAKES], [data.urls.rivers, RIVERS]]) {
      if (!url) continue; // Waters of another part of the earth.
      fetch(url)
        .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`${url}: ${answer.status}`))))
        .then((shapes) => map.getPane("water") && L.geoJSON(shapes, { style, pane: "water" }).addTo(map))
        .catch((fault) => console.warn(String(fault)));
    }
    L.control.scale({ imperial: false }).addTo(map);
    map.on("mousemove", (event) => this.showValue(event.latlng));
    map.on("mouseout", () => { this.part("value").textContent = ""; });
    let moved = false;
    map.getContainer().addEventListener("pointerdown", () => { moved = true; });
    map.getContainer().addEventListener("wheel", () => { moved = true; }, { passive: true });
    const observer = new ResizeObserver(() => {
      map.invalidateSize({ animate: false });
      if (!moved) map.fitBounds(bounds, { animate: false });
    });
    observer.observe(map.getContainer());
    map.on("unload", () => observer.disconnect()); // A page that is left shrinks to nothing before it goes.
    this.showLegend();
  }

  fusedLayer() {
    const studio = this;
    const { urls } = this.data;
    const count = this.data.studio.learners.length;
    return window.L.GridLayer.extend({
      createTile(coords, done) {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 256;
        const tile = { canvas, codes: null, fused: false, key: `${coords.z}/${coords.x}/${coords.y}` };
        canvas.dataset.tile = tile.key;
        studio.tiles.set(canvas, tile);
        const url = window.L.Util.template(urls.members, coords);
        fetch(url)
          .then((answer) => (answer.status === 200 ? answer.arrayBuffer() : answer.status === 204 ? null : Promise.reject(new Error(`${answer.status} ${url}`))))
          .then((bytes) => {
            if (bytes) studio.fill(tile, new Uint16Array(bytes), count);
            done(null, canvas);
          })
          .catch((fault) => done(fault, canvas));
        return canvas;
      },
    });
  }

  fill(tile, codes, count) {
    tile.codes = this.fusion.cleanTile(codes, count);
    tile.values = new Float32Array(codes.length / count);
    tile.context = tile.canvas.getContext("2d", { willReadFrequently: true });
    tile.image = tile.context.createImageData(256, 256);
    tile.pixels = new Uint32Array(tile.image.data.buffer);
    if (this.palette) this.paint(tile);
    else this.ask();
  }

  showLegend() {
    const { low, high, colours, unit, places } = this.data.display;
    const stops = colours.filter((_, i) => i % 15 === 0).map((colour) => `rgb(${colour.join(",")})`);
    this.part("bar").style.background = `linear-gradient(to right, ${stops.join(",")})`;
    this.part("low").textContent = `≤ ${low.toFixed(places)}`;
    this.part("high").textContent = `≥ ${high.toFixed(places)}`;
    this.part("unit").textContent = unit;
  }

  // The value under the cursor, of the pixel that is shown.
  showValue(place) {
    const zoom = this.layer._tileZoom;
    const point = this.map.project(place, zoom).floor();
    const key = `${zoom}/${Math.floor(point.x / 256)}/${Math.floor(point.y / 256)}`;
    const tile = [...this.tiles.values()].find((one) => one.key === key && one.values);
    const value = tile ? tile.values[(point.y & 255) * 256 + (point.x & 255)] : NaN;
    const { places, unit } = this.data.display;
    const shown = this.fusion.cut(this.fusion.corrected(this.made?.correction ?? { curve: null }, value), this.data.studio.bounds);
    this.part("value").textContent = Number.isNaN(shown) ? "" : `${shown.toFixed(places + 1)} ${unit}`;
  }
}

function sameWeighting(a, b) {
  return a === b || (a && a.method === "manual" && b.method === "manual" && a.weights.every((row, k) => row[0] === b.weights[k][0]));
}

// The clipboard of a page that is served without TLS is closed; the old way still works there.
async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* not allowed: the old way */ }
  }
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
