// Component of the days page: the map of every day, drawn in this browser from the codes of a year (one byte a cell and day), with
// a slider and play. Python hears of a day when the slider is let go or play stops, and of a place when it is clicked.

const components = new WeakMap();
const scripts = new Map();
const LAKES = { color: "#3b78b5", weight: 0.7, fillColor: "#a9cdea", fillOpacity: 0.5, interactive: false };
const UNKNOWN = 255;
const FROZEN = 128; // added to the probability in per cent where the state is frozen
const DAY_MS = 86400000;
const LATER_MS = 250; // two choices within this time are one for Python
const HATCH = 6; // pixels from one line to the next
const SIGNIFICANCE = 0.05;
const BANDS_A_SECOND = 1;
const THUMB = 16; // width of the slider's thumb: half of it lies left of the first day

export default function (component) {
  const box = component.parentElement.querySelector(".alm-days");
  const known = components.get(box);
  if (known) known.then((days) => days?.update(component));
  else components.set(box, start(box, component));
  return () => setTimeout(() => {
    if (!box.isConnected) components.get(box)?.then((days) => days?.end());
  }, 0);
}

async function start(box, component) {
  const { urls, words } = component.data;
  try {
    await loadScript(urls.leaflet, urls.leaflet_style);
    const places = new Uint32Array(await bytes(urls.places));
    return new Days(box, component, places);
  } catch (fault) {
    box.textContent = `${words.failed} (${fault.message})`;
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

async function bytes(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} ${url}`);
  return answer.arrayBuffer();
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
const utc = (text) => Date.parse(`${text}T00:00:00Z`);
const iso = (time) => new Date(time).toISOString().slice(0, 10);
const mercator = (latitude) => Math.log(Math.tan(Math.PI / 4 + (latitude * Math.PI) / 360));

// A colour as the canvas holds it: red in the lowest byte.
function packed(colour, alpha = 255) {
  const [red, green, blue] = typeof colour === "string" ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) : colour;
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

class Days {
  constructor(box, component, places) {
    Object.assign(this, { box, component, places, parts: new Map(), numbers: new Map(), later: null, playing: false, asked: null, drawn: 0 });
    this.data = component.data;
    this.choice = { ...this.data.start };
    box.innerHTML = this.skeleton();
    this.part = (name) => box.querySelector(`.${name}`);
    this.table = this.tables();
    this.drawMap();
    this.listen();
    new ResizeObserver(() => this.drawStrip()).observe(this.part("strip"));
    this.takeLayer();
  }

  end() {
    this.playing = false;
    this.map.remove();
  }

  // Python ran again: what is shown stays as the hand left it.
  update(component) {
    this.component = component;
  }

  // ---- time ----------------------------------------------------------------------------------------------------------

  get layer() {
    return this.data.layers.find((one) => one.id === this.choice.layer) ?? this.data.layers[0];
  }

  get daily() {
    return this.layer.kind === "day";
  }

  get year() {
    const number = Number(this.choice.day.slice(0, 4));
    return this.data.years.find((one) => one.year === number) ?? this.data.years[0];
  }

  // Days from the first mapped day of the year on.
  get place() {
    const place = Math.round((utc(this.choice.day) - utc(this.year.first)) / DAY_MS);
    return Math.min(Math.max(place, 0), this.year.days - 1);
  }

  goTo(year, place) {
    this.choice.day = iso(utc(year.first) + place * DAY_MS);
  }

  // One step on or back; false at the end of all.
  step(by) {
    if (!this.daily) {
      const band = this.choice.band + by;
      if (band < 0 || band >= this.layer.bands.length) return false;
      this.choice.band = band;
      return true;
    }
    const { years } = this.data;
    const place = this.place + by;
    const at = years.indexOf(this.year);
    if (place >= 0 && place < this.year.days) this.goTo(this.year, place);
    else if (by > 0 && years[at + 1]) this.goTo(years[at + 1], 0);
    else if (by < 0 && years[at - 1]) this.goTo(years[at - 1], years[at - 1].days - 1);
    else return false;
    return true;
  }

  // ---- data ----------------------------------------------------------------------------------------------------------

  // A part of a year: {codes} once it is there. What fails is asked again by the next that wants it.
  load(year, part) {
    const key = `${year.year}/${part}`;
    if (!this.parts.has(key)) {
      const url = this.data.urls.year.replace("{year}", year.year).replace("{part}", part);
      const entry = { codes: null };
      this.parts.set(key, entry);
      bytes(url)
        .then((content) => { entry.codes = new Uint8Array(content); this.ask(); this.drawStrip(); })
        .catch((fault) => { this.parts.delete(key); this.say(`${this.data.words.failed} (${fault.message})`); this.stop(); });
    }
    return this.parts.get(key);
  }

  // Codes of the cells on the day that is shown, null while they travel; the days after it are fetched ahead.
  codes() {
    const { part_days: size, cells, years } = this.data;
    const { year, place } = this;
    const part = Math.floor(place / size);
    const entry = this.load(year, part);
    const next = years[years.indexOf(year) + 1];
    if (this.playing && (part + 1) * size < year.days) this.load(year, part + 1);
    else if (this.playing && next) this.load(next, 0);
    const start = (place - part * size) * cells;
    return entry.codes?.subarray(start, start + cells) ?? null;
  }

  // Values of the freezing years, null while they travel.
  values() {
    const name = this.layer.id;
    if (!this.numbers.has(name)) {
      const entry = { values: null };
      this.numbers.set(name, entry);
      bytes(this.data.urls.number.replace("{name}", name))
        .then((content) => { entry.values = new Float32Array(content); this.ask(); })
        .catch((fault) => { this.numbers.delete(name); this.say(`${this.data.words.failed} (${fault.message})`); });
    }
    return this.numbers.get(name).values;
  }

  // ---- controls ------------------------------------------------------------------------------------------------------

  skeleton() {
    const { words, layers, years } = this.data;
    const groups = [["day", words.group_days], ["year", words.group_years], ["trend", words.group_trends]];
    const kind = (one) => (one.kind === "day" || one.kind === "trend" ? one.kind : "year");
    const option = (one) => `<option value="${one.id}">${escaped(one.label)}</option>`;
    const list = groups
      .map(([name, label]) => [label, layers.filter((one) => kind(one) === name)])
      .filter(([, found]) => found.length)
      .map(([label, found]) => `<optgroup label="${escaped(label)}">${found.map(option).join("")}</optgroup>`);
    const button = (name, sign, label) => `<button type="button" class="${name}" aria-label="${escaped(label)}" title="${escaped(label)}">${sign}</button>`;
    const speeds = [5, 10, 20, 40].map((speed) => `<option value="${speed}"${speed === 20 ? " selected" : ""}>${escaped(words.speed.replace("{count}", speed))}</option>`);
    return `<div class="head"><select class="layer" aria-label="${escaped(words.layer)}">${list.join("")}</select>
      <b class="when" role="status"></b><span class="said"></span></div>
      <div class="map" role="application" aria-label="${escaped(words.map)}"></div>
      <div class="legend"></div>
      <div class="time"><div class="keys">${button("back", "‹", words.back)}${button("play", "▶", words.play)}${button("next", "›", words.next)}</div>
      <div class="run"><div class="year-strip"><canvas class="strip" aria-hidden="true"></canvas><i class="cursor"></i></div>
      <input type="range" class="slider" min="0" step="1" aria-label="${escaped(words.day)}"><div class="months"></div></div>
      <div class="picks"><select class="year" aria-label="${escaped(words.year)}">${years.map(({ year }) => `<option value="${year}">${year}</option>`).join("")}</select>
      <select class="speed" aria-label="${escaped(words.speed_label)}">${speeds.join("")}</select></div></div>`;
  }

  listen() {
    const slider = this.part("slider");
    slider.addEventListener("input", () => {
      this.stop(false);
      if (this.daily) this.goTo(this.year, Number(slider.value));
      else this.choice.band = Number(slider.value);
      this.ask();
    });
    slider.addEventListener("change", () => this.tell());
    this.part("layer").addEventListener("change", (event) => {
      this.stop(false);
      this.choice.layer = event.target.value;
      this.takeLayer();
      this.tell();
    });
    this.part("year").addEventListener("change", (event) => {
      this.stop(false);
      const year = this.data.years.find((one) => one.year === Number(event.target.value));
      const wanted = Math.round((utc(`${year.year}${this.choice.day.slice(4).replace("02-29", "02-28")}`) - utc(year.first)) / DAY_MS);
      this.goTo(year, Math.min(Math.max(wanted, 0), year.days - 1));
      this.ask();
      this.tell();
    });
    for (const [name, by] of [["back", -1], ["next", 1]]) {
      this.part(name).addEventListener("click", () => {
        this.stop(false);
        this.step(by);
        this.ask();
        this.tell();
      });
    }
    this.part("play").addEventListener("click", () => (this.playing ? this.stop() : this.play()));
  }

  play() {
    if (!this.step(1)) {
      // At the end: from the first day on.
      if (this.daily) this.goTo(this.data.years[0], 0);
      else this.choice.band = 0;
    }
    this.playing = true;
    this.showPlay();
    let last = performance.now();
    const frame = (now) => {
      if (!this.playing) return;
      const wait = 1000 / (this.daily ? Number(this.part("speed").value) : BANDS_A_SECOND);
      // What travels is waited for: no day is left out.
      if (now - last >= wait && this.ready()) {
        last = now - last > 3 * wait ? now : last + wait;
        if (!this.step(1)) return this.stop();
        this.draw();
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    this.ask();
  }

  stop(tell = true) {
    const was = this.playing;
    this.playing = false;
    this.showPlay();
    if (was && tell) this.tell();
  }

  ready() {
    return (this.daily ? this.codes() : this.values()) !== null;
  }

  showPlay() {
    const { words } = this.data;
    const label = this.playing ? words.pause : words.play;
    Object.assign(this.part("play"), { textContent: this.playing ? "❚❚" : "▶", title: label });
    this.part("play").setAttribute("aria-label", label);
  }

  // Python gets the choice once the hand is off; quick successive choices are one.
  tell() {
    clearTimeout(this.later);
    const { layer, day, place } = this.choice;
    this.later = setTimeout(() => this.component.setStateValue("choice", { layer, day, place }), LATER_MS);
  }

  say(text) {
    this.part("said").textContent = text;
  }

  // Another layer: its slider, its legend.
  takeLayer() {
    const { layer } = this;
    this.choice.layer = layer.id;
    this.part("layer").value = layer.id;
    if (layer.bands) this.choice.band = Math.min(this.choice.band ?? layer.bands.length - 1, layer.bands.length - 1);
    this.box.querySelector(".time").classList.toggle("off", layer.kind === "trend");
    for (const name of ["year-strip", "months", "year", "speed"]) this.part(name).classList.toggle("off", !this.daily);
    this.showLegend();
    this.drawStrip();
    this.ask();
  }

  // ---- drawing -------------------------------------------------------------------------------------------------------

  tables() {
    const { colours } = this.data;
    const state = new Uint32Array(256);
    const probability = new Uint32Array(256);
    for (let code = 0; code < UNKNOWN; code++) {
      const percent = Math.min(code & 127, 100);
      state[code] = packed(code >= FROZEN ? colours.frozen : colours.thawed);
      probability[code] = packed(colours.probability[Math.round(2.55 * percent)]);
    }
    const line = packed(colours.hatch);
    const ground = packed(colours.unknown);
    const palette = (name) => Uint32Array.from(colours[name], (colour) => packed(colour));
    const own = Object.fromEntries(["date", "count", "trend"].map((name) => [name, palette(name)]));
    return { state, probability, line, ground, pale: packed("#ffffff", 200), ...own };
  }

  ask() {
    if (this.asked !== null) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      this.draw();
    });
  }

  draw() {
    this.showTime();
    const started = performance.now();
    const painted = this.daily ? this.paintDay() : this.paintNumbers();
    if (!painted) return;
    this.context.putImageData(this.image, 0, 0);
    this.drawn += 1;
    this.say("");
    this.shares();
    window.__alm_days = { count: this.drawn, day: this.choice.day, layer: this.layer.id, milliseconds: performance.now() - started };
    this.box.dataset.shown = this.daily ? this.choice.day : `${this.layer.id}:${this.choice.band ?? ""}`;
  }

  // Every pixel by its cell; `colour(cell)` gives a colour, or 0 for unknown, which is hatched.
  paint(colour, marked = null) {
    const { rows, columns } = this.data.picture;
    const { line, ground, pale } = this.table;
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, at++) {
        const cell = this.places[at];
        if (!cell) continue;
        const found = colour[cell - 1];
        const on = (row + column) % HATCH < 2;
        this.pixels[at] = found === 0 ? (on ? line : ground) : marked !== null && on && marked[cell - 1] ? pale : found;
      }
    }
  }

  paintDay() {
    const codes = this.codes();
    if (codes === null) return false;
    const table = this.table[this.layer.id];
    for (let cell = 0; cell < codes.length; cell++) this.colour[cell] = table[codes[cell]];
    this.paint(this.colour);
    return true;
  }

  paintNumbers() {
    const values = this.values();
    if (values === null) return false;
    const { cells } = this.data;
    const { kind, low, high } = this.layer;
    const trend = kind === "trend";
    const start = trend ? 0 : this.choice.band * cells;
    const table = this.table[kind];
    const marked = trend ? new Uint8Array(cells) : null;
    for (let cell = 0; cell < cells; cell++) {
      const value = values[start + cell];
      const level = Math.round((255 * (value - low)) / (high - low));
      this.colour[cell] = Number.isNaN(value) ? 0 : table[Math.min(Math.max(level, 0), 255)];
      if (trend) marked[cell] = values[cells + cell] < SIGNIFICANCE ? 0 : 1;
    }
    this.paint(this.colour, marked);
    return true;
  }

  // ---- what is said --------------------------------------------------------------------------------------------------

  longDay(time) {
    return new Date(time).toLocaleDateString(this.data.locale, { year: "numeric", month: "long", day: "numeric", timeZone: "UTC" });
  }

  shortDay(time) {
    return new Date(time).toLocaleDateString(this.data.locale, { month: "short", day: "numeric", timeZone: "UTC" });
  }

  // A day of the freezing year as a date.
  onset(value) {
    return this.shortDay(Date.UTC(2001, this.data.first_month - 1, 1) + Math.round(value) * DAY_MS);
  }

  showTime() {
    const { layer, daily, choice } = this;
    const slider = this.part("slider");
    const last = daily ? this.year.days - 1 : (layer.bands?.length ?? 1) - 1;
    slider.max = last;
    slider.value = daily ? this.place : (choice.band ?? 0);
    const shown = daily ? this.longDay(utc(choice.day)) : layer.kind === "trend" ? "" : layer.bands[choice.band];
    this.part("when").textContent = shown;
    slider.setAttribute("aria-valuetext", shown);
    if (daily && this.shownYear !== this.year) {
      this.shownYear = this.year;
      this.part("year").value = this.year.year;
      this.drawStrip();
      this.showMonths();
    }
    this.drawCursor();
  }

  showMonths() {
    const { first, days } = this.year;
    const begin = utc(first);
    const names = [];
    for (let month = 0; month < 12; month++) {
      const place = (Date.UTC(this.year.year, month, 1) - begin) / DAY_MS;
      if (place < 0 || place >= days) continue;
      const text = new Date(Date.UTC(2001, month, 1)).toLocaleDateString(this.data.locale, { month: days > 200 ? "narrow" : "short", timeZone: "UTC" });
      names.push(`<span style="left:${(100 * place) / Math.max(days - 1, 1)}%">${escaped(this.data.locale.startsWith("zh") ? month + 1 : text)}</span>`);
    }
    this.part("months").innerHTML = names.join("");
  }

  // Frozen, thawed and unknown part of the cells on every day of the year, as far as it is there.
  dayShares(year) {
    year.shares ??= new Map();
    const { part_days: size, cells } = this.data;
    for (let part = 0; part * size < year.days; part++) {
      const codes = this.parts.get(`${year.year}/${part}`)?.codes;
      if (!codes || year.shares.has(part)) continue;
      const found = [];
      for (let start = 0; start < codes.length; start += cells) {
        let frozen = 0;
        let unknown = 0;
        for (let at = start; at < start + cells; at++) {
          if (codes[at] === UNKNOWN) unknown++;
          else if (codes[at] >= FROZEN) frozen++;
        }
        found.push([frozen / cells, unknown / cells]);
      }
      year.shares.set(part, found);
    }
    return year.shares;
  }

  drawStrip() {
    const canvas = this.part("strip");
    if (!this.daily || !canvas.clientWidth) return;
    const { colours, part_days: size } = this.data;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const one = (width - THUMB) / Math.max(this.year.days - 1, 1);
    for (const [part, found] of this.dayShares(this.year)) {
      found.forEach(([frozen, unknown], k) => {
        // Whole pixels, so that neighbouring days leave no seam.
        const [left, right] = [k - 0.5, k + 0.5].map((place) => Math.round((THUMB / 2 + (part * size + place) * one) * ratio) / ratio);
        const bars = [[colours.frozen, 0, frozen], [colours.thawed, frozen, 1 - unknown], [colours.unknown, 1 - unknown, 1]];
        for (const [colour, low, high] of bars) {
          pen.fillStyle = colour;
          pen.fillRect(left, height * (1 - high), right - left, height * (high - low));
        }
      });
    }
    this.drawCursor();
  }

  // The line over the strip at the day that is shown.
  drawCursor() {
    const part = this.place / Math.max(this.year.days - 1, 1);
    this.part("cursor").style.left = `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${part})`;
  }

  // Parts of the cells on the day, in the legend.
  shares() {
    if (!this.daily) return;
    const { part_days: size } = this.data;
    const part = Math.floor(this.place / size);
    const found = this.dayShares(this.year).get(part)?.[this.place - part * size];
    if (!found) return;
    const [frozen, unknown] = found;
    const values = { frozen, unknown, thawed: 1 - frozen - unknown };
    for (const [name, value] of Object.entries(values)) {
      const field = this.box.querySelector(`.legend [data-share="${name}"]`);
      if (field) field.textContent = `${(100 * value).toFixed(0)} %`;
    }
    this.part("map").classList.toggle("empty", unknown > 0.999);
  }

  showLegend() {
    const { words, colours } = this.data;
    const { layer } = this;
    const hatch = `repeating-linear-gradient(45deg, ${colours.hatch} 0 2px, ${colours.unknown} 2px 5px)`;
    const key = (name, ground, share = true) =>
      `<span class="key"><i style="background:${ground}"></i>${escaped(words[name])}${share ? ` <b data-share="${name}"></b>` : ""}</span>`;
    const bar = (palette, low, high) => {
      const stops = palette.filter((_, i) => i % 15 === 0).map((colour) => `rgb(${colour.join(",")})`);
      return `<span>${escaped(low)}</span><span class="bar" style="background:linear-gradient(to right, ${stops.join(",")})"></span><span>${escaped(high)}</span>`;
    };
    let shown;
    if (layer.id === "state") shown = key("frozen", colours.frozen) + key("thawed", colours.thawed) + key("unknown", hatch);
    else if (layer.id === "probability") shown = bar(colours.probability, "0 %", "100 %") + key("unknown", hatch);
    else {
      const text = (value) => (layer.kind === "date" ? this.onset(value) : this.number(value, layer.kind === "trend"));
      const pale = "repeating-linear-gradient(45deg, #fff 0 2px, #8a979f 2px 5px)";
      shown = bar(colours[layer.kind], text(layer.low), text(layer.high)) + `<span>${escaped(layer.unit)}</span>`;
      shown += layer.kind === "trend" ? key("insignificant", pale, false) : "";
      shown += key("no_value", hatch, false);
    }
    this.part("legend").innerHTML = `${shown}<span class="value"></span>`;
    this.part("map").classList.remove("empty");
  }

  number(value, signed = false) {
    const text = Math.abs(value).toFixed(Math.abs(value) < 10 && signed ? 1 : 0);
    return `${value < 0 ? "−" : signed && value > 0 ? "+" : ""}${text}`;
  }

  // ---- map -----------------------------------------------------------------------------------------------------------

  drawMap() {
    const { data } = this;
    const { L } = window;
    const bounds = L.latLngBounds(data.picture.bounds);
    const wide = data.picture.bounds[1][1] - data.picture.bounds[0][1] > 100;
    this.part("map").style.aspectRatio = `${data.picture.columns} / ${1.15 * data.picture.rows}`; // within the limits of the style
    const map = (this.map = L.map(this.part("map"), { minZoom: wide ? 1 : 3, maxZoom: 11, zoomSnap: 0.25, attributionControl: false, fadeAnimation: false }));
    map.fitBounds(bounds, { animate: false });
    map.setMaxBounds(bounds.pad(0.6));
    if (data.urls.hillshade) L.tileLayer(data.urls.hillshade, { maxNativeZoom: 11, opacity: 0.9 }).addTo(map);
    const canvas = Object.assign(document.createElement("canvas"), { width: data.picture.columns, height: data.picture.rows });
    canvas.className = "alm-days-picture";
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(canvas.width, canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.colour = new Uint32Array(data.cells);
    L.svgOverlay(canvas, bounds, { opacity: 0.85 }).addTo(map); // takes any element
    if (data.urls.lakes) {
      bytes(data.urls.lakes)
        .then((content) => L.geoJSON(JSON.parse(new TextDecoder().decode(content)), { style: LAKES }).addTo(map))
        .catch((fault) => console.warn(String(fault)));
    }
    L.control.scale({ imperial: false }).addTo(map);
    map.on("mousemove", (event) => this.showValue(event.latlng));
    map.on("mouseout", () => { this.part("value").textContent = ""; });
    map.on("click", (event) => this.takePlace(event.latlng));
    this.markPlace();
    let moved = false;
    map.getContainer().addEventListener("pointerdown", () => { moved = true; });
    map.getContainer().addEventListener("wheel", () => { moved = true; }, { passive: true });
    const observer = new ResizeObserver(() => {
      map.invalidateSize({ animate: false });
      if (!moved) map.fitBounds(bounds, { animate: false });
    });
    observer.observe(map.getContainer());
    map.on("unload", () => observer.disconnect()); // A page that is left shrinks to nothing before it goes.
    this.part("map").dataset.empty = data.words.empty;
  }

  // The mapped cell at a place, -1 where there is none.
  cellAt({ lat, lng }) {
    const { bounds, rows, columns } = this.data.picture;
    const [[south, west], [north, east]] = bounds;
    const column = Math.floor(((lng - west) / (east - west)) * columns);
    const row = Math.floor(((mercator(north) - mercator(lat)) / (mercator(north) - mercator(south))) * rows);
    return row < 0 || column < 0 || row >= rows || column >= columns ? -1 : this.places[row * columns + column] - 1;
  }

  takePlace(latlng) {
    if (this.cellAt(latlng) < 0) return;
    const lng = ((((latlng.lng + 180) % 360) + 360) % 360) - 180;
    this.choice.place = [Number(lng.toFixed(5)), Number(latlng.lat.toFixed(5))];
    this.stop(false);
    this.markPlace(latlng);
    this.tell();
  }

  markPlace(latlng = null) {
    const { place } = this.choice;
    const at = latlng ?? (place ? { lat: place[1], lng: place[0] } : null);
    if (!at) return;
    this.mark ??= window.L.circleMarker(at, { radius: 7, color: "#1d2b33", weight: 2.5, fillColor: "#fff", fillOpacity: 0.9, interactive: false }).addTo(this.map);
    this.mark.setLatLng(at);
  }

  // What the cell under the cursor says.
  showValue(latlng) {
    const cell = this.cellAt(latlng);
    this.part("value").textContent = cell < 0 ? "" : this.daily ? this.dayText(cell) : this.numberText(cell);
  }

  dayText(cell) {
    const code = this.codes()?.[cell];
    const { words } = this.data;
    if (code === undefined) return "";
    if (code === UNKNOWN) return words.unknown;
    return `${code >= FROZEN ? words.frozen : words.thawed} · ${words.chance.replace("{percent}", code & 127)}`;
  }

  numberText(cell) {
    const values = this.values();
    const { kind, unit } = this.layer;
    if (values === null) return "";
    const value = values[(kind === "trend" ? 0 : this.choice.band * this.data.cells) + cell];
    if (Number.isNaN(value)) return this.data.words.no_value;
    if (kind === "date") return this.onset(value);
    if (kind !== "trend") return `${this.number(value)} ${unit}`;
    return `${this.number(value, true)} ${unit} · p = ${values[this.data.cells + cell].toFixed(3)}`;
  }
}
