/* Draws a district map: one canvas for everything under the pointer, the page around it, and the sheet for the printer.
   The page's data come from the JSON block "xh-data"; every text is set as text, never as markup. */
(function () {
  "use strict";
  const TAU = 2 * Math.PI;
  const FONT = '"Microsoft YaHei","PingFang SC","Noto Sans CJK SC","Noto Sans SC","Source Han Sans SC",sans-serif';
  const $ = (id) => document.getElementById(id);

  /* --- small helpers ------------------------------------------------------------------------------------------ */

  function make(tag, className, text) {
    const e = document.createElement(tag);
    if (className) e.className = className;
    if (text !== undefined && text !== null) e.textContent = text;
    return e;
  }

  function svg(tag, attributes, children) {
    const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    (children || []).forEach((c) => e.appendChild(c));
    return e;
  }

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, k) => (k in values ? values[k] : ""));
  const isPlain = (s) => /^[\x20-\x7e\u00a0-\u024f]*$/.test(s);

  /* Interpolates a width given at zooms 12, 14, 16 and 18. */
  function widthAt(w, zoom) {
    if (typeof w === "number") return w;
    const t = Math.min(Math.max((zoom - 12) / 2, 0), 2.9999), i = Math.floor(t);
    return w[i] + (w[i + 1] - w[i]) * (t - i);
  }

  function luminance(hex) {
    const m = /^#([0-9a-f]{6})/i.exec(hex);
    if (!m) return 0.3;
    const c = [0, 2, 4].map((i) => parseInt(m[1].slice(i, i + 2), 16) / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4)));
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
  }
  const inkOn = (hex) => (luminance(hex) >= 0.2525 ? "#1f2429" : luminance(hex) <= 0.1833 ? "#ffffff" : "#000000"); // 4.5:1 on every fill

  /* --- reading the data --------------------------------------------------------------------------------------- */

  /* Coordinates travel as whole millionths of a degree, each as the difference to the one before it; here they become
     "world" pixels of zoom 0, which any zoom only has to scale. */
  function worldX(lon) { return ((lon + 180) / 360) * 256; }
  function worldY(lat) { return (0.5 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / TAU) * 256; }

  function readPart(flat, origin) {
    const n = flat.length, out = new Float64Array(n);
    let x = origin[0], y = origin[1];
    for (let i = 0; i < n; i += 2) {
      x += flat[i]; y += flat[i + 1];
      out[i] = worldX(x / 1e6); out[i + 1] = worldY(y / 1e6);
    }
    return out;
  }

  function boxOf(parts) {
    const b = [Infinity, Infinity, -Infinity, -Infinity];
    for (const p of parts) for (let i = 0; i < p.length; i += 2) {
      if (p[i] < b[0]) b[0] = p[i];
      if (p[i] > b[2]) b[2] = p[i];
      if (p[i + 1] < b[1]) b[1] = p[i + 1];
      if (p[i + 1] > b[3]) b[3] = p[i + 1];
    }
    return b;
  }

  function styleOf(i) { return this.styles[typeof this.s === "number" ? this.s : this.s[i]]; }

  function readLayer(layer, origin) {
    layer.parts = layer.g.map((feature) => feature.map((flat) => readPart(flat, origin)));
    layer.boxes = layer.parts.map(boxOf);
    delete layer.g;
    const n = layer.parts.length;
    layer.styleOf = styleOf;
    layer.byStyle = layer.styles.map(() => []);
    for (let i = 0; i < n; i++) layer.byStyle[typeof layer.s === "number" ? layer.s : layer.s[i]].push(i);
    return layer;
  }

  function cell(column, i) {
    if (Array.isArray(column.v)) {
      const v = column.v[i];
      return column.d ? (v === null ? null : column.d[v]) : v;
    }
    return column.v;
  }

  async function unpack() {
    const block = $("xh-data"), text = block.textContent.trim();
    if (block.type === "application/json") return JSON.parse(text);
    if (!("DecompressionStream" in window)) throw new Error("old");
    const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  /* --- drawing ------------------------------------------------------------------------------------------------ */

  const hatches = new Map();
  function hatch(ctx, style, ratio) {
    if (ctx.hatch) return ctx.hatch(style);
    const key = [style.fill, style.hatch, ratio].join("|");
    if (!hatches.has(key)) {
      const n = Math.max(4, Math.round(7 * ratio)), c = document.createElement("canvas"), x = c.getContext("2d");
      c.width = c.height = n;
      if (style.fill) { x.fillStyle = style.fill; x.fillRect(0, 0, n, n); }
      x.strokeStyle = style.hatch; x.lineWidth = 1.15 * ratio; x.lineCap = "square";
      x.beginPath();
      for (const d of [-n, 0, n]) { x.moveTo(d, n); x.lineTo(d + n, 0); }
      x.stroke();
      hatches.set(key, c);
    }
    const pattern = ctx.createPattern(hatches.get(key), "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  }

  function trace(ctx, part, view, close) {
    const k = view.k, ox = view.ox, oy = view.oy, n = part.length;
    let px = part[0] * k - ox, py = part[1] * k - oy;
    ctx.moveTo(px, py);
    for (let i = 2; i < n; i += 2) {
      const x = part[i] * k - ox, y = part[i + 1] * k - oy;
      if (i < n - 2 && Math.abs(x - px) + Math.abs(y - py) < 0.5) continue;
      ctx.lineTo(x, y); px = x; py = y;
    }
    if (close) ctx.closePath();
  }

  function inView(box, view, margin) {
    const k = view.k;
    return box[2] * k - view.ox > -margin && box[0] * k - view.ox < view.w + margin &&
      box[3] * k - view.oy > -margin && box[1] * k - view.oy < view.h + margin;
  }

  /* Traces features and hands them over in batches: one path for all is quick to trace but slow to paint. */
  function batches(ctx, layer, which, view, close, margin, paint) {
    let n = 0;
    for (const i of which) {
      if (!inView(layer.boxes[i], view, margin)) continue;
      if (!n) ctx.beginPath();
      for (const part of layer.parts[i]) trace(ctx, part, view, close);
      if (++n === 400) { paint(); n = 0; }
    }
    if (n) paint();
  }

  function stroke(ctx, colour, width, dash, u) {
    ctx.strokeStyle = colour; ctx.lineWidth = width;
    ctx.setLineDash((dash || []).map((d) => d * u * Math.max(1, width / u / 3)));
    ctx.lineCap = dash && dash.length ? "butt" : "round";
    ctx.stroke();
    ctx.setLineDash([]);
  }

  function drawAreas(ctx, layer, view) {
    const grow = Math.min(1.6, Math.max(0.55, 1 + (view.zoom - 15) * 0.18));
    layer.styles.forEach((style, j) => {
      const w = widthAt(style.width || 1, view.zoom) * view.u * grow;
      batches(ctx, layer, layer.byStyle[j], view, true, 4, () => {
        ctx.globalAlpha = style.opacity === undefined ? 1 : style.opacity;
        if (style.hatch) { ctx.fillStyle = hatch(ctx, style, view.ratio); ctx.fill(); }
        else if (style.fill) { ctx.fillStyle = style.fill; ctx.fill(); }
        ctx.globalAlpha = 1;
        if (!style.line) return;
        if (style.casing) stroke(ctx, style.casing, w + (style.extra || 2) * view.u, null, view.u);
        stroke(ctx, style.line, w, style.dash, view.u);
      });
    });
  }

  function drawLines(ctx, layer, view) {
    ctx.lineJoin = "round";
    for (const casing of [true, false]) layer.styles.forEach((style, j) => {
      const w = widthAt(style.width || 1, view.zoom) * view.u, extra = style.extra || Math.min(2, 0.6 + w * 0.22);
      if (w <= (casing ? 0.3 : 0.2) || (casing && !style.casing)) return;
      batches(ctx, layer, layer.byStyle[j], view, false, 20, () => {
        if (casing) stroke(ctx, style.casing, w + extra * view.u, null, view.u);
        else stroke(ctx, style.line, w, style.dash, view.u);
      });
    });
  }

  const iconRadius = (view) => (view.zoom < 13 ? 6.5 : view.zoom < 14.5 ? 8 : view.zoom < 16 ? 9.5 : 11.5) * view.u;

  function drawIcon(ctx, x, y, r, style) {
    const hollow = style.hollow, size = Math.round(r * 1.25);
    if (style.ring) {
      ctx.beginPath(); ctx.arc(x, y, r * 1.55, 0, TAU); ctx.fillStyle = "rgba(255,255,255,0.85)"; ctx.fill();
      ctx.strokeStyle = style.ring; ctx.lineWidth = r * 0.3; ctx.stroke();
    }
    ctx.beginPath(); ctx.arc(x, y, r + r * 0.18, 0, TAU); ctx.fillStyle = "rgba(255,255,255,0.95)"; ctx.fill();
    ctx.beginPath(); ctx.arc(x, y, r, 0, TAU);
    ctx.fillStyle = hollow ? "#ffffff" : style.fill; ctx.fill();
    ctx.strokeStyle = style.dark || style.fill; ctx.lineWidth = hollow ? r * 0.24 : r * 0.12;
    if (hollow) ctx.setLineDash([r * 0.55, r * 0.3]);
    ctx.stroke(); ctx.setLineDash([]);
    if (r < 5.2 || !style.symbol) return;
    ctx.fillStyle = hollow ? (style.dark || style.fill) : inkOn(style.fill);
    const chars = Array.from(style.symbol).length;
    ctx.font = "600 " + (chars > 1 ? size * 0.72 : size) + "px " + FONT;
    ctx.textAlign = "center"; ctx.textBaseline = "middle";
    ctx.fillText(style.symbol, x, y + size * 0.05);
  }

  function drawDot(ctx, x, y, r, style) {
    ctx.beginPath(); ctx.arc(x, y, r, 0, TAU);
    ctx.fillStyle = style.hollow ? "#ffffff" : style.fill; ctx.fill();
    ctx.lineWidth = r * 0.45; ctx.strokeStyle = style.hollow ? style.fill : "#ffffff"; ctx.stroke();
  }

  /* From a place to the symbol of it that stands beside it. */
  function drawLeader(ctx, x0, y0, x, y, style, u) {
    const colour = style.dark || style.fill;
    for (const [line, width] of [["#ffffff", 4], [colour, 1.5]]) {
      ctx.beginPath(); ctx.moveTo(x0, y0); ctx.lineTo(x, y); ctx.strokeStyle = line; ctx.lineWidth = width * u; ctx.stroke();
    }
    drawDot(ctx, x0, y0, 3 * u, { fill: colour });
  }

  /* Boxes already taken on this view, in a coarse grid so that thousands of labels stay quick. */
  function Room(size) {
    const cells = new Map();
    const each = (b, f) => {
      for (let i = Math.floor(b[0] / size); i <= Math.floor(b[2] / size); i++)
        for (let j = Math.floor(b[1] / size); j <= Math.floor(b[3] / size); j++) if (f(i + ":" + j)) return true;
      return false;
    };
    return {
      free: (b) => !each(b, (key) => (cells.get(key) || []).some(
        (o) => o[0] < b[2] && o[2] > b[0] && o[1] < b[3] && o[3] > b[1])),
      take: (b) => each(b, (key) => { if (cells.has(key)) cells.get(key).push(b); else cells.set(key, [b]); }),
    };
  }

  /* Takes room for a symbol that must be seen: beside its place, as near as there is any; over others where there is none. It hides
     none of the places of other such symbols, the way to it crosses as few symbols and ways as it can, and later ones keep off it. */
  function beside(room, x, y, r, places, inner) {
    const others = places.filter(([a, b]) => a !== x || b !== y);
    let found = [x, y], taken = [], least = Infinity;
    search: for (const far of [0, 1, 1.5, 2.05, 3, 4, 5, 6.5, 8])
      for (let way = 0; way < 16; way++) {
        const bx = x + Math.sin(Math.PI * way / 8) * far * r, by = y + Math.cos(Math.PI * way / 8) * far * r;
        if (far && (bx - r < inner[0] || by - r < inner[1] || bx + r > inner[2] || by + r > inner[3])) continue;
        if (others.some(([a, b]) => Math.max(Math.abs(a - bx), Math.abs(b - by)) <= r)) continue;
        if (!room.free([bx - r, by - r, bx + r, by + r])) continue;
        const steps = far ? Math.round(5 * far) + 1 : 0;
        const line = Array.from({ length: steps }, (_, k) => [bx + (x - bx) * k / steps, by + (y - by) * k / steps]).map(([a, b]) => [a - 1, b - 1, a + 1, b + 1]);
        const under = line.filter((box) => !room.free(box)).length;
        if (under < least) { found = [bx, by]; taken = line; least = under; }
        if (!under) break search;
      }
    [[found[0] - r, found[1] - r, found[0] + r, found[1] + r], ...taken].forEach((box) => room.take(box));
    return found;
  }

  /* Points: whole symbols where there is room, dots where there is not; never one symbol over another. `first` are those the
     map is about, placed before any name so that no name hides one; all others give way to the names of communities.
     Returns what to draw, so that dots can lie under names and symbols over them. */
  function placePoints(scene, view, room, first) {
    const full = iconRadius(view), found = { dots: [], icons: [], gates: [], leaders: [] }, theme = scene.themes[scene.current];
    const own = new Set(theme ? theme.own : []), at = ([part]) => [part[0] * view.k - view.ox, part[1] * view.k - view.oy];
    const layers = scene.layers.filter((layer) => layer.shape === "P" && shown(scene, layer, view));
    const kept = first ? layers.flatMap((layer) => layer.parts.filter((parts, i) => parts.length && layer.styleOf(i).keep).map(at)) : [];
    for (const layer of layers) {
      layer.parts.forEach((parts, i) => {
        if (!parts.length || !inView(layer.boxes[i], view, 20)) return;
        const style = layer.styleOf(i), [x, y] = at(parts);
        if (Boolean(style.keep || own.has(layer.id)) !== first) return;
        if (style.mark === "gate") { found.gates.push([x, y, style]); return; }
        const r = style.size ? style.size * view.u : full, b = [x - r, y - r, x + r, y + r], d = full * 0.42;
        if (style.keep) {  // with its rim: none of these may hide another
          const w = r * (style.ring ? 1.7 : 1.18), [bx, by] = beside(room, x, y, w, kept, view.inner);
          if (bx !== x || by !== y) found.leaders.push([x, y, bx, by, style, view.u]);
          found.icons.push([bx, by, r, style]); return;
        }
        if ((!style.near || view.zoom >= style.near) && room.free(b)) { room.take(b); found.icons.push([x, y, r, style]); return; }
        if (first) room.take([x - d, y - d, x + d, y + d]);
        found.dots.push([x, y, d, style]);
      });
    }
    return found;
  }

  function drawGate(ctx, x, y, view, style) {
    const r = (view.zoom < 16.5 ? 2.4 : 3.6) * view.u;
    ctx.fillStyle = style.fill; ctx.strokeStyle = style.line; ctx.lineWidth = 1.3 * view.u;
    ctx.fillRect(x - r, y - r, 2 * r, 2 * r); ctx.strokeRect(x - r, y - r, 2 * r, 2 * r);
  }

  /* --- labels ------------------------------------------------------------------------------------------------- */

  function halo(ctx, text, x, y, size, colour) {
    ctx.lineJoin = "round"; ctx.miterLimit = 2;
    ctx.strokeStyle = "rgba(255,253,248,0.92)"; ctx.lineWidth = Math.max(2.4, size * 0.26);
    ctx.strokeText(text, x, y);
    ctx.fillStyle = colour; ctx.fillText(text, x, y);
  }

  /* Names are a little smaller where the map is small. */
  const sizeOf = (style, view) => style.size * view.u * (view.zoom < 13.2 ? 0.84 : view.zoom < 14 ? 0.92 : 1);

  function pointLabel(ctx, label, style, view, room, out) {
    const size = sizeOf(style, view), gap = style.spacing && !isPlain(label.text) ? style.spacing * view.u : 0;
    const font = (style.italic ? "italic " : "") + style.weight + " " + size + "px " + FONT;
    ctx.font = font;
    const chars = Array.from(label.text);
    const w = ctx.measureText(label.text).width + gap * (chars.length - 1), h = size * 1.2;
    const x0 = label.p[0] * view.k - view.ox, y0 = label.p[1] * view.k - view.oy, d = (label.d || 0) * view.u;
    const tries = d
      ? [[w / 2 + d, 0], [-w / 2 - d, 0], [0, -h / 2 - d], [0, h / 2 + d]]
      : [[0, 0], [0, -h], [0, h], [-w * 0.4, 0], [w * 0.4, 0], [0, -2 * h], [0, 2 * h], [-w * 0.5, -h], [w * 0.5, h]];
    for (const [dx, dy] of tries) {
      const x = x0 + dx, y = y0 + dy, b = [x - w / 2 - 2, y - h / 2 - 1, x + w / 2 + 2, y + h / 2 + 1];
      if (b[0] < view.inner[0] || b[1] < view.inner[1] || b[2] > view.inner[2] || b[3] > view.inner[3]) continue;
      if (!room.free(b)) continue;
      room.take(b);
      out.push(() => {
        ctx.font = font; ctx.textBaseline = "middle"; ctx.textAlign = gap ? "left" : "center";
        let at = x - w / 2;
        if (!gap) halo(ctx, label.text, x, y, size, style.colour);
        else for (const c of chars) { halo(ctx, c, at, y, size, style.colour); at += ctx.measureText(c).width + gap; }
      });
      return true;
    }
    return false;
  }

  /* The stretches of a line that lie in view, as screen points with their distance along the line. */
  function stretches(parts, view) {
    const out = [], m = view.inner;
    for (const part of parts) {
      const run = [];
      let at = 0;
      for (let i = 0; i < part.length; i += 2) {
        const x = part[i] * view.k - view.ox, y = part[i + 1] * view.k - view.oy;
        if (i) at += Math.hypot(x - run[run.length - 1][0], y - run[run.length - 1][1]);
        run.push([x, y, at]);
      }
      // Cut the run to the part in view by walking it in short steps.
      let piece = [];
      const step = 8 * view.u;
      for (let i = 1; i < run.length; i++) {
        const [ax, ay, as] = run[i - 1], [bx, by, bs] = run[i], n = Math.max(1, Math.ceil((bs - as) / step));
        if (n > 4000) { piece = []; continue; }
        for (let j = i === 1 ? 0 : 1; j <= n; j++) {
          const t = j / n, x = ax + (bx - ax) * t, y = ay + (by - ay) * t;
          if (x > m[0] && x < m[2] && y > m[1] && y < m[3]) piece.push([x, y, as + (bs - as) * t]);
          else { if (piece.length > 1) out.push(piece); piece = []; }
        }
      }
      if (piece.length > 1) out.push(piece);
    }
    return out.sort((a, b) => b[b.length - 1][2] - b[0][2] - (a[a.length - 1][2] - a[0][2]));
  }

  function along(run, s) {
    let lo = 0, hi = run.length - 1;
    while (hi - lo > 1) { const mid = (lo + hi) >> 1; if (run[mid][2] <= s) lo = mid; else hi = mid; }
    const a = run[lo], b = run[hi], t = b[2] > a[2] ? (s - a[2]) / (b[2] - a[2]) : 0;
    return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
  }

  /* A name along its line. Chinese characters follow a flat line turned with it, and stand upright, one under the
     other, where the line is steep; Latin text is turned as a whole. */
  function lineLabel(ctx, label, style, view, room, out) {
    const size = sizeOf(style, view), plain = isPlain(label.text), font = style.weight + " " + size + "px " + FONT;
    ctx.font = font;
    const chars = plain ? [label.text] : Array.from(label.text);
    const wide = chars.map((c) => ctx.measureText(c).width + (plain ? 0 : (style.spacing || 0) * view.u));
    const length = wide.reduce((a, b) => a + b, 0), ahead = [];
    wide.reduce((a, b) => { ahead.push(a + b / 2); return a + b; }, 0);
    for (const run of stretches(label.parts, view).slice(0, 3)) {
      const s0 = run[0][2], total = run[run.length - 1][2] - s0;
      if (total < length * 1.25) continue;
      for (const f of [0.5, 0.35, 0.65, 0.22, 0.78, 0.12, 0.88]) {
        const start = s0 + total * f - length / 2;
        if (start < s0 || start + length > s0 + total) continue;
        const a = along(run, start), b = along(run, start + length), chord = Math.hypot(b[0] - a[0], b[1] - a[1]);
        if (chord < length * 0.93) continue;
        const steep = Math.abs(b[1] - a[1]) > Math.abs(b[0] - a[0]);
        const back = steep && !plain ? b[1] < a[1] : b[0] < a[0];
        const at = ahead.map((a) => start + (back ? length - a : a));
        const places = at.map((s) => along(run, s));
        let turn = Math.atan2(b[1] - a[1], b[0] - a[0]);
        if (back) turn += Math.PI;
        if (steep && !plain) turn -= Math.PI / 2;
        const half = size * 0.62;
        const boxes = plain
          ? [0.1, 0.3, 0.5, 0.7, 0.9].map((t) => along(run, start + length * t))
            .map(([x, y]) => [x - length * 0.1, y - half, x + length * 0.1, y + half])
          : places.map(([x, y]) => [x - half, y - half, x + half, y + half]);
        if (!boxes.every((box) => room.free(box))) continue;
        boxes.forEach((box) => room.take(box));
        out.push(() => places.forEach(([x, y], i) => {
          ctx.save(); ctx.translate(x, y); ctx.rotate(turn);
          ctx.font = font; ctx.textAlign = "center"; ctx.textBaseline = "middle";
          halo(ctx, chars[i], 0, 0, size, style.colour);
          ctx.restore();
        }));
        return true;
      }
    }
    return false;
  }

  function placeLabels(ctx, scene, view, room, first, out) {
    if (scene.off.has("labels")) return;
    for (const label of scene.labels) {
      if ((label.f === 1) !== first) continue;
      if (view.zoom < label.z || (label.y && !isOn(scene, label.y)) || (label.max && view.zoom > label.max)) continue;
      const style = scene.style.labels[label.k];
      if (label.parts) {
        if (inView(label.box, view, 0)) lineLabel(ctx, label, style, view, room, out);
        continue;
      }
      const x = label.p[0] * view.k - view.ox, y = label.p[1] * view.k - view.oy;
      if (x < 0 || x > view.w || y < 0 || y > view.h) continue;
      if (pointLabel(ctx, label, style, view, room, out) && label.d && label.k === "place") {
        out.push(() => { ctx.beginPath(); ctx.arc(x, y, 2 * view.u, 0, TAU); ctx.fillStyle = scene.style.place.line; ctx.fill(); });
      }
    }
  }

  /* --- what is on --------------------------------------------------------------------------------------------- */

  const isOn = (scene, id) => !scene.off.has(id);
  const shown = (scene, layer, view) => isOn(scene, layer.id) && (!layer.z || view.zoom >= layer.z);

  function paint(ctx, scene, view) {
    ctx.save();
    ctx.scale(view.ratio, view.ratio);
    if (scene.tiles && !ctx.hatch) ctx.clearRect(0, 0, view.w, view.h);
    else { ctx.fillStyle = scene.style.paper; ctx.fillRect(0, 0, view.w, view.h); }
    for (const layer of scene.layers) {
      if (layer.id === "veil") drawVeil(ctx, scene, layer, view);
      else if (!shown(scene, layer, view)) continue;
      else if (layer.shape === "A") drawAreas(ctx, layer, view);
      else if (layer.shape === "L") drawLines(ctx, layer, view);
    }
    const room = Room(64);
    for (const b of view.covered || []) room.take(b); // no name lies under the search, the buttons or the scale
    if (ctx.hatch) { // on paper north arrow and scale lie on the map
      room.take([view.w - 92, 20, view.w - 20, 104]);
      room.take([20, view.h - 70, 200, view.h - 16]);
    }
    const kept = placePoints(scene, view, room, true), names = [], rest = [];
    placeLabels(ctx, scene, view, room, true, names);
    const others = placePoints(scene, view, room, false);
    placeLabels(ctx, scene, view, room, false, rest);
    others.gates.forEach(([x, y, style]) => drawGate(ctx, x, y, view, style));
    others.dots.concat(kept.dots).forEach((dot) => drawDot(ctx, ...dot));
    rest.forEach((draw) => draw());
    names.forEach((draw) => draw());
    kept.leaders.forEach((leader) => drawLeader(ctx, ...leader));
    others.icons.reverse().concat(kept.icons.reverse()).forEach((icon) => drawIcon(ctx, ...icon));
    if (scene.mark) drawMark(ctx, scene.mark, view);
    ctx.restore();
  }

  /* The watermark is fixed to the ground, so that it does not jump when the map is moved. */
  const marks = new Map();
  function drawMark(ctx, text, view) {
    if (ctx.hatch) { ctx.mark(text); return; }
    const font = "700 " + 25 * view.u + "px " + FONT, key = [text, view.u, view.ratio].join("|");
    ctx.font = font;
    const w = Math.ceil(2 * ctx.measureText(text).width + 180 * view.u), h = Math.ceil(w * 0.48);
    if (!marks.has(key)) {
      const c = document.createElement("canvas"), x = c.getContext("2d");
      c.width = Math.round(w * view.ratio); c.height = Math.round(h * view.ratio);
      x.scale(c.width / w, c.height / h);
      x.fillStyle = "rgba(120,40,60,0.10)"; x.font = font;
      x.textAlign = "center"; x.textBaseline = "middle";
      for (const [cx, cy] of [[w / 4, h / 4], [(w * 3) / 4, (h * 3) / 4]]) {
        x.save(); x.translate(cx, cy); x.rotate(-0.4); x.fillText(text, 0, 0); x.restore();
      }
      marks.set(key, c);
    }
    const pattern = ctx.createPattern(marks.get(key), "repeat");
    pattern.setTransform(new DOMMatrix().translate(-(view.ox % w), -(view.oy % h)).scale(1 / view.ratio));
    ctx.fillStyle = pattern; ctx.fillRect(0, 0, view.w, view.h);
  }

  function drawVeil(ctx, scene, layer, view) {
    ctx.beginPath(); ctx.rect(0, 0, view.w, view.h);
    for (const parts of layer.parts) for (const part of parts) trace(ctx, part, view, true);
    ctx.fillStyle = scene.style.veil; ctx.fill("evenodd");
  }

  /* Leaflet moves and zooms the canvas; this redraws it when the view comes to rest. */
  const Drawing = L.Renderer.extend({
    options: { padding: 0.25, pane: "xh-base" },
    initialize: function (scene) { L.Renderer.prototype.initialize.call(this); this.scene = scene; },
    _initContainer: function () {
      const canvas = (name) => { const c = make("canvas", name); c.setAttribute("aria-hidden", "true"); return c; };
      this._sides = [[this.scene, canvas("xh-canvas")]];
      this._container = this._sides[0][1];
      if (!this.scene.past) return;
      // The earlier state lies over the later one and is cut at the divider.
      this._sides.push([this.scene.past, canvas("xh-canvas xh-past")]);
      this._container = make("div", "xh-both");
      this._sides.forEach(([, c]) => this._container.appendChild(c));
    },
    _destroyContainer: function () { this._container.remove(); },
    _updatePaths: function () {},
    _update: function () {
      if (this._map._animatingZoom && this._bounds) return;
      L.Renderer.prototype._update.call(this);
      this.redraw();
    },
    redraw: function () {
      const map = this._map, b = this._bounds, size = b.getSize();
      const ratio = window.devicePixelRatio || 1, zoom = map.getZoom(), origin = map.getPixelOrigin();
      L.DomUtil.setPosition(this._container, b.min);
      const m = map.getSize(), px = (size.x - m.x) / 2, py = (size.y - m.y) / 2, here = map.getContainer().getBoundingClientRect();
      const covered = Array.from(document.querySelectorAll("#xh-q, #xh-tools, .xh-rule"), (e) => e.getBoundingClientRect()).filter((r) => r.width)
        .map((r) => [r.left - here.left + px, r.top - here.top + py, r.right - here.left + px, r.bottom - here.top + py]);
      for (const [scene, c] of this._sides) {
        c.width = size.x * ratio; c.height = size.y * ratio;
        c.style.width = size.x + "px"; c.style.height = size.y + "px";
        paint(c.getContext("2d"), scene, {
          zoom: zoom - Math.log2(unit()), k: Math.pow(2, zoom), ox: origin.x + b.min.x, oy: origin.y + b.min.y,
          w: size.x, h: size.y, u: unit(), ratio: ratio, inner: [px + 4, py + 4, px + m.x - 4, py + m.y - 4], covered,
        });
      }
      this.cut();
    },
    cut: function () {
      if (!this.scene.past || !this._bounds || !this._map) return;
      const map = this._map, size = this._bounds.getSize();
      const x = map.containerPointToLayerPoint([this.scene.split * map.getSize().x, 0]).x - this._bounds.min.x;
      this._sides[1][1].style.clipPath = "inset(0 " + Math.max(0, size.x - x) + "px 0 0)";
    },
  });

  const unit = () => (parseFloat(getComputedStyle(document.documentElement).fontSize) || 16) / 16;

  /* --- what lies under the pointer ----------------------------------------------------------------------------- */

  function inside(parts, x, y) {
    let odd = false;
    for (const p of parts) for (let i = 0, j = p.length - 2; i < p.length; j = i, i += 2) {
      if (p[i + 1] > y !== p[j + 1] > y && x < ((p[j] - p[i]) * (y - p[i + 1])) / (p[j + 1] - p[i + 1]) + p[i]) odd = !odd;
    }
    return odd;
  }

  function hit(scene, map, latlng) {
    const w = map.project(latlng, 0), k = Math.pow(2, map.getZoom()), reach = (iconRadius({ zoom: map.getZoom(), u: unit() }) + 4) / k;
    const view = { zoom: map.getZoom() - Math.log2(unit()) };
    let best = null, near = reach;
    for (const layer of scene.layers) {
      if (layer.shape !== "P" || !layer.n || !shown(scene, layer, view)) continue;
      layer.parts.forEach((p, i) => {
        if (!p.length) return;
        const d = Math.hypot(p[0][0] - w.x, p[0][1] - w.y);
        if (d < near) { near = d; best = [layer, i]; }
      });
    }
    if (best) return best;
    for (let j = scene.layers.length - 1; j >= 0; j--) {
      const layer = scene.layers[j];
      if (layer.shape !== "A" || !layer.n || !layer.ask || !shown(scene, layer, view)) continue;
      for (let i = layer.parts.length - 1; i >= 0; i--) {
        const b = layer.boxes[i];
        if (w.x >= b[0] && w.x <= b[2] && w.y >= b[1] && w.y <= b[3] && inside(layer.parts[i], w.x, w.y)) return [layer, i];
      }
    }
    return null;
  }

  function tableOf(scene, layer, i) {
    const box = make("div", "xh-pop"), table = make("table"), body = make("tbody");
    box.appendChild(make("h2", "", cell(layer.n, i) || layer.label));
    const theme = scene.themes[scene.current];
    const rows = theme && theme.layer === layer.id ? theme.table.concat(layer.table) : layer.table;
    const state = theme && theme.layer === layer.id ? layer.styleOf(i) : null;
    if (state && state.label) {
      const tag = make("p", "xh-tag"), s = make("span", "xh-swatch"); paintSwatch(s, state);
      tag.appendChild(s); tag.appendChild(document.createTextNode(state.label)); box.appendChild(tag);
    }
    for (const column of rows) {
      const v = cell(column, i);
      if (v === "") continue;
      const tr = make("tr");
      tr.appendChild(make("th", "", column.k));
      tr.appendChild(make("td", v === null || v === undefined ? "none" : "", v === null || v === undefined ? scene.t.unknown : v));
      body.appendChild(tr);
    }
    table.appendChild(body);
    if (body.children.length) box.appendChild(table);
    return box;
  }

  const centreOf = (layer, i) => {
    const p = layer.c && layer.c[i] ? layer.c[i] : null;
    if (p) return p;
    if (layer.shape === "P" || layer.shape === "N") return [layer.parts[i][0][0], layer.parts[i][0][1]];
    if (layer.shape === "L") { const q = layer.parts[i][0], m = (q.length >> 2) * 2; return [q[m], q[m + 1]]; }
    const b = layer.boxes[i];
    return [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2];
  };
  const latLng = (map, p) => map.unproject(L.point(p[0], p[1]), 0);

  function highlight(app, layer, i) {
    if (app.glow) { app.glow.remove(); app.glow = null; }
    if (!layer) return;
    const rings = layer.parts[i].map((p) => {
      const ring = [];
      for (let j = 0; j < p.length; j += 2) ring.push(latLng(app.map, [p[j], p[j + 1]]));
      return ring;
    });
    const style = { color: "#b02040", weight: 3, fill: false, interactive: false, pane: "xh-glow" };
    app.glow = layer.shape === "A" ? L.polygon(rings, style)
      : layer.shape === "L" ? L.polyline(rings, Object.assign(style, { weight: 6, opacity: 0.55 }))
        : L.circleMarker(latLng(app.map, centreOf(layer, i)), Object.assign(style, { radius: 15 * unit() }));
    app.glow.addTo(app.map);
  }

  function openPopup(app, layer, i, at, scene) {
    highlight(app, layer, i);
    app.popup.setLatLng(at || latLng(app.map, centreOf(layer, i))).setContent(tableOf(scene || app.scene, layer, i)).openOn(app.map);
  }

  function goTo(app, layer, i) {
    if (!isOn(app.scene, layer.id)) toggle(app, [layer.id], true);
    const p = latLng(app.map, centreOf(layer, i));
    app.map.closePopup();
    if (layer.shape === "L") {
      const b = layer.boxes[i];
      app.map.fitBounds(L.latLngBounds(latLng(app.map, [b[0], b[1]]), latLng(app.map, [b[2], b[3]])).pad(0.2), { animate: false, maxZoom: 17 });
      highlight(app, layer, i);
      return;
    }
    app.map.setView(p, Math.max(app.map.getZoom(), 15.5), { animate: false });
    openPopup(app, layer, i, p);
  }

  /* --- the panel ----------------------------------------------------------------------------------------------- */

  function paintSwatch(e, style, shape) {
    e.textContent = "";
    if (shape === "P") {
      const c = make("canvas"), r = style.ring ? 6.6 : 9, ratio = 3;
      c.width = c.height = 24 * ratio; c.className = "xh-icon";
      const x = c.getContext("2d"); x.scale(ratio, ratio);
      if (style.mark === "gate") drawGate(x, 12, 12, { zoom: 18, u: 1.2 }, style);
      else drawIcon(x, 12, 12, r, style);
      e.appendChild(c);
      return;
    }
    const s = svg("svg", { viewBox: "0 0 26 16", class: "xh-key", "aria-hidden": "true" });
    if (shape === "L") {
      const w = Math.min(6, Math.max(1.2, widthAt(style.width || 1, 15)));
      if (style.casing) s.appendChild(svg("path", { d: "M1 8H25", stroke: style.casing, "stroke-width": w + (style.extra ? Math.min(style.extra, 6) : 1.8), fill: "none" }));
      s.appendChild(svg("path", { d: "M1 8H25", stroke: style.line, "stroke-width": w, fill: "none", "stroke-dasharray": (style.dash || []).join(" ") || "none" }));
    } else {
      s.appendChild(svg("rect", { x: 1, y: 1, width: 24, height: 14, rx: 1.5, fill: style.fill || "none", "fill-opacity": style.opacity === undefined ? 1 : style.opacity,
        stroke: style.line || "#00000033", "stroke-width": Math.min(style.width && !Array.isArray(style.width) ? style.width : 1, 2), "stroke-dasharray": (style.dash || []).join(" ") || "none" }));
      if (style.hatch) for (let i = -1; i < 5; i++) s.appendChild(svg("path", { d: "M" + (i * 6 + 1) + " 15l" + 13 + " -14", stroke: style.hatch, "stroke-width": 1.1, "clip-path": "inset(0)" }));
    }
    e.appendChild(s);
  }

  function toggle(app, ids, on) {
    ids.forEach((id) => (on ? app.scene.off.delete(id) : app.scene.off.add(id)));
    app.refresh();
  }

  function check(app, ids, label, count, swatch) {
    const row = make("label", "xh-row"), box = make("input");
    box.type = "checkbox"; box.checked = ids.some((id) => isOn(app.scene, id)); box.dataset.ids = ids.join(" ");
    row.classList.toggle("off", !box.checked);
    box.addEventListener("change", () => toggle(app, ids, box.checked));
    row.appendChild(box);
    if (swatch) { const s = make("span", "xh-swatch"); paintSwatch(s, swatch[0], swatch[1]); row.appendChild(s); }
    row.appendChild(make("span", "xh-name", label));
    row.title = label;
    if (count !== undefined && count !== "") row.appendChild(make("span", "xh-count", count));
    return row;
  }

  function section(parent, title, className) {
    const s = make("section", className);
    if (title) s.appendChild(make("h2", "", title));
    parent.appendChild(s);
    return s;
  }

  function facts(box, theme) {
    for (const fact of theme.facts) {
      const p = make("div", "xh-fact");
      p.appendChild(make("b", "", fact.big)); p.appendChild(make("span", "", fact.text));
      if (fact.tag) p.appendChild(make("em", "", fact.tag));
      box.appendChild(p);
    }
    theme.notes.forEach((n) => box.appendChild(make("p", "xh-note", n)));
  }

  function buildTheme(app) {
    const scene = app.scene, theme = scene.themes[scene.current], box = $("xh-theme");
    box.textContent = "";
    if (!theme) { box.hidden = true; return; }
    box.hidden = false;
    const past = scene.past ? scene.past.themes[scene.current] : null;
    if (past) box.appendChild(make("h2", "", scene.sides[0]));
    if (past) facts(box, past);
    if (past) box.appendChild(make("h2", "", scene.sides[1]));
    facts(box, theme);
    if (theme.modes.length > 1) {
      const group = make("div", "xh-modes"); group.setAttribute("role", "radiogroup");
      theme.modes.forEach((mode, j) => {
        const l = make("label"), r = make("input");
        r.type = "radio"; r.name = "xh-mode"; r.checked = j === scene.mode;
        r.addEventListener("change", () => { scene.mode = j; app.refresh(); buildTheme(app); });
        l.appendChild(r); l.appendChild(document.createTextNode(mode.label)); group.appendChild(l);
      });
      box.appendChild(group);
    }
    const mode = theme.modes[scene.mode], key = make("div", "xh-classes");
    key.appendChild(make("h2", "", mode.title));
    const old = past ? past.modes[scene.mode] : null;
    mode.styles.forEach((style, j) => {
      if (!mode.counts[j] && !(old && old.counts[j]) && style.skip) return;
      const row = make("div", "xh-row plain"), s = make("span", "xh-swatch");
      paintSwatch(s, style); row.appendChild(s); row.appendChild(make("span", "xh-name", style.label));
      const count = make("span", "xh-count", mode.texts[j]);
      if (old) count.prepend(make("s", "", old.texts[j]));
      row.appendChild(count); key.appendChild(row);
    });
    box.appendChild(key);
    if (theme.missing.length) {
      const m = make("div", "xh-missing"); m.appendChild(make("h2", "", scene.t.missing));
      theme.missing.forEach(([name, i]) => {
        const b = make("button", "", name); b.type = "button";
        b.addEventListener("click", () => goTo(app, app.byId[theme.layer], i)); m.appendChild(b);
      });
      box.appendChild(m);
    }
  }

  /* Places that miss out, or what a plan changes: a list whose entries lead to the map. */
  function buildGaps(app) {
    const box = $("xh-gaps"), t = app.scene.t;
    box.textContent = "";
    box.hidden = true;
    for (const [layer, title] of [[app.byId.gaps, t.gaps], [app.byId.changed, t.changed], [app.byId.parcels, t.parcels]]) {
      if (!layer || !layer.list) continue;
      box.hidden = false;
      box.appendChild(make("h2", "", title));
      const list = make("ol");
      layer.list.forEach((entry, i) => {
        const li = make("li"), b = make("button"), mark = make("i", "", layer.id === "gaps" ? String(i + 1) : ""); b.type = "button";
        if (layer.id !== "gaps") { mark.className = "xh-mark"; paintSwatch(mark, layer.styleOf(i), layer.shape); }
        b.appendChild(mark); b.appendChild(make("b", "", entry.name));
        b.appendChild(make("span", "xh-people", entry.people));
        b.appendChild(make("span", "xh-why", entry.why));
        b.addEventListener("click", () => goTo(app, layer, i));
        li.appendChild(b); list.appendChild(li);
      });
      box.appendChild(list);
      if (layer.list.length > 5) box.appendChild(make("p", "xh-note xh-rest", fill(t.more, { n: layer.list.length - 5 })));
    }
  }

  function buildLayers(app) {
    const scene = app.scene, box = $("xh-layers");
    let few = true;
    box.textContent = "";
    for (const group of scene.groups) {
      const s = section(box, null, "xh-group " + group.id), d = make("details"), h = make("summary");
      d.open = group.open; h.appendChild(make("span", "", group.label));
      const all = [].concat(...group.rows.map((r) => r.ids));
      const b = make("button", "xh-all", scene.t.all); b.type = "button";
      b.addEventListener("click", (e) => { e.preventDefault(); toggle(app, all, !all.some((id) => isOn(scene, id))); });
      b.dataset.ids = all.join(" ");
      d.appendChild(h);
      const wide = group.id === "facilities" && group.rows.length > 8;
      const on = group.rows.filter((row) => !wide || row.ids.some((id) => isOn(scene, id)));
      const off = group.rows.filter((row) => !on.includes(row)), grids = [[d, on]];
      if (off.length) {
        const more = make("details", "xh-more");
        more.appendChild(make("summary", "", fill(scene.t.other_kinds, { n: off.length })));
        more.open = !on.length && !scene.themes.length && !app.scene.layers.some((layer) => layer.list); d.appendChild(more); grids.push([more, off]);
      }
      grids.forEach(([place, rows]) => {
        const grid = make("div", rows.length > 5 && wide ? "xh-grid two" : "xh-grid");
        rows.forEach((row) => {
          // The colours of what a theme colours are explained with the theme.
          const theme = scene.themes[scene.current], own = theme && row.ids[0] === theme.layer ? null : row.key;
          grid.appendChild(check(app, row.ids, row.label, row.count, own));
          (row.keys || []).forEach((key) => {
            const k = make("div", "xh-row plain sub"), sw = make("span", "xh-swatch");
            paintSwatch(sw, key[0], key[1]); k.appendChild(sw); k.appendChild(make("span", "xh-name", key[0].label));
            k.dataset.of = row.ids[0]; grid.appendChild(k);
          });
        });
        if (place === d) d.insertBefore(grid, d.children[1] || null); else place.appendChild(grid);
      });
      if (wide) few = on.length <= 16;
      if (group.id === "base") d.open = few;
      if (group.note) d.appendChild(make("p", "xh-note", group.note));
      s.appendChild(d);
      if (group.rows.length > 3) s.appendChild(b); // beside the head, not in it: a button in a button is none
    }
  }

  function syncLayers(app) {
    document.querySelectorAll("#xh-layers input[type=checkbox]").forEach((box) => {
      const on = box.dataset.ids.split(" ").some((id) => isOn(app.scene, id));
      box.checked = on; box.parentNode.classList.toggle("off", !on);
    });
    document.querySelectorAll("#xh-layers .sub").forEach((e) => e.classList.toggle("off", !isOn(app.scene, e.dataset.of)));
    document.querySelectorAll("#xh-layers .xh-all").forEach((b) => {
      b.textContent = b.dataset.ids.split(" ").some((id) => isOn(app.scene, id)) ? app.scene.t.nothing_shown : app.scene.t.all;
    });
    document.querySelectorAll("#xh-layers .xh-group").forEach((g) =>
      g.classList.toggle("empty", !g.querySelector("input:checked")));
  }

  /* --- themes -------------------------------------------------------------------------------------------------- */

  function setTheme(app, index) {
    const scene = app.scene, before = scene.themes[scene.current], theme = scene.themes[index];
    scene.current = index; scene.mode = theme ? theme.start || 0 : 0;
    if (theme) {
      scene.off = new Set(scene.start);
      theme.off.forEach((id) => scene.off.add(id));
      theme.on.forEach((id) => scene.off.delete(id));
    }
    if (before !== theme) highlight(app, null);
    $("xh-title").textContent = theme && theme.title ? theme.title : scene.head.title;
    document.title = $("xh-title").textContent;
    const line = $("xh-line"); line.textContent = "";
    (theme ? theme.lines : scene.head.lines).forEach((t) => line.appendChild(make("span", "", t)));
    $("xh-evidence").textContent = theme && theme.evidence ? theme.evidence : scene.head.evidence;
    buildTheme(app); buildLayers(app);
  }

  function applyTheme(app) {
    colour(app.scene, app.byId);
    if (app.scene.past) colour(app.scene.past, app.scene.past.byId);
  }

  function colour(scene, byId) {
    const theme = scene.themes[scene.current];
    for (const layer of scene.layers) if (layer.plain) { layer.styles = layer.plain[0]; layer.s = layer.plain[1]; layer.byStyle = layer.plain[2]; }
    if (!theme) return;
    const layer = byId[theme.layer], mode = theme.modes[scene.mode];
    if (!layer || !mode) return;
    if (!layer.plain) layer.plain = [layer.styles, layer.s, layer.byStyle];
    layer.styles = mode.styles; layer.s = mode.s;
    layer.byStyle = mode.styles.map(() => []);
    layer.parts.forEach((_, i) => layer.byStyle[mode.s[i]].push(i));
  }

  /* --- search -------------------------------------------------------------------------------------------------- */

  function buildSearch(app) {
    const input = $("xh-q"), list = $("xh-hits"), all = [];
    for (const layer of app.scene.layers) if (layer.n && layer.find) layer.parts.forEach((p, i) => {
      const name = cell(layer.n, i);
      if (name && p.length) all.push([name, layer, i, name.toLowerCase(), layer.id === "homes" ? 0 : /^k-/.test(layer.id) ? 1 : 2]);
    });
    let hits = [], at = -1;
    const close = () => { list.textContent = ""; list.hidden = true; at = -1; input.setAttribute("aria-expanded", "false"); };
    const choose = (h) => { input.value = h[0]; close(); goTo(app, h[1], h[2]); };
    const mark = () => Array.from(list.children).forEach((li, j) => {
      li.setAttribute("aria-selected", j === at ? "true" : "false");
      if (j === at) { li.scrollIntoView({ block: "nearest" }); input.setAttribute("aria-activedescendant", li.id); }
    });
    // "input" also fires for pasted, spoken and handwritten text, and for Chinese input methods; key events do not.
    input.addEventListener("input", () => {
      const q = input.value.trim().toLowerCase();
      list.textContent = ""; at = -1;
      if (!q) { close(); return; }
      hits = all.filter((h) => h[3].includes(q))
        .sort((a, b) => (b[3] === q) - (a[3] === q) || b[3].startsWith(q) - a[3].startsWith(q) || a[4] - b[4]).slice(0, 12);
      hits.forEach((h, j) => {
        const li = make("li", "", h[0]); li.id = "xh-hit-" + j; li.setAttribute("role", "option");
        li.appendChild(make("span", "", h[1].one || h[1].label));
        li.addEventListener("mousedown", (e) => e.preventDefault());
        li.addEventListener("click", () => choose(h)); list.appendChild(li);
      });
      if (!hits.length) list.appendChild(make("li", "none", app.scene.t.nothing));
      list.hidden = false; input.setAttribute("aria-expanded", "true");
    });
    input.addEventListener("keydown", (e) => {
      if (e.isComposing) return;
      if (e.key === "ArrowDown" || e.key === "ArrowUp") {
        if (!hits.length) return;
        at = (at + (e.key === "ArrowDown" ? 1 : hits.length - 1 + (at < 0 ? 1 : 0))) % hits.length; mark(); e.preventDefault();
      } else if (e.key === "Enter" && hits.length && !list.hidden) choose(hits[Math.max(at, 0)]);
      else if (e.key === "Escape") close();
    });
    input.addEventListener("blur", () => setTimeout(close, 150));
  }

  /* --- before and after ------------------------------------------------------------------------------------------- */

  const sideAt = (app, x) => (app.scene.past && x < app.scene.split * app.map.getSize().x ? app.scene.past : app.scene);

  /* The divider between two states: by mouse, touch, and as a slider by keys. */
  function buildSwipe(app) {
    const scene = app.scene, stage = app.map.getContainer().parentNode, bar = make("div", "xh-swipe"), tags = scene.sides.map((text) => make("span", "xh-side-tag", text));
    bar.tabIndex = 0;
    Object.entries({ role: "slider", "aria-label": scene.t.swipe, "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": "horizontal" })
      .forEach(([k, v]) => bar.setAttribute(k, v));
    bar.append(tags[0], make("i", "", "‹ ›"), tags[1]);
    stage.appendChild(bar);
    app.divide = (share) => {
      if (share !== undefined) scene.split = Math.min(1, Math.max(0, share));
      const at = scene.split * stage.clientWidth, room = [at, stage.clientWidth - at];
      bar.style.left = at + "px";
      tags.forEach((tag, i) => { tag.style.maxWidth = room[i] - 8 + "px"; tag.hidden = room[i] < 64; });
      bar.setAttribute("aria-valuenow", Math.round(100 * scene.split));
      bar.setAttribute("aria-valuetext", scene.sides[0] + " " + Math.round(100 * scene.split) + "%");
      app.drawing.cut();
    };
    const follow = (event) => app.divide((event.clientX - stage.getBoundingClientRect().left) / stage.clientWidth);
    bar.addEventListener("pointerdown", (event) => { bar.setPointerCapture(event.pointerId); event.preventDefault(); bar.focus(); });
    bar.addEventListener("pointermove", (event) => { if (bar.hasPointerCapture(event.pointerId)) follow(event); });
    bar.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      const to = { ArrowLeft: scene.split - step, ArrowDown: scene.split - step, ArrowRight: scene.split + step, ArrowUp: scene.split + step,
        PageDown: scene.split - 0.1, PageUp: scene.split + 0.1, Home: 0, End: 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault(); app.divide(to);
    });
    app.map.on("move zoomend", () => app.drawing.cut());
    app.map.on("resize", () => app.divide());
    app.divide();
  }

  /* --- scale and north ------------------------------------------------------------------------------------------ */

  const niceLength = (limit) => {
    const p = Math.pow(10, Math.floor(Math.log10(limit)));
    return [5, 3, 2, 1].map((m) => m * p).find((v) => v <= limit) || p;
  };
  const metresPerPixel = (map, zoom, lat) => (40075016.686 * Math.cos((lat * Math.PI) / 180)) / (256 * Math.pow(2, zoom));

  function updateScale(app) {
    const map = app.map, mpp = metresPerPixel(map, map.getZoom(), map.getCenter().lat);
    const metres = niceLength(mpp * 150 * unit()), px = metres / mpp, box = $("xh-scale");
    box.style.width = px + "px";
    const t = (m) => (m >= 1000 ? m / 1000 + " km" : m + " m");
    box.querySelectorAll("span").forEach((s, i) => {
      s.textContent = i === 0 ? "0" : i === 1 && px < 120 * unit() ? "" : t((metres * i) / 2);
    });
  }

  /* --- print ----------------------------------------------------------------------------------------------------- */

  /* Takes the strokes of a canvas and writes them down as SVG: on paper lines and letters stay sharp at any size. */
  function Paper(w, h, own, parts) {
    const root = svg("svg", { viewBox: "0 0 " + w + " " + h, preserveAspectRatio: "xMidYMid meet", width: 100 / parts + "%", height: "100%" });
    const defs = svg("defs", {}), pen = document.createElement("canvas").getContext("2d"), patterns = new Map(), stack = [];
    root.appendChild(defs);
    let matrix = new DOMMatrix(), d = [], dash = [], halo = null;
    const n = (v) => Math.round(v * 10) / 10;
    const me = {
      fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, lineCap: "butt", lineJoin: "miter", globalAlpha: 1,
      font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", root: root,
      save() { stack.push([matrix, me.fillStyle, me.strokeStyle, me.lineWidth, me.globalAlpha, me.font, me.textAlign, me.textBaseline]); },
      restore() {
        [matrix, me.fillStyle, me.strokeStyle, me.lineWidth, me.globalAlpha, me.font, me.textAlign, me.textBaseline] = stack.pop();
      },
      scale(x, y) { matrix = matrix.scale(x, y); },
      translate(x, y) { matrix = matrix.translate(x, y); },
      rotate(a) { matrix = matrix.rotate((a * 180) / Math.PI); },
      beginPath() { d = []; },
      moveTo(x, y) { d.push("M" + n(x) + " " + n(y)); },
      lineTo(x, y) { d.push("L" + n(x) + " " + n(y)); },
      closePath() { d.push("Z"); },
      rect(x, y, a, b) { d.push("M" + n(x) + " " + n(y) + "h" + n(a) + "v" + n(b) + "h" + n(-a) + "Z"); },
      arc(x, y, r) { d.push("M" + n(x + r) + " " + n(y) + "a" + n(r) + " " + n(r) + " 0 1 1 " + n(-2 * r) + " 0a" + n(r) + " " + n(r) + " 0 1 1 " + n(2 * r) + " 0Z"); },
      setLineDash(v) { dash = v; },
      fill(rule) { put("path", { d: d.join(""), fill: me.fillStyle, "fill-rule": rule || "nonzero", "fill-opacity": me.globalAlpha }); },
      stroke() {
        put("path", { d: d.join(""), fill: "none", stroke: me.strokeStyle, "stroke-width": n(me.lineWidth), "stroke-linecap": me.lineCap,
          "stroke-linejoin": me.lineJoin, "stroke-dasharray": dash.length ? dash.map(n).join(" ") : "none" });
      },
      fillRect(x, y, a, b) { put("rect", { x: n(x), y: n(y), width: n(a), height: n(b), fill: me.fillStyle }); },
      strokeRect(x, y, a, b) { put("rect", { x: n(x), y: n(y), width: n(a), height: n(b), fill: "none", stroke: me.strokeStyle, "stroke-width": n(me.lineWidth) }); },
      measureText(t) { pen.font = me.font; return pen.measureText(t); },
      strokeText() { halo = [me.strokeStyle, me.lineWidth]; },
      fillText(t, x, y) {
        const e = put("text", { x: n(x), y: n(y), fill: me.fillStyle, "text-anchor": { center: "middle", left: "start" }[me.textAlign] || "start",
          "dominant-baseline": me.textBaseline === "middle" ? "central" : "auto" });
        e.style.font = me.font; e.textContent = t;
        if (halo) {
          e.setAttribute("stroke", halo[0]); e.setAttribute("stroke-width", n(halo[1]));
          e.setAttribute("paint-order", "stroke"); e.setAttribute("stroke-linejoin", "round");
        }
        halo = null;
      },
      hatch(style) {
        const key = style.fill + style.hatch;
        if (!patterns.has(key)) {
          const id = own + patterns.size, p = svg("pattern", { id: id, width: 7, height: 7, patternUnits: "userSpaceOnUse" });
          if (style.fill) p.appendChild(svg("rect", { width: 7, height: 7, fill: style.fill }));
          p.appendChild(svg("path", { d: "M0 7 7 0M-3.5 3.5 3.5-3.5M3.5 10.5 10.5 3.5", stroke: style.hatch, "stroke-width": 1.15 }));
          defs.appendChild(p); patterns.set(key, "url(#" + id + ")");
        }
        return patterns.get(key);
      },
      mark(text) {
        me.save(); me.font = "700 25px " + FONT; me.fillStyle = "rgba(120,40,60,0.10)"; me.textAlign = "center";
        const step = me.measureText(text).width + 90;
        for (let j = 0; j * step * 0.48 < h + step; j++) for (let i = -1; i * step < w + step; i++) {
          me.save(); me.translate(i * step + (j % 2 ? step / 2 : 0), 60 + j * step * 0.48); me.rotate(-0.4); me.fillText(text, 0, 0); me.restore();
        }
        me.restore();
      },
    };
    function put(tag, attributes) {
      const e = svg(tag, attributes);
      if (!matrix.isIdentity) e.setAttribute("transform", "matrix(" + [matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f].map((v) => Math.round(v * 1e4) / 1e4).join(" ") + ")");
      root.appendChild(e);
      return e;
    }
    return me;
  }

  /* The sheet for the printer is drawn anew, at the shape its place has on paper; two states side by side. */
  function preparePrint(app) {
    const box = $("xh-print"), root = document.documentElement, side = $("xh-side");
    root.classList.add("xh-paper"); root.style.setProperty("--fit", 1);
    // The column is made smaller where the legend is longer than the sheet.
    let fit = 1;
    for (let i = 0; i < 6 && side.scrollHeight > side.clientHeight + 1 && fit > 0.5; i++) {
      fit = Math.max(0.5, fit * Math.min(0.97, Math.sqrt(side.clientHeight / side.scrollHeight)));
      root.style.setProperty("--fit", fit.toFixed(3));
    }
    const sides = app.scene.past ? [app.scene.past, app.scene] : [app.scene], w = 1240 / sides.length;
    const h = Math.round((1240 * box.clientHeight) / Math.max(1, box.clientWidth));
    box.replaceChildren(...sides.map((scene, i) => sheetOf(app, scene, app.scene.past ? app.scene.sides[i] : "", w, h, i, sides.length)));
  }

  function sheetOf(app, scene, name, w, h, index, n) {
    const map = app.map, b = map.getBounds(), paper = Paper(w, h, "xh-hatch-" + index + "-", n);
    const world = [map.project(b.getNorthWest(), 0), map.project(b.getSouthEast(), 0)];
    const zoom = Math.log2(Math.min(w / (world[1].x - world[0].x), h / (world[1].y - world[0].y)));
    const k = Math.pow(2, zoom), cx = (world[0].x + world[1].x) / 2, cy = (world[0].y + world[1].y) / 2;
    paint(paper, scene, { zoom: zoom, k: k, ox: cx * k - w / 2, oy: cy * k - h / 2, w: w, h: h, u: 1, ratio: 1, inner: [22, 22, w - 22, h - 22] });
    const mpp = metresPerPixel(map, zoom, map.getCenter().lat), metres = niceLength(mpp * 200), px = metres / mpp;
    const t = (m) => (m >= 1000 ? m / 1000 + " km" : m + " m");
    paper.save();
    paper.fillStyle = "rgba(255,253,249,0.9)"; paper.fillRect(24, h - 66, px + 62, 42);
    paper.fillStyle = "#fff"; paper.strokeStyle = "#2b3138"; paper.lineWidth = 1; paper.fillRect(38, h - 40, px, 6);
    paper.fillStyle = "#2b3138"; paper.fillRect(38, h - 40, px / 2, 6); paper.strokeRect(38, h - 40, px, 6);
    paper.font = "12px " + FONT; paper.textAlign = "center";
    ["0", t(metres / 2), t(metres)].forEach((s, i) => paper.fillText(s, 38 + (px * i) / 2, h - 46));
    if (name) {
      paper.font = "700 20px " + FONT; paper.textAlign = "left";
      paper.fillStyle = "rgba(255,253,249,0.92)"; paper.fillRect(22, 20, paper.measureText(name).width + 28, 36);
      paper.fillStyle = "#8a3b52"; paper.fillText(name, 36, 45); paper.textAlign = "center";
    }
    paper.translate(w - 56, 60);
    paper.fillStyle = "#2b3138";
    paper.beginPath(); paper.moveTo(0, -24); paper.lineTo(10, 14); paper.lineTo(0, 7); paper.closePath(); paper.fill();
    paper.beginPath(); paper.moveTo(0, -24); paper.lineTo(-10, 14); paper.lineTo(0, 7); paper.closePath();
    paper.fillStyle = "#fff"; paper.fill(); paper.stroke();
    paper.fillStyle = "#2b3138"; paper.font = "700 15px " + FONT; paper.fillText(app.scene.t.north, 0, 30);
    paper.restore();
    return paper.root;
  }

  /* --- start ----------------------------------------------------------------------------------------------------- */

  function buttons(app) {
    const t = app.scene.t, bar = $("xh-tools");
    const icons = {
      in: "M8 3v10M3 8h10", out: "M3 8h10", whole: "M2.5 7 8 2.5 13.5 7M4 6.5v7h8v-7M7 13.5v-4h2v4",
      full: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10", print: "M4.5 6V2.5h7V6M4.5 11.5h-2V6h11v5.5h-2M4.5 9.5h7v4h-7z",
    };
    const add = (id, label, act) => {
      const b = make("button"); b.type = "button"; b.title = label; b.id = "xh-do-" + id; b.setAttribute("aria-label", label);
      b.appendChild(svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, [svg("path", { d: icons[id] })]));
      b.addEventListener("click", act); bar.appendChild(b);
    };
    add("in", t.zoom_in, () => app.map.zoomIn(1));
    add("out", t.zoom_out, () => app.map.zoomOut(1));
    add("whole", t.whole, () => app.map.fitBounds(app.scene.whole));
    if (document.documentElement.requestFullscreen) add("full", t.full, () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else document.documentElement.requestFullscreen().catch(() => {});
    });
    add("print", t.print, () => window.print());
  }

  /* The theme that the address asks for (map.html#rule), -1 where it asks for none. */
  function asked(scene) {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch (e) { return -1; }
    return id ? scene.themes.findIndex((theme) => theme.id === id) : -1;
  }

  function buildChooser(app) {
    const scene = app.scene, box = $("xh-choose");
    if (scene.themes.length < 2) { box.hidden = true; return; }
    const s = $("xh-select");
    scene.themes.forEach((theme, i) => { const o = make("option", "", theme.label); o.value = i; s.appendChild(o); });
    const show = (index) => { setTheme(app, index); app.refresh(); };
    s.value = scene.current;
    s.addEventListener("change", () => show(Number(s.value)));
    window.addEventListener("hashchange", () => { const i = asked(scene); if (i >= 0) { s.value = i; show(i); } });
  }

  function start(map, scene) {
    scene.off = new Set(scene.start); scene.mode = 0;
    scene.current = Math.max(asked(scene), scene.current);
    scene.layers.forEach((layer) => readLayer(layer, scene.origin));
    const readLabel = (label) => {
      if (label.l) { label.parts = label.l.map((f) => readPart(f, scene.origin)); label.box = boxOf(label.parts); delete label.l; }
      else { const p = readPart(label.p, scene.origin); label.p = [p[0], p[1]]; }
    };
    const middles = (layer) => {
      if (layer.at) { layer.c = layer.at.map((f) => { const p = readPart(f, scene.origin); return [p[0], p[1]]; }); delete layer.at; }
    };
    scene.labels.forEach(readLabel);
    const app = { map: map, scene: scene, byId: {}, glow: null };
    scene.layers.forEach((layer) => { app.byId[layer.id] = layer; middles(layer); });
    if (scene.past) {
      // What is the same on both sides travels once; what is switched on and chosen is always the same.
      const past = Object.assign(Object.create(scene), scene.past, { past: null, byId: {} });
      past.layers = past.layers.map((layer) => (typeof layer === "string" ? Object.assign({}, app.byId[layer]) : readLayer(layer, scene.origin)));
      past.layers.forEach((layer) => { past.byId[layer.id] = layer; middles(layer); });
      if (past.labels) past.labels.forEach(readLabel); else past.labels = scene.labels;
      scene.past = past; scene.split = 0.5;
    }
    if (scene.tiles) scene.tiles.addresses.forEach((address) => L.tileLayer(address, { maxNativeZoom: scene.tiles.max_zoom, maxZoom: 20 }).addTo(map));
    map.createPane("xh-base").style.zIndex = 250;
    map.createPane("xh-glow").style.zIndex = 450;
    map.getPane("xh-glow").style.pointerEvents = "none";
    app.drawing = new Drawing(scene);
    app.popup = L.popup({ maxWidth: 300 * unit(), autoPanPadding: [16, 16] });
    app.refresh = () => { applyTheme(app); if (app.drawing._map) app.drawing.redraw(); syncLayers(app); };
    map.on("popupclose", () => highlight(app, null));
    map.on("click", (e) => {
      const side = sideAt(app, e.containerPoint.x), h = hit(side, map, e.latlng);
      if (h) openPopup(app, h[0], h[1], h[0].shape === "P" ? null : e.latlng, side);
    });
    const tip = L.tooltip({ direction: "top", offset: [0, -10], opacity: 0.95 });
    let waiting = false;
    map.on("mousemove", (e) => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        const h = hit(sideAt(app, e.containerPoint.x), map, e.latlng), name = h && cell(h[0].n, h[1]);
        map.getContainer().style.cursor = h ? "pointer" : "";
        if (!name) { tip.remove(); return; }
        tip.setLatLng(e.latlng).setContent(make("span", "", name));
        if (!map.hasLayer(tip)) tip.addTo(map);
      });
    });
    map.on("mouseout dragstart zoomstart", () => tip.remove());
    map.on("zoomend moveend", () => updateScale(app));
    buttons(app); buildChooser(app); buildGaps(app); buildSearch(app);
    setTheme(app, scene.current);
    $("xh-open").addEventListener("click", () => {
      const on = document.body.classList.toggle("xh-panel-open");
      $("xh-open").setAttribute("aria-expanded", on ? "true" : "false");
    });
    applyTheme(app);
    map.fitBounds(scene.bounds, { animate: false });
    app.drawing.addTo(map);
    app.refresh(); updateScale(app);
    new ResizeObserver(() => { map.invalidateSize({ animate: false }); if (app.divide) app.divide(); }).observe(map.getContainer());
    if (scene.past) buildSwipe(app);
    let closed = [];
    window.addEventListener("beforeprint", () => {
      closed = Array.from(document.querySelectorAll("#xh-layers details:not([open])"));
      closed.forEach((d) => { d.open = true; });
      preparePrint(app);
    });
    window.addEventListener("afterprint", () => {
      closed.forEach((d) => { d.open = false; });
      $("xh-print").replaceChildren();
      document.documentElement.classList.remove("xh-paper");
    });
    document.body.classList.add("xh-ready");
    window.xinheMap = app;
  }

  window.xinheDraw = function (map) {
    unpack().then((scene) => start(map, scene)).catch((error) => {
      if (error.message !== "old") throw error;
      $("xh-title").textContent = $("xh-title").dataset.old;
    });
  };
})();
