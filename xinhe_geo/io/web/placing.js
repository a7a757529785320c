/* Choose a row, click where it lies, save the table. World units are metres about DATA.lon, DATA.lat, y downwards. */
(function () {
  "use strict";
  const NS = "http://www.w3.org/2000/svg", at = (id) => document.getElementById(id);
  const svg = at("map"), world = at("world"), list = at("list"), spots = DATA.rows.map(() => null);
  const [x0, y0, x1, y1] = DATA.extent;
  let now = 0, view = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: 1 };
  const nameAt = DATA.heads.findIndex((h) => h === "名称"), titleOf = (i) => DATA.rows[i][nameAt < 0 ? 0 : nameAt] || DATA.rows[i][0];
  const said = (text, ...values) => text.replace(/\{(\d)\}/g, (_, i) => values[i]);
  const make = (tag, where, words, look) => {
    const e = document.createElement(tag);
    if (words) e.textContent = words;
    if (look) e.className = look;
    where.append(e);
    return e;
  };
  const draw = (tag, where, values, words) => {
    const e = document.createElementNS(NS, tag);
    for (const k in values) e.setAttribute(k, values[k]);
    if (words) e.textContent = words;
    where.append(e);
    return e;
  };

  /* the list */
  make("p", list, DATA.say.how, "how");
  const save = make("button", list, "");
  save.id = "save";
  const buttons = DATA.rows.map((row, i) => {
    const b = make("button", list, titleOf(i), "row");
    make("small", b, DATA.hints[i]);
    b.addEventListener("click", () => { now = i; show(); const s = spots[i]; if (s) { view.x = s[0]; view.y = s[1]; move(); } });
    return b;
  });

  function show() {
    const done = spots.filter(Boolean).length;
    buttons.forEach((b, i) => { b.classList.toggle("now", i === now); b.classList.toggle("done", !!spots[i]); b.setAttribute("aria-current", i === now); });
    save.textContent = said(DATA.say.save, done, spots.length);
    save.disabled = !done;
    pins();
  }

  /* the map */
  function move() {
    const w = svg.clientWidth, h = svg.clientHeight, s = view.scale;
    world.setAttribute("transform", `translate(${w / 2 - view.x * s},${h / 2 - view.y * s}) scale(${s})`);
    labels(); pins();
    const metres = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((m) => m * s > 70) || 10000;
    at("scale").textContent = said(DATA.say.metres, metres);
    at("scale").style.width = `${metres * s}px`;
  }

  function labels() {
    const g = at("names"), w = svg.clientWidth, h = svg.clientHeight, s = view.scale, taken = [];
    g.replaceChildren();
    for (const [name, x, y] of DATA.names) {
      const px = (x - view.x) * s + w / 2, py = (y - view.y) * s + h / 2;
      const half = name.length * 6.5;
      if (px < -40 || py < 0 || px > w + 40 || py > h || taken.some(([a, b, c]) => Math.abs(a - px) < half + c && Math.abs(b - py) < 16)) continue;
      taken.push([px, py, half]);
      draw("text", g, { transform: `translate(${x},${y}) scale(${1 / s})` }, name);
    }
  }

  function pins() {
    const g = at("pins");
    g.replaceChildren();
    spots.forEach((s, i) => {
      if (!s) return;
      draw("circle", g, { cx: s[0], cy: s[1], r: (i === now ? 9 : 6) / view.scale });
      draw("text", g, { transform: `translate(${s[0]},${s[1]}) scale(${1 / view.scale}) translate(0,-12)` }, titleOf(i));
    });
  }

  const toWorld = (e) => {
    const box = svg.getBoundingClientRect();
    return [view.x + (e.clientX - box.left - svg.clientWidth / 2) / view.scale, view.y + (e.clientY - box.top - svg.clientHeight / 2) / view.scale];
  };
  const zoom = (by, e) => {
    const p = e ? toWorld(e) : [view.x, view.y], s = Math.min(Math.max(view.scale * by, 0.01), 20), k = view.scale / s;
    view = { x: p[0] + (view.x - p[0]) * k, y: p[1] + (view.y - p[1]) * k, scale: s };
    move();
  };
  /* what is on the map now, by pointer: one drags or places, two fingers zoom and never place */
  const held = new Map();
  let moved = false;
  svg.addEventListener("pointerdown", (e) => { moved = held.size > 0; held.set(e.pointerId, e); svg.setPointerCapture(e.pointerId); });
  svg.addEventListener("pointermove", (e) => {
    const was = held.get(e.pointerId), other = [...held.values()].find((p) => p.pointerId !== e.pointerId);
    if (!was || (!moved && Math.hypot(e.clientX - was.clientX, e.clientY - was.clientY) < 4)) return;
    const apart = (p) => Math.max(Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY), 1), part = other ? 2 : 1;
    moved = true;
    held.set(e.pointerId, e);
    view.x -= (e.clientX - was.clientX) / part / view.scale; view.y -= (e.clientY - was.clientY) / part / view.scale;
    if (other) zoom(apart(e) / apart(was), { clientX: (e.clientX + other.clientX) / 2, clientY: (e.clientY + other.clientY) / 2 });
    else move();
  });
  svg.addEventListener("pointerup", (e) => {
    if (held.delete(e.pointerId) && !moved) {
      spots[now] = toWorld(e);
      const next = spots.findIndex((s, i) => !s && i > now);
      if (next >= 0) now = next;
      show();
    }
  });
  svg.addEventListener("pointercancel", (e) => { held.delete(e.pointerId); });
  svg.addEventListener("wheel", (e) => { e.preventDefault(); zoom(Math.exp(-e.deltaY / 400), e); }, { passive: false });
  at("in").addEventListener("click", () => zoom(1.6));
  at("out").addEventListener("click", () => zoom(1 / 1.6));
  at("find").addEventListener("input", (e) => {
    const words = e.target.value.trim(), hit = words && DATA.names.find(([n]) => n.includes(words));
    if (hit) { view = { x: hit[1], y: hit[2], scale: Math.max(view.scale, 0.6) }; move(); }
  });

  /* the table that comes back: a byte order mark for Excel, quotes doubled, nothing that Excel would compute */
  const cell = (v) => { const s = /^[=+@\t]/.test(v) || /^-\D/.test(v) ? "'" + v : v; return /[",\n\r]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s; };
  function table() {
    const lines = [[...DATA.heads, "经度", "纬度"]];
    spots.forEach((s, i) => { if (s) lines.push([...DATA.rows[i], (DATA.lon + s[0] / DATA.kx).toFixed(8), (DATA.lat - s[1] / DATA.ky).toFixed(8)]); });
    return "\ufeff" + lines.map((l) => l.map(cell).join(",")).join("\r\n") + "\r\n";
  }
  save.addEventListener("click", () => {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([table()], { type: "text/csv;charset=utf-8" }));
    a.download = "落点.csv";
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  });
  window.placing = { table, spots };

  const fit = () => { view.scale = 0.94 * Math.min(svg.clientWidth / (x1 - x0), svg.clientHeight / (y1 - y0)); move(); };
  window.addEventListener("resize", move);
  fit(); show();
})();
