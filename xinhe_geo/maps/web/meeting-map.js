/* The drawing half of the live map: four canvases (ground, homes, streets and names, facilities), panning, zooming,
   picking and dragging. It knows nothing of plans; what is shown comes in through `state`, what is done goes out through
   `on`. Colours and widths are those of the printed maps (style.json): dark is what falls short. */
(function () {
  "use strict";
  const TAU = 2 * Math.PI;
  const FONT = '"Microsoft YaHei","PingFang SC","Noto Sans CJK SC","Noto Sans SC","Source Han Sans SC",sans-serif';
  const CLASSES = {
    full: { fill: "#d4e7e4", label: "可达" }, part: { fill: "#d9955f", label: "部分可达" }, none: { fill: "#993d14", label: "不可达" },
    gain: { fill: "#0b5c6b", line: "#06343d", hatch: "#d4e7e4", label: "本方案新增可达" }, gainPart: { fill: "#3f97a3", line: "#06343d", hatch: "#d4e7e4", label: "本方案部分新增可达" },
    lose: { fill: "#f7c9cf", line: "#5e0f20", hatch: "#b02040", label: "本方案失去" }, unknown: { fill: "#fbfaf7", hatch: "#d0c9be", label: "数据不足" },
  };

  /* --- shapes ------------------------------------------------------------------------------------------------- */

  function readPart(steps) {
    const out = new Float64Array(steps.length);
    let x = 0, y = 0;
    for (let i = 0; i < steps.length; i += 2) {
      x += steps[i]; y += steps[i + 1];
      out[i] = x / 100; out[i + 1] = y / 100;
    }
    return out;
  }

  function boxOf(parts) {
    const b = [Infinity, Infinity, -Infinity, -Infinity];
    for (const p of parts) for (let i = 0; i < p.length; i += 2) {
      b[0] = Math.min(b[0], p[i]); b[1] = Math.min(b[1], p[i + 1]);
      b[2] = Math.max(b[2], p[i]); b[3] = Math.max(b[3], p[i + 1]);
    }
    return b;
  }

  const readShapes = (features) => features.map((f) => { const parts = f.map(readPart); return { parts, box: boxOf(parts) }; });

  function readLayer(raw) {
    const shapes = readShapes(raw.parts), byStyle = raw.styles.map(() => []);
    raw.pick.forEach((s, i) => byStyle[s].push(shapes[i]));
    return { id: raw.id, area: raw.shape === "A", styles: raw.styles, byStyle };
  }

  function readStreets(model, styles) {
    const { net } = model, [ox, oy] = model.data.origin, byStyle = styles.map(() => []);
    for (let e = 0; e < net.edges; e++) {
      const part = new Float64Array(2 * (net.off[e + 1] - net.off[e]));
      for (let k = 0; k < part.length; k += 2) {
        part[k] = net.xy[2 * net.off[e] + k] - ox; part[k + 1] = net.xy[2 * net.off[e] + k + 1] - oy;
      }
      byStyle[net.look[e]].push({ parts: [part], box: boxOf([part]) });
    }
    return { id: "streets", area: false, styles, byStyle };
  }

  /* --- painting ----------------------------------------------------------------------------------------------- */

  /* Interpolates a width given at zooms 12, 14, 16 and 18. */
  function widthAt(w, zoom) {
    if (typeof w === "number") return w;
    const t = Math.min(Math.max((zoom - 12) / 2, 0), 2.9999), i = Math.floor(t);
    return w[i] + (w[i + 1] - w[i]) * (t - i);
  }

  function trace(ctx, part, view, close) {
    const { s, left, top } = view, n = part.length;
    let px = part[0] * s - left, py = top - part[1] * s;
    ctx.moveTo(px, py);
    for (let i = 2; i < n; i += 2) {
      const x = part[i] * s - left, y = top - part[i + 1] * s;
      if (i < n - 2 && Math.abs(x - px) + Math.abs(y - py) < 0.5) continue;
      ctx.lineTo(x, y); px = x; py = y;
    }
    if (close) ctx.closePath();
  }

  const seen = (box, view, margin) => box[2] * view.s - view.left > -margin && box[0] * view.s - view.left < view.w + margin &&
    view.top - box[1] * view.s > -margin && view.top - box[3] * view.s < view.h + margin;

  function gather(ctx, shapes, view, close) {
    let any = false;
    ctx.beginPath();
    for (const shape of shapes) {
      if (!seen(shape.box, view, 20)) continue;
      any = true;
      for (const part of shape.parts) trace(ctx, part, view, close);
    }
    return any;
  }

  function stroke(ctx, colour, width, dash, u) {
    ctx.strokeStyle = colour; ctx.lineWidth = width;
    ctx.setLineDash((dash || []).map((d) => d * u * Math.max(1, width / u / 3)));
    ctx.lineCap = dash && dash.length ? "butt" : "round"; ctx.lineJoin = "round";
    ctx.stroke();
    ctx.setLineDash([]);
  }

  const hatches = new Map();
  function hatch(ctx, fill, line, ratio) {
    const key = [fill, line, ratio].join("|");
    if (!hatches.has(key)) {
      const n = Math.max(4, Math.round(7 * ratio)), c = document.createElement("canvas"), x = c.getContext("2d");
      c.width = c.height = n;
      if (fill) { x.fillStyle = fill; x.fillRect(0, 0, n, n); }
      x.strokeStyle = line; x.lineWidth = 1.15 * ratio; x.lineCap = "square";
      x.beginPath();
      for (const d of [-n, 0, n]) { x.moveTo(d, n); x.lineTo(d + n, 0); }
      x.stroke();
      hatches.set(key, c);
    }
    const pattern = ctx.createPattern(hatches.get(key), "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  }

  function drawAreas(ctx, layer, view) {
    layer.styles.forEach((style, j) => {
      if (!layer.byStyle[j].length || !gather(ctx, layer.byStyle[j], view, true)) return;
      ctx.globalAlpha = style.opacity === undefined ? 1 : style.opacity;
      if (style.fill) { ctx.fillStyle = style.fill; ctx.fill("evenodd"); }
      ctx.globalAlpha = 1;
      if (!style.line) return;
      const grow = Math.min(1.6, Math.max(0.55, 1 + (view.zoom - 15) * 0.18)), w = widthAt(style.width || 1, view.zoom) * view.u * grow;
      if (style.casing) stroke(ctx, style.casing, w + (style.extra || 2) * view.u, null, view.u);
      stroke(ctx, style.line, w, style.dash, view.u);
    });
  }

  function drawLines(ctx, layer, view) {
    const w = layer.styles.map((s) => widthAt(s.width || 1, view.zoom) * view.u);
    layer.styles.forEach((style, j) => {
      if (!style.casing || w[j] <= 0.3 || !layer.byStyle[j].length || !gather(ctx, layer.byStyle[j], view, false)) return;
      stroke(ctx, style.casing, w[j] + (style.extra || Math.min(2, 0.6 + w[j] * 0.22)) * view.u, null, view.u);
    });
    layer.styles.forEach((style, j) => {
      if (w[j] <= 0.2 || !layer.byStyle[j].length || !gather(ctx, layer.byStyle[j], view, false)) return;
      stroke(ctx, style.line, w[j], style.dash, view.u);
    });
  }

  /* --- names ---------------------------------------------------------------------------------------------------- */

  function makeRoom() {
    const boxes = [];
    return {
      free: (b) => !boxes.some((o) => o[0] < b[2] && o[2] > b[0] && o[1] < b[3] && o[3] > b[1]),
      take: (b, of) => { boxes.push(Object.assign(b, { of })); }, // `of`: what is written there
      boxes,
    };
  }

  function halo(ctx, text, x, y, size, colour) {
    ctx.lineJoin = "round"; ctx.miterLimit = 2;
    ctx.strokeStyle = "rgba(255,253,248,0.92)"; ctx.lineWidth = Math.max(2.4, size * 0.26);
    ctx.strokeText(text, x, y);
    ctx.fillStyle = colour; ctx.fillText(text, x, y);
  }

  function pointLabel(ctx, label, style, view, room) {
    const size = Math.max(9, style.size * view.u * (view.zoom < 13.2 ? 0.84 : view.zoom < 14 ? 0.92 : 1));
    ctx.font = (style.italic ? "italic " : "") + style.weight + " " + size + "px " + FONT;
    const x0 = label.at[0] * view.s - view.left, y0 = view.top - label.at[1] * view.s, d = (label.d || 0) * view.u;
    const w = ctx.measureText(label.text).width, h = size * 1.2;
    const tries = d ? [[w / 2 + d, 0], [-w / 2 - d, 0], [0, -h / 2 - d], [0, h / 2 + d]] : [[0, 0], [0, -h], [0, h], [-w * 0.4, 0], [w * 0.4, 0]];
    for (const [dx, dy] of tries) {
      const x = x0 + dx, y = y0 + dy, b = [x - w / 2 - 2, y - h / 2 - 1, x + w / 2 + 2, y + h / 2 + 1];
      if (b[0] < 2 || b[1] < 2 || b[2] > view.w - 2 || b[3] > view.h - 2 || !room.free(b)) continue;
      room.take(b, label.text);
      ctx.textAlign = "center"; ctx.textBaseline = "middle";
      halo(ctx, label.text, x, y, size, style.colour);
      if (d) { ctx.beginPath(); ctx.arc(x0, y0, 2 * view.u, 0, TAU); ctx.fillStyle = view.look.place.line; ctx.fill(); }
      return;
    }
  }

  /* The stretches of a line in view as screen points with their distance along it, the longest first. */
  function stretches(parts, view) {
    const out = [];
    for (const part of parts) {
      let run = [], at = 0;
      for (let i = 0; i < part.length; i += 2) {
        const x = part[i] * view.s - view.left, y = view.top - part[i + 1] * view.s, last = run[run.length - 1];
        const n = last ? Math.min(400, Math.max(1, Math.ceil(Math.hypot(x - last[0], y - last[1]) / (10 * view.u)))) : 1;
        for (let j = 1; j <= n; j++) {
          const px = last ? last[0] + ((x - last[0]) * j) / n : x, py = last ? last[1] + ((y - last[1]) * j) / n : y;
          const before = run[run.length - 1];
          if (before) at += Math.hypot(px - before[0], py - before[1]);
          run.push([px, py, at]);
        }
      }
      let piece = [];
      for (const p of run) {
        if (p[0] > 4 && p[0] < view.w - 4 && p[1] > 4 && p[1] < view.h - 4) piece.push(p);
        else { if (piece.length > 1) out.push(piece); piece = []; }
      }
      if (piece.length > 1) out.push(piece);
    }
    const length = (r) => r[r.length - 1][2] - r[0][2];
    return out.sort((a, b) => length(b) - length(a));
  }

  function onRun(run, s) {
    let i = 1;
    while (i < run.length - 1 && run[i][2] < s) i++;
    const a = run[i - 1], b = run[i], t = b[2] > a[2] ? (s - a[2]) / (b[2] - a[2]) : 0;
    return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
  }

  /* A name along its line: characters turn with it, and stand upright one under the other where it is steep. */
  function lineLabel(ctx, label, style, view, room) {
    const size = style.size * view.u, chars = Array.from(label.text), step = size + (style.spacing || 0) * view.u, length = step * chars.length;
    for (const run of stretches(label.lines, view).slice(0, 2)) {
      const total = run[run.length - 1][2] - run[0][2];
      if (total < length * 1.25) continue;
      for (const f of [0.5, 0.3, 0.7]) {
        const start = run[0][2] + total * f - length / 2, a = onRun(run, start), b = onRun(run, start + length);
        if (start < run[0][2] || start + length > run[0][2] + total || Math.hypot(b[0] - a[0], b[1] - a[1]) < length * 0.93) continue;
        const steep = Math.abs(b[1] - a[1]) > Math.abs(b[0] - a[0]), back = steep ? b[1] < a[1] : b[0] < a[0];
        const places = chars.map((_, i) => onRun(run, start + (back ? length - step * (i + 0.5) : step * (i + 0.5))));
        const turn = Math.atan2(b[1] - a[1], b[0] - a[0]) + (back ? Math.PI : 0) - (steep ? Math.PI / 2 : 0), half = size * 0.62;
        const boxes = places.map(([x, y]) => [x - half, y - half, x + half, y + half]);
        if (!boxes.every(room.free)) continue;
        boxes.forEach((b) => room.take(b, label.text));
        ctx.font = style.weight + " " + size + "px " + FONT; ctx.textAlign = "center"; ctx.textBaseline = "middle";
        places.forEach(([x, y], i) => { ctx.save(); ctx.translate(x, y); ctx.rotate(turn); halo(ctx, chars[i], 0, 0, size, style.colour); ctx.restore(); });
        return;
      }
    }
  }

  const nameFont = (view, chosen) => (chosen ? "700 " : "500 ") + 12.5 * view.u + "px " + FONT;
  const rank = (f, selected) => (f.id === selected ? 3 : f.fresh || f.edit ? 2 : f.serves ? 1 : 0);

  /* The facilities whose names are written, each with the box of its name; of two that would lie over each other the one that matters. */
  function namesOf(ctx, view, state) {
    const r = radius(view), room = makeRoom(), out = [];
    for (const f of state.facilities.slice().sort((a, b) => rank(b, state.selected) - rank(a, state.selected))) {
      const [x, y] = view.screen(f.xy), chosen = f.id === state.selected, asked = chosen || f.id === state.hover;
      if (!(asked || f.fresh || view.zoom > 16) || x < -40 || y < -40 || x > view.w + 40 || y > view.h + 40) continue;
      ctx.font = nameFont(view, chosen);
      const w = ctx.measureText(f.name).width, left = Math.max(6, x + r * 1.9 + w <= view.w - 6 ? x + r * 1.9 : x - r * 1.9 - w);
      const box = [left - 4 * view.u, y - 10 * view.u, left + w + 4 * view.u, y + 10 * view.u];
      if (!asked && !room.free(box)) continue;
      room.take(box);
      out.push({ f, chosen, left, y, box });
    }
    return out;
  }

  function drawLabels(ctx, map, view, state) {
    const room = makeRoom(), r = radius(view) * 1.2;
    for (const b of view.covered || []) room.take(b); // no name lies under the buttons or the scale
    for (const f of state ? state.facilities : []) {
      const [x, y] = view.screen(f.from || f.xy);
      room.take([x - r, y - r, x + r, y + r]);
    }
    // names of facilities are written over all others; what only the hand points at comes and goes
    if (state) for (const { f, box } of namesOf(ctx, view, Object.assign({}, state, { selected: null, hover: null }))) room.take(box, f.name);
    for (const first of [1, 0]) for (const label of map.labels) {
      if ((label.f || 0) !== first || view.zoom < label.z || (label.max && view.zoom > label.max)) continue;
      const style = view.look.labels[label.k];
      if (label.lines) { if (seen(label.box, view, 0)) lineLabel(ctx, label, style, view, room); }
      else pointLabel(ctx, label, style, view, room);
    }
    map.written = room.boxes.filter((b) => b.of);
  }

  /* The watermark lies on the ground, so that it does not jump when the map is moved. */
  function drawMark(ctx, text, view) {
    ctx.save();
    ctx.font = "700 " + 25 * view.u + "px " + FONT; ctx.fillStyle = "rgba(120,40,60,0.10)"; ctx.textAlign = "center"; ctx.textBaseline = "middle";
    const dx = ctx.measureText(text).width + 90 * view.u, dy = dx * 0.48, wrap = (v, n) => ((v % n) + n) % n;
    const ox = -wrap(view.left, 2 * dx), oy = wrap(view.top, 2 * dy) - 2 * dy;
    for (let j = -1; oy + j * dy < view.h + dy; j++) for (let i = -1; ox + i * dx < view.w + dx; i++) {
      if ((i + j) % 2) continue;
      ctx.save(); ctx.translate(ox + i * dx, oy + j * dy); ctx.rotate(-0.4); ctx.fillText(text, 0, 0); ctx.restore();
    }
    ctx.restore();
  }

  /* --- homes and facilities ---------------------------------------------------------------------------------------- */

  function classOf(share, before) {
    if (Number.isNaN(share)) return "unknown";
    const change = Number.isNaN(before) ? 0 : share - before;
    if (change > 1e-9) return share > 1 - 1e-9 ? "gain" : "gainPart";
    if (change < -1e-9) return "lose";
    return share > 1 - 1e-9 ? "full" : share < 1e-9 ? "none" : "part";
  }

  /* Homes of a city: its points, seen from afar as well. */
  function readDiscs(homes, ox, oy) {
    const n = homes.count, discs = { x: new Float64Array(n), y: new Float64Array(n), r: Float64Array.from(homes.area_m2, (a) => (a > 0 ? Math.sqrt(a / Math.PI) : homes.disc)) };
    homes.home.forEach((h, p) => { discs.x[h] += homes.weight[p] * (homes.xy[2 * p] - ox); discs.y[h] += homes.weight[p] * (homes.xy[2 * p + 1] - oy); });
    return discs;
  }
  /* Fills discs, and traces those to be outlined: what is a few pixels wide is a square without a line. */
  function gatherDiscs(ctx, discs, some, view) {
    const { s, left, top, u } = view, path = [];
    for (const h of some) {
      const r = Math.max(1.2 * u, discs.r[h] * s), x = discs.x[h] * s - left, y = top - discs.y[h] * s;
      if (r < 3 * u) ctx.fillRect(x - r, y - r, 2 * r, 2 * r); else path.push([x, y, r]);
    }
    ctx.beginPath();
    for (const [x, y, r] of path) { ctx.moveTo(x + r, y); ctx.arc(x, y, r, 0, TAU); }
    ctx.fill();
    return path.length > 0;
  }

  function drawHomes(ctx, map, view, state, only) {
    const width = Math.min(1.2, Math.max(0.5, 0.8 + (view.zoom - 14.5) * 0.15)) * view.u, by = {};
    for (const h of only || state.share.keys()) {
      if (!seen(map.boxOf(h), view, 4)) continue;
      const c = classOf(state.share[h], state.before[h]);
      (by[c] = by[c] || []).push(map.discs ? h : map.homes[h]);
    }
    for (const c in by) {
      const look = CLASSES[c];
      ctx.fillStyle = look.hatch ? hatch(ctx, look.fill, look.hatch, view.ratio) : look.fill;
      if (map.discs) {
        if (gatherDiscs(ctx, map.discs, by[c], view)) stroke(ctx, look.line || "#6f675d", look.line ? 1.6 * width : width, null, view.u);
        continue;
      }
      if (!gather(ctx, by[c], view, true)) continue;
      ctx.fill("evenodd");
      stroke(ctx, look.line || "#6f675d", look.line ? 1.6 * width : width, null, view.u);
    }
  }

  /* Communities of a presence rule: coloured where there is one, hatched where there is none. */
  function drawCommunities(ctx, map, view, state) {
    const style = view.look.presence;
    map.communities.forEach((shape, i) => {
      if (!gather(ctx, [shape], view, true)) return;
      const s = state.has[i] ? style.yes : state.mapped ? style.unknown : style.no;
      ctx.globalAlpha = state.has[i] ? 0.5 : 0.62;
      ctx.fillStyle = s.hatch ? hatch(ctx, s.fill, s.hatch, view.ratio) : s.fill;
      ctx.fill("evenodd");
      ctx.globalAlpha = 1;
      stroke(ctx, style.line, style.width * view.u, null, view.u);
    });
  }

  function inkOn(hex) {
    const c = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((v) => (v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4)));
    const light = 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
    return light >= 0.2525 ? "#1f2429" : light <= 0.1833 ? "#ffffff" : "#000000"; // 4.5:1 on every fill
  }

  /* How a facility is drawn: closed by the plan, planned and not counted, new or moved, or as it is. */
  function looksLike(f) {
    const e = f.edit || {};
    return e.closed ? "closed" : !f.serves ? "planned" : f.fresh || e.xy || e.open ? "fresh" : "";
  }

  const radius = (view) => (view.zoom < 13 ? 7.5 : view.zoom < 14.5 ? 9 : view.zoom < 16 ? 10.5 : 12) * view.u;

  function drawIcon(ctx, x, y, r, kind, look) {
    const off = look === "closed", hollow = look === "planned";
    ctx.beginPath(); ctx.arc(x, y, r * 1.18, 0, TAU); ctx.fillStyle = "rgba(255,255,255,0.95)"; ctx.fill();
    if (look === "fresh") { ctx.beginPath(); ctx.arc(x, y, r * 1.42, 0, TAU); ctx.strokeStyle = "#8a3b52"; ctx.lineWidth = r * 0.2; ctx.stroke(); }
    ctx.beginPath(); ctx.arc(x, y, r, 0, TAU);
    ctx.fillStyle = off ? "#c9c5bf" : hollow ? "#ffffff" : kind.fill; ctx.fill();
    ctx.strokeStyle = off ? "#8f8b85" : kind.dark; ctx.lineWidth = hollow ? r * 0.24 : r * 0.12;
    if (hollow) ctx.setLineDash([r * 0.55, r * 0.3]);
    ctx.stroke(); ctx.setLineDash([]);
    ctx.fillStyle = off ? "#5f5b56" : hollow ? kind.dark : inkOn(kind.fill);
    ctx.font = "600 " + Math.round(r * (Array.from(kind.symbol).length > 1 ? 0.9 : 1.25)) + "px " + FONT;
    ctx.textAlign = "center"; ctx.textBaseline = "middle";
    ctx.fillText(kind.symbol, x, y + r * 0.06);
    if (off) {
      ctx.beginPath(); ctx.moveTo(x - r * 1.1, y - r * 1.1); ctx.lineTo(x + r * 1.1, y + r * 1.1);
      ctx.strokeStyle = "#b02040"; ctx.lineWidth = r * 0.26; ctx.stroke();
    }
  }

  function drawReach(ctx, map, view, state) {
    const own = state.facilities.find((f) => f.id === state.selected);
    if (!own || !own.serves) return;
    if (state.circle) {
      const [x, y] = view.screen(own.xy);
      ctx.beginPath(); ctx.arc(x, y, state.circle * view.s, 0, TAU);
      ctx.fillStyle = "rgba(29,42,91,0.06)"; ctx.fill(); stroke(ctx, "#1d2a5b", 1.6 * view.u, [8, 4], view.u);
    }
    if (!state.reached) return;
    const { net } = map.model, [ox, oy] = map.model.data.origin;
    ctx.beginPath();
    for (const [e, from, to] of state.reached) {
      let first = true;
      const put = (x, y) => {
        const a = (x - ox) * view.s - view.left, b = view.top - (y - oy) * view.s;
        if (first) ctx.moveTo(a, b); else ctx.lineTo(a, b);
        first = false;
      };
      for (let k = net.off[e]; k < net.off[e + 1] - 1; k++) {
        const a = net.cum[k], b = net.cum[k + 1];
        if (b < from || a > to || !(b > a)) continue;
        const [ax, ay, bx, by] = net.xy.subarray(2 * k, 2 * k + 4);
        const at = (m) => { const t = (m - a) / (b - a); put(ax + t * (bx - ax), ay + t * (by - ay)); };
        if (first) at(Math.max(a, from));
        at(Math.min(b, to));
      }
    }
    ctx.globalAlpha = 0.6;
    stroke(ctx, "#1d2a5b", widthAt([0.9, 1.4, 3, 5], view.zoom) * view.u, null, view.u);
    ctx.globalAlpha = 1;
  }

  /* Proposed places: the zone in which each may stand, and its letter. */
  function drawProposed(ctx, map, view, places) {
    const [ox, oy] = map.model.data.origin, { fill, line } = view.look.proposed;
    for (const place of places) {
      ctx.beginPath();
      for (const ring of place.zone) trace(ctx, ring.flatMap(([x, y]) => [x - ox, y - oy]), view, true);
      ctx.fillStyle = hatch(ctx, "", line, view.ratio); ctx.globalAlpha = 0.55; ctx.fill("evenodd"); ctx.globalAlpha = 1;
      stroke(ctx, line, 1.4 * view.u, [5, 3], view.u);
    }
    for (const place of places) {
      const [x, y] = view.screen(place.xy);
      ctx.beginPath(); ctx.rect(x - 11 * view.u, y - 11 * view.u, 22 * view.u, 22 * view.u); ctx.fillStyle = fill; ctx.fill(); stroke(ctx, line, 2 * view.u, null, view.u);
      ctx.fillStyle = inkOn(fill); ctx.font = "700 " + 14 * view.u + "px " + FONT; ctx.textAlign = "center"; ctx.textBaseline = "middle";
      ctx.fillText(place.tag, x, y);
    }
  }

  function drawFacilities(ctx, map, view, state) {
    const r = radius(view), kinds = map.model.data.kinds;
    for (const p of map.model.parcels) {
      if (!seen(p.drawn.box, view, 20)) continue;
      gather(ctx, [p.drawn], view, true);
      const look = view.look.parcel;
      ctx.fillStyle = look.fill; ctx.fill(); stroke(ctx, look.line, look.width * view.u * 1.2, look.dash, view.u);
    }
    drawReach(ctx, map, view, state);
    if (state.proposed) drawProposed(ctx, map, view, state.proposed);
    for (const f of state.facilities) {
      if (f.fresh || !f.edit || !f.edit.xy) continue;
      const a = view.screen(f.from), b = view.screen(f.xy);
      ctx.beginPath(); ctx.moveTo(a[0], a[1]); ctx.lineTo(b[0], b[1]); stroke(ctx, "#8a3b52", 1.6 * view.u, [4, 3], view.u);
      ctx.beginPath(); ctx.arc(a[0], a[1], r * 0.55, 0, TAU); ctx.fillStyle = "rgba(255,255,255,0.85)"; ctx.fill();
      stroke(ctx, "#8a3b52", 1.4 * view.u, [2, 2], view.u);
    }
    for (const f of state.facilities.slice().sort((a, b) => rank(a, state.selected) - rank(b, state.selected))) {
      const [x, y] = view.screen(f.xy), chosen = f.id === state.selected;
      if (x < -40 || y < -40 || x > view.w + 40 || y > view.h + 40) continue;
      if (chosen) {
        ctx.beginPath(); ctx.arc(x, y, r * 1.85, 0, TAU); ctx.fillStyle = "rgba(29,95,191,0.2)"; ctx.fill();
        stroke(ctx, "#1d5fbf", 2 * view.u, null, view.u);
      }
      drawIcon(ctx, x, y, chosen ? r * 1.15 : r, kinds[f.kind], looksLike(f));
    }
    for (const { f, chosen, left, y, box } of namesOf(ctx, view, state)) {
      ctx.fillStyle = chosen ? "rgba(255,255,255,0.94)" : "rgba(255,253,249,0.8)";
      ctx.fillRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      ctx.font = nameFont(view, chosen); ctx.textAlign = "left"; ctx.textBaseline = "middle";
      ctx.fillStyle = "#1f2429"; ctx.fillText(f.name, left, y);
    }
    if (state.walk) xinhe.drawWalk(ctx, view, state.walk);
  }

  /* --- the map ---------------------------------------------------------------------------------------------------- */

  function viewOf(map, cx, cy, s, w, h, ratio, u) {
    const [ox, oy] = map.model.data.origin, view = { cx, cy, s, w, h, ratio, u, look: map.model.data.style };
    view.left = cx * s - w / 2; view.top = h / 2 + cy * s;
    view.zoom = Math.log2(156543.034 * map.shrink * s / u);
    view.screen = (xy) => [(xy[0] - ox) * s - view.left, view.top - (xy[1] - oy) * s];
    view.ground = (x, y) => [(x + view.left) / s + ox, (view.top - y) / s + oy];
    return view;
  }

  function paintGround(ctx, map, view) {
    ctx.fillStyle = view.look.paper; ctx.fillRect(0, 0, view.w, view.h);
    map.ground.forEach((layer) => (layer.area ? drawAreas : drawLines)(ctx, layer, view));
  }
  function paintHomes(ctx, map, view, state) {
    if (state.presence) drawCommunities(ctx, map, view, state);
    drawHomes(ctx, map, view, state, null);
  }
  function paintLines(ctx, map, view, state) {
    map.lines.forEach((layer) => (layer.area ? drawAreas : drawLines)(ctx, layer, view));
    drawLabels(ctx, map, view, state);
    if (map.model.data.demo) drawMark(ctx, "演示数据 不作结论", view);
  }

  function makeMap(stage, model, on) {
    const data = model.data, map = { model, state: null };
    const [ox, oy] = data.origin, b = data.first;
    map.shrink = Math.cos((xinhe.engine.degrees(model, [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2])[1] * Math.PI) / 180);
    map.ground = data.base.ground.map(readLayer);
    const streets = data.base.streets.length ? [readStreets(model, data.base.streets)] : [];
    map.lines = [...streets, ...data.base.roads.map(readLayer), ...data.base.borders.map(readLayer)];
    map.labels = data.base.labels.map((l) => {
      const lines = l.l && l.l.map(readPart);
      return Object.assign({}, l, lines ? { lines, box: boxOf(lines) } : { at: readPart(l.p) });
    });
    map.homes = model.homes.shape ? readShapes(model.homes.shape) : null;
    const discs = map.discs = map.homes ? null : readDiscs(model.homes, ox, oy);
    map.boxOf = (h) => (discs ? [discs.x[h] - discs.r[h], discs.y[h] - discs.r[h], discs.x[h] + discs.r[h], discs.y[h] + discs.r[h]] : map.homes[h].box);
    map.communities = model.communities.map((rings) => {
      const parts = rings.map((r) => Float64Array.from(r, (v, i) => v - (i % 2 ? oy : ox)));
      return { parts, box: boxOf(parts) };
    });
    model.parcels = data.parcels.map((p) => { const parts = p.shape.map(readPart); return Object.assign({}, p, { drawn: { parts, box: boxOf(parts) } }); });

    const still = document.createElement("div"), canvases = [0, 1, 2, 3].map(() => document.createElement("canvas"));
    still.className = "xm-still";
    canvases.slice(0, 3).forEach((c) => still.append(c));
    const top = canvases[3];
    top.className = "xm-top";
    stage.prepend(still, top);
    const ctxs = canvases.map((c) => c.getContext("2d"));
    let view = null, painted = null, waiting = 0, frame = 0, fitted = null;
    const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const size = () => [Math.max(50, stage.clientWidth), Math.max(50, stage.clientHeight), Math.min(3, window.devicePixelRatio || 1), rem()];

    function look(cx, cy, s) {
      const [w, h, ratio, u] = size(), whole = data.bounds, least = Math.min(w / (whole[2] - whole[0]), h / (whole[3] - whole[1])) * 0.55;
      s = Math.min(8 * u, Math.max(least, s));
      cx = Math.min(whole[2] - ox, Math.max(whole[0] - ox, cx)); cy = Math.min(whole[3] - oy, Math.max(whole[1] - oy, cy));
      view = viewOf(map, cx, cy, s, w, h, ratio, u);
      map.view = view;
    }
    /* How many pixels of the map the results cover from below: on a telephone they lie on it. */
    function under() {
      const at = stage.getBoundingClientRect(), side = document.querySelector(".xm-side"), on = side && side.getBoundingClientRect();
      return on && on.height && on.left < at.right - 1 && on.top > at.top ? Math.max(0, at.bottom - on.top) : 0;
    }
    function fit(box) {
      const [w, h] = size(), low = under(), s = Math.min(w / (box[2] - box[0] || 1), (h - low) / (box[3] - box[1] || 1)) * 0.93;
      look((box[0] + box[2]) / 2 - ox, (box[1] + box[3]) / 2 - low / 2 / s - oy, s);
      fitted = box;
      paint();
    }

    function clear(i) {
      const c = canvases[i], w = Math.round(view.w * view.ratio), h = Math.round(view.h * view.ratio);
      if (c.width !== w || c.height !== h) { c.width = w; c.height = h; }
      ctxs[i].setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
      ctxs[i].clearRect(0, 0, view.w, view.h);
      return ctxs[i];
    }
    function paintTop() { if (map.state) drawFacilities(clear(3), map, view, map.state); }
    function paintHomesNow() {
      const state = map.state;
      if (!state) return;
      paintHomes(clear(1), map, view, state);
      map.drawn = { share: state.share.slice(), key: state.key, has: Array.from(state.has).join("") };
    }
    function paint() {
      clearTimeout(waiting); waiting = 0;
      still.style.transform = "";
      painted = view;
      on.view(view);
      view.covered = [...stage.querySelectorAll(".xm-tools, .xm-rule")].map((e) => [e.offsetLeft, e.offsetTop, e.offsetLeft + e.offsetWidth, e.offsetTop + e.offsetHeight]);
      paintGround(clear(0), map, view); paintHomesNow(); paintLines(clear(2), map, view, map.state); paintTop();
    }
    /* While the view moves the painted canvases are shifted and scaled; they are painted anew when it rests. */
    function move() {
      fitted = null;
      const k = view.s / painted.s, dx = painted.left * k - view.left, dy = view.top - painted.top * k;
      still.style.transform = "translate(" + dx + "px," + dy + "px) scale(" + k + ")";
      if (!frame) frame = requestAnimationFrame(() => { frame = 0; paintTop(); on.view(view); });
      clearTimeout(waiting);
      waiting = setTimeout(paint, 130);
    }

    const freshNames = (state) => state.facilities.filter((f) => f.fresh).map((f) => f.id + f.name).join();

    /* Shows another state; homes are painted one by one where only some of them changed. */
    map.show = function (state) {
      const old = map.drawn;
      map.state = state;
      if (!view) return;
      const has = Array.from(state.has).join("");
      if (!old || old.key !== state.key) { paint(); return; }
      if (state.presence && old.has !== has) paintHomesNow();
      else {
        const changed = [];
        for (let h = 0; h < state.share.length; h++) if (!Object.is(old.share[h], state.share[h])) changed.push(h);
        if (changed.length) drawHomes(ctxs[1], map, painted, state, changed);
        old.share.set(state.share);
      }
      if (map.fresh !== freshNames(state)) paintLines(clear(2), map, painted, state); // other names make room
      map.fresh = freshNames(state);
      paintTop();
    };

    function zoom(factor, x, y) {
      const g = view.ground(x === undefined ? view.w / 2 : x, y === undefined ? view.h / 2 : y), s0 = view.s;
      const [, , , u] = size(), s = Math.min(8 * u, s0 * factor), k = s0 / s;
      look(g[0] - ox - (g[0] - ox - view.cx) * k, g[1] - oy - (g[1] - oy - view.cy) * k, s);
      move();
    }
    function pan(dx, dy) { look(view.cx - dx / view.s, view.cy + dy / view.s, view.s); move(); }

    function facilityAt(x, y, reach) {
      let best = null, far = reach;
      for (const f of map.state ? map.state.facilities : []) {
        const p = view.screen(f.xy), d = Math.hypot(p[0] - x, p[1] - y) - (f.id === map.state.selected ? 4 : 0);
        if (d < far) { far = d; best = f; }
      }
      return best;
    }
    function homeAt(x, y) {
      const g = view.ground(x, y), px = g[0] - ox, py = g[1] - oy;
      if (discs) return discs.r.findIndex((r, h) => Math.hypot(discs.x[h] - px, discs.y[h] - py) <= Math.max(r, 4 / view.s));
      return map.homes.findIndex((shape) => {
        if (px < shape.box[0] || px > shape.box[2] || py < shape.box[1] || py > shape.box[3]) return false;
        let inside = false;
        for (const p of shape.parts) for (let i = 0, j = p.length - 2; i < p.length; j = i, i += 2)
          if (p[i + 1] > py !== p[j + 1] > py && px < ((p[j] - p[i]) * (py - p[i + 1])) / (p[j + 1] - p[i + 1]) + p[i]) inside = !inside;
        return inside;
      });
    }

    /* --- pointers: one drags a facility or the map, two pinch --- */
    const pointers = new Map();
    let grip = null, pinch = null, pending = null, dragging = 0;
    const local = (event) => { const box = top.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    function spread2() {
      const [a, c] = Array.from(pointers.values());
      return { x: (a[0] + c[0]) / 2, y: (a[1] + c[1]) / 2, d: Math.max(20, Math.hypot(a[0] - c[0], a[1] - c[1])) };
    }
    function dragNow() {
      dragging = 0;
      if (grip && pending && grip.live) on.drag(grip.id, view.ground(pending[0] - grip.dx, pending[1] - grip.dy));
    }
    top.addEventListener("pointerdown", (event) => {
      const [x, y] = local(event);
      if (event.button) return;
      top.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [x, y]);
      if (pointers.size === 2) {
        if (grip && grip.live) on.drop(grip.id);
        grip = null; pinch = spread2();
        return;
      }
      const f = facilityAt(x, y, radius(view) + (event.pointerType === "touch" ? 16 : 5)), at = f ? view.screen(f.xy) : [x, y];
      const may = f && on.may(f.id, event.pointerType === "touch");
      grip = { id: may ? f.id : null, tap: f && on.may(f.id, false) ? f.id : null, x, y, dx: x - at[0], dy: y - at[1], live: false, slack: event.pointerType === "touch" ? 9 : 4, last: [x, y] };
    });
    top.addEventListener("pointermove", (event) => {
      const [x, y] = local(event);
      if (!pointers.has(event.pointerId)) {
        const f = facilityAt(x, y, radius(view) + 5);
        top.style.cursor = f && on.may(f.id, false) ? "grab" : on.adding() ? "crosshair" : "";
        on.hover(f ? f.id : null, f ? -1 : homeAt(x, y), x, y);
        return;
      }
      pointers.set(event.pointerId, [x, y]);
      if (pinch && pointers.size === 2) {
        const now = spread2();
        pan(now.x - pinch.x, now.y - pinch.y); zoom(now.d / pinch.d, now.x, now.y);
        pinch = now;
      } else if (grip) {
        if (!grip.live && Math.hypot(x - grip.x, y - grip.y) < grip.slack) return;
        if (!grip.live) { grip.live = true; top.style.cursor = "grabbing"; if (grip.id !== null) on.grab(grip.id); }
        if (grip.id === null) pan(x - grip.last[0], y - grip.last[1]);
        else { pending = [x, y]; if (!dragging) dragging = requestAnimationFrame(dragNow); }
        grip.last = [x, y];
      }
    });
    function lift(event) {
      if (!pointers.delete(event.pointerId)) return;
      if (pinch) { pinch = null; return; }
      const held = grip;
      if (!held) return;
      if (held.live && held.id !== null) {
        if (dragging) { cancelAnimationFrame(dragging); dragNow(); }
        on.drop(held.id);
      } else if (!held.live && event.type === "pointerup") {
        if (held.tap !== null) on.select(held.tap);
        else on.click(view.ground(held.x, held.y), homeAt(held.x, held.y), held.x, held.y);
      }
      grip = null; pending = null; top.style.cursor = "";
    }
    top.addEventListener("pointerup", lift);
    top.addEventListener("pointercancel", lift);
    top.addEventListener("pointerleave", () => on.hover(null, -1, 0, 0));
    top.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [x, y] = local(event), unit = event.deltaMode === 1 ? 24 : event.deltaMode === 2 ? 240 : 1;
      zoom(Math.exp(-Math.max(-300, Math.min(300, event.deltaY * unit)) * 0.0022), x, y);
    }, { passive: false });
    top.addEventListener("dblclick", (event) => { if (!on.adding()) zoom(2, ...local(event)); });

    let sizes = "";
    new ResizeObserver(() => {
      const now = size().join();
      if (!view || now === sizes || !stage.clientWidth) return;
      sizes = now;
      if (fitted) fit(fitted);
      else { look(view.cx, view.cy, view.s); paint(); }
    }).observe(stage);

    map.homeAt = homeAt;
    map.fit = fit; map.zoom = zoom; map.pan = pan; map.top = top; map.paint = paint;
    map.centre = () => [view.cx + ox, view.cy + oy];
    map.screen = (xy) => view.screen(xy);
    /* Brings a position into view if it is outside. */
    map.reveal = function (xy) {
      const [x, y] = view.screen(xy);
      if (x > 60 && y > 60 && x < view.w - 60 && y < view.h - 60) return;
      fitted = null;
      look(xy[0] - ox, xy[1] - oy, view.s); paint();
    };
    /* Paints all at once into another canvas: the picture and the printed sheet. `ratio`: pixels per unit. */
    map.into = function (ctx, w, h, ratio, state) {
      const k = Math.min(w / view.w, h / view.h), u = Math.max(0.6, view.u * Math.sqrt(k)), v = viewOf(map, view.cx, view.cy, view.s * k, w, h, ratio, u);
      ctx.save(); ctx.beginPath(); ctx.rect(0, 0, w, h); ctx.clip();
      paintGround(ctx, map, v); paintHomes(ctx, map, v, state || map.state); paintLines(ctx, map, v, state || map.state);
      drawFacilities(ctx, map, v, Object.assign({}, state || map.state, { hover: null }));
      ctx.restore();
      return v;
    };
    return map;
  }

  xinhe.makeMap = makeMap;
  xinhe.classes = CLASSES;
  xinhe.classOf = classOf;
  xinhe.looksLike = looksLike;
  xinhe.drawIcon = drawIcon;
  xinhe.hatch = hatch;
  xinhe.FONT = FONT;
})();
