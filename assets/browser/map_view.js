// What the map shows, inside the frame that holds the Leaflet map.
//
// `almMap.start(map, settings)` runs once, when the map is made. `almMap.show(state)` runs after every change in Python and
// changes only what differs: a layer whose address is the same stays; one with a new address is laid over the old one, which
// goes when the new one is complete, so that nothing flickers.
(() => {
  "use strict";

  const PANES = { left: 310, right: 320, hatch: 330, water: 340, graticule: 345, area: 410, place: 620 };
  const RASTERS = ["left", "right", "hatch"];
  const FADE_IN_MS = 300; // Leaflet fades a tile in within 200 ms of its arrival.
  const FADE_OUT_LIMIT_MS = 5000;
  const AREA_STYLE = { color: "#c0561b", weight: 2, fillOpacity: 0.06, interactive: false, pane: "area" };
  const LAKE_STYLE = { color: "#3b78b5", weight: 0.7, fillColor: "#a9cdea", fillOpacity: 0.85, interactive: false, pane: "water" };
  const RIVER_STYLE = { color: "#5b97cf", weight: 1, opacity: 0.85, fill: false, interactive: false, pane: "water" };

  let map = null;
  let settings = {};
  let swipe = null;
  let legend = null;
  const shown = {}; // Raster layers by pane: { url, layer }.
  const groups = {}; // Vector groups: water, area, place.

  function start(leafletMap, given) {
    map = leafletMap;
    settings = given;
    map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
    for (const [name, order] of Object.entries(PANES)) {
      map.createPane(name).style.zIndex = order;
    }
    for (const name of [...RASTERS, "water", "graticule"]) map.getPane(name).style.pointerEvents = "none";
    groups.water = L.layerGroup().addTo(map);
    groups.area = L.layerGroup().addTo(map);
    groups.place = L.layerGroup().addTo(map);
    drawWater();
    keepView();
    followDrawing();
  }

  // Lakes and rivers are fetched by the browser: written into the page they would be sent again with every change.
  function drawWater() {
    for (const { url, kind } of settings.vectors) {
      const style = kind === "lakes" ? LAKE_STYLE : RIVER_STYLE;
      fetch(url)
        .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`${url}: ${answer.status}`))))
        .then((shapes) => L.geoJSON(shapes, { style }).addTo(groups.water))
        .catch((fault) => console.warn(String(fault)));
    }
  }

  // The map is fitted to the raster until somebody moves it; a panel that opens or closes beside it changes its size.
  function keepView() {
    const bounds = L.latLngBounds(settings.bounds);
    let moved = false;
    const fit = settings.plane ? () => fitPlane(settings.plane) : () => map.fitBounds(bounds, { animate: false });
    if (settings.plane) drawGraticule();
    else map.setMaxBounds(bounds.pad(0.6));
    fit();
    for (const event of ["mousedown", "wheel", "keydown", "touchstart"]) {
      map.getContainer().addEventListener(event, () => { moved = true; }, { passive: true });
    }
    new ResizeObserver(() => {
      map.invalidateSize({ animate: false });
      if (!moved) fit();
      swipe?.place();
    }).observe(map.getContainer());
  }

  // Bounds in a plane around the pole hold no two corners of latitude and longitude: the scale is found in metres.
  function fitPlane([left, bottom, right, top]) {
    const { crs } = map.options;
    const size = map.getSize();
    const across = crs.project(L.latLng(90, 0)).distanceTo(crs.project(L.latLng(80, 0)));
    const pixels = crs.latLngToPoint(L.latLng(90, 0), 0).distanceTo(crs.latLngToPoint(L.latLng(80, 0), 0)); // At zoom 0.
    const fitting = Math.log2(Math.min(size.x / (right - left), size.y / (top - bottom)) * (across / pixels));
    const zoom = Math.max(map.getMinZoom(), Math.floor(fitting / map.options.zoomSnap) * map.options.zoomSnap);
    map.setView(crs.projection.unproject(L.point((left + right) / 2, (bottom + top) / 2)), zoom, { animate: false });
  }

  // Parallels and meridians say where on the earth a place of a polar view lies.
  function drawGraticule() {
    const style = { color: "#5b6b75", weight: 0.6, opacity: 0.55, interactive: false, pane: "graticule" };
    const label = (place, content) => {
      const icon = L.divIcon({ className: "alm-graticule", html: text(content), iconSize: null });
      L.marker(place, { icon, interactive: false, keyboard: false, pane: "graticule" }).addTo(map);
    };
    for (let latitude = 40; latitude <= 80; latitude += 10) {
      L.polygon(Array.from({ length: 180 }, (_, step) => [latitude, 2 * step]), { ...style, fill: false }).addTo(map);
      label([latitude, -45], `${latitude}°`);
    }
    for (let longitude = -180; longitude < 180; longitude += 30) {
      L.polyline([[40, longitude], [80, longitude]], style).addTo(map);
    }
    for (let longitude = -180; longitude < 180; longitude += 90) {
      label([42, longitude], longitude === -180 ? "180°" : longitude === 0 ? "0°" : `${Math.abs(longitude)}° ${longitude > 0 ? "E" : "W"}`);
    }
  }

  // One drawn area at a time. A click that sets a corner is no question about that place, nor is one that removes an area.
  function followDrawing() {
    if (!L.Draw) return;
    let drawing = false;
    map.on("draw:drawstart", () => { drawing = true; });
    map.on("draw:drawstop", () => setTimeout(() => { drawing = false; }, 60));
    map.getContainer().addEventListener(
      "click",
      (event) => { if (drawing && !event.target.closest(".leaflet-control, .leaflet-editing-icon")) event.stopPropagation(); },
      true,
    );
    map.on("draw:created", (event) => {
      window.drawnItems.eachLayer((layer) => { if (layer !== event.layer) window.drawnItems.removeLayer(layer); });
      groups.area.clearLayers();
    });
    const bubbling = (on) => () => window.drawnItems.eachLayer((layer) => { layer.options.bubblingMouseEvents = on; });
    map.on("draw:deletestart", bubbling(false));
    map.on("draw:deletestop", bubbling(true));
  }

  function show(state) {
    for (const name of RASTERS) showRaster(name, state.rasters[name] ?? null);
    showWater(state.water);
    showRelief(state.relief);
    showSwipe(state.swipe);
    showLegend(state.legend);
    showArea(state.area);
    showPlace(state.place);
  }

  function showRaster(name, wanted) {
    const old = shown[name];
    if (old && wanted && old.url === wanted.url) {
      old.layer.setOpacity(wanted.opacity);
      return;
    }
    delete shown[name];
    if (!wanted) {
      if (old) retire(old);
      return;
    }
    const layer = L.tileLayer(wanted.url, {
      pane: name,
      opacity: wanted.opacity,
      bounds: settings.plane ? undefined : settings.limits,
      maxNativeZoom: settings.max_native_zoom,
      maxZoom: settings.max_zoom,
    });
    shown[name] = { url: wanted.url, layer, before: old };
    if (old) {
      // An old layer that never completed has nothing to cover the gap with.
      const leave = () => retire(old);
      layer.once("load", () => setTimeout(leave, FADE_IN_MS));
      setTimeout(leave, FADE_OUT_LIMIT_MS);
    }
    layer.addTo(map);
  }

  function retire(entry) {
    if (!entry) return;
    entry.layer.remove();
    retire(entry.before);
    entry.before = null;
  }

  function showWater(on) {
    map.getPane("water").style.display = on ? "" : "none";
  }

  function showRelief(on) {
    map.getPane("tilePane").style.visibility = on ? "" : "hidden";
  }

  function showArea(area) {
    groups.area.clearLayers();
    const drawn = window.drawnItems;
    if (!area || !area.drawn) drawn?.clearLayers?.();
    if (!area || drawn?.getLayers?.().length) return;
    L.geoJSON(area.shape, { style: AREA_STYLE, pane: "area" }).addTo(groups.area);
  }

  function showPlace(place) {
    groups.place.clearLayers();
    if (!place) return;
    const here = [place.latitude, place.longitude];
    for (const site of place.analogues) {
      const there = [site.latitude, site.longitude];
      L.polyline([here, there], { color: "#1d2b33", weight: 1.2, dashArray: "4 4", pane: "place", interactive: false }).addTo(groups.place);
      L.circleMarker(there, { radius: 5, color: "#1d2b33", weight: 1.5, fillColor: "#ffffff", fillOpacity: 1, pane: "place" })
        .bindTooltip(text(site.label), { direction: "top" })
        .addTo(groups.place);
    }
    L.circleMarker(here, { radius: 8, color: "#ffffff", weight: 3, fill: false, pane: "place", interactive: false }).addTo(groups.place);
    L.circleMarker(here, { radius: 8, color: "#c0561b", weight: 1.6, fillColor: "#c0561b", fillOpacity: 0.25, pane: "place", interactive: false })
      .addTo(groups.place);
  }

  // ---- swipe ------------------------------------------------------------------------------------------------------------

  function showSwipe(wanted) {
    if (!wanted) {
      swipe?.remove();
      swipe = null;
      return;
    }
    swipe ??= makeSwipe();
    swipe.label(wanted);
    swipe.place();
  }

  // Two panes, each cut off at a bar that moves by mouse, finger or arrow keys.
  function makeSwipe() {
    const bar = element("div", "alm-swipe", map.getContainer());
    const left = element("span", "alm-swipe-label left", bar);
    const right = element("span", "alm-swipe-label right", bar);
    const handle = element("button", "alm-swipe-handle", bar);
    let fraction = 0.5;
    handle.type = "button";
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", settings.words.swipe);
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", "100");
    L.DomEvent.disableClickPropagation(bar);

    function place() {
      const size = map.getSize();
      const x = Math.round(size.x * fraction);
      bar.style.left = `${x}px`;
      handle.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
      cut("left", 0, x, size);
      cut("right", x, size.x, size);
    }

    function move(to) {
      fraction = Math.min(0.98, Math.max(0.02, to));
      place();
    }

    function drag(event) {
      const box = map.getContainer().getBoundingClientRect();
      move((event.clientX - box.left) / box.width);
    }

    bar.addEventListener("pointerdown", (event) => {
      bar.setPointerCapture(event.pointerId);
      bar.addEventListener("pointermove", drag);
      event.preventDefault();
      handle.focus();
    });
    bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", drag));
    bar.addEventListener("pointercancel", () => bar.removeEventListener("pointermove", drag));
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
      if (step === undefined) return;
      move(fraction + step);
      event.preventDefault();
      event.stopPropagation();
    });
    map.on("move zoom zoomend viewreset", place);

    return {
      place,
      label: (words) => { left.textContent = words.left; right.textContent = words.right; },
      remove: () => {
        map.off("move zoom zoomend viewreset", place);
        bar.remove();
        for (const name of ["left", "right"]) map.getPane(name).style.clipPath = "";
      },
    };
  }

  // Panes move with the map, so the cut is written in their own coordinates.
  function cut(name, from, to, size) {
    const low = map.containerPointToLayerPoint([from, 0]);
    const high = map.containerPointToLayerPoint([to, size.y]);
    const corners = [[low.x, low.y], [high.x, low.y], [high.x, high.y], [low.x, high.y]];
    map.getPane(name).style.clipPath = `polygon(${corners.map(([x, y]) => `${x}px ${y}px`).join(",")})`;
  }

  // ---- legend -----------------------------------------------------------------------------------------------------------

  function showLegend(entries) {
    legend ??= makeLegend();
    legend.replaceChildren(...entries.map(legendEntry));
    legend.style.display = entries.length ? "" : "none";
  }

  function makeLegend() {
    const control = L.control({ position: "bottomright" });
    const box = element("div", "alm-map-legend");
    control.onAdd = () => box;
    control.addTo(map);
    L.DomEvent.disableClickPropagation(box);
    return box;
  }

  function legendEntry(entry) {
    const box = element("div", "entry");
    element("div", "title", box).textContent = entry.title;
    if (entry.gradient) {
      element("div", "bar", box).style.background = entry.gradient;
      const ticks = element("div", "ticks", box);
      for (const tick of entry.ticks) element("span", "", ticks).textContent = tick;
    }
    for (const item of entry.items ?? []) {
      const row = element("div", "item", box);
      element("i", item.hatch ? "hatch" : "", row).style.backgroundColor = item.colour;
      element("span", "", row).textContent = item.label;
    }
    return box;
  }

  function element(tag, name, parent) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    parent?.append(made);
    return made;
  }

  function text(content) {
    const made = document.createElement("span");
    made.textContent = content;
    return made;
  }

  window.almMap = { start, show };
})();
