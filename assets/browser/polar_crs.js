// Polar stereographic planes for Leaflet: ellipsoidal, WGS84, north (Snyder 1987, USGS Professional Paper 1395, pages 160-162).
(() => {
  "use strict";

  const RADIUS = 6378137.0;
  const E2 = 0.0066943799901413165;
  const E = Math.sqrt(E2);
  const HALF_METRES = 12500000.0; // The same number as in alm_core/serving/plane.py.
  const PLANES = { EPSG3413: { latitude: 70, longitude: -45 }, EPSG3995: { latitude: 71, longitude: 0 } };
  const RAD = Math.PI / 180;

  // tan of half the colatitude, on the conformal sphere.
  function isometric(latitude) {
    const s = E * Math.sin(latitude);
    return Math.tan(Math.PI / 4 - latitude / 2) / ((1 - s) / (1 + s)) ** (E / 2);
  }

  function projection({ latitude, longitude }) {
    const at = latitude * RAD;
    const factor = (RADIUS * Math.cos(at)) / Math.sqrt(1 - E2 * Math.sin(at) ** 2) / isometric(at);
    return {
      bounds: L.bounds([-HALF_METRES, -HALF_METRES], [HALF_METRES, HALF_METRES]),
      project({ lat, lng }) {
        const distance = factor * isometric(Math.max(lat, -80) * RAD);
        const angle = (lng - longitude) * RAD;
        return new L.Point(distance * Math.sin(angle), -distance * Math.cos(angle));
      },
      unproject(point) {
        const t = Math.hypot(point.x, point.y) / factor;
        let phi = Math.PI / 2 - 2 * Math.atan(t);
        for (let step = 0; step < 6; step += 1) {
          const s = E * Math.sin(phi);
          phi = Math.PI / 2 - 2 * Math.atan(t * ((1 - s) / (1 + s)) ** (E / 2));
        }
        const lng = longitude + Math.atan2(point.x, -point.y) / RAD;
        return new L.LatLng(phi / RAD, ((((lng + 180) % 360) + 360) % 360) - 180);
      },
    };
  }

  for (const [name, plane] of Object.entries(PLANES)) {
    L.CRS[name] = L.extend({}, L.CRS.Earth, {
      code: name.replace("EPSG", "EPSG:"),
      wrapLng: null,
      projection: projection(plane),
      transformation: new L.Transformation(0.5 / HALF_METRES, 0.5, -0.5 / HALF_METRES, 0.5),
    });
  }
})();
