/* The live map inside a notebook: draws what Python counts, and tells Python what the hand does. One question is under way
   at a time; of the positions of a drag only the last waits. Texts from data are only ever set as text. */
function render({ model, el }) {
  const E = xinhe.engine, data = JSON.parse(model.get("_content")), drawn = E.read(data), homes = drawn.homes;
  const view = Math.random().toString(36).slice(2), LATE = 20000, STEP_M = 10;
  const app = { state: null, arrays: null, adding: false, hover: null, waiting: [], busy: 0, seq: 0, grip: 0, held: null, toml: "" };
  const ui = {};

  /* --- small helpers ------------------------------------------------------------------------------------------ */

  function make(tag, attributes, ...children) {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(attributes || {})) {
      if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
      else if (v === true) e.setAttribute(k, "");
      else if (v !== false && v !== null && v !== undefined) e.setAttribute(k, v);
    }
    e.append(...children.filter((c) => c !== null && c !== undefined).map((c) => (c instanceof Node ? c : document.createTextNode(String(c)))));
    return e;
  }
  const put = (e, text) => { if (e.textContent !== text) e.textContent = text; };
  const button = (text, on, more) => make("button", Object.assign({ type: "button", onclick: on }, more), text);
  /* Halves up, whatever the order in which a figure was added up: 187.49999999999997 people are 188, as in the report. */
  const rounded = (v) => Math.round(Number(v.toPrecision(15)));
  const number = (v) => rounded(v).toLocaleString("zh-CN");
  const persons = (v) => (Number.isFinite(v) ? `${number(v)} 人` : "数据不足");
  const named = (id) => app.state && app.state.facilities.find((f) => f.id === id);

  /* --- asking Python ---------------------------------------------------------------------------------------------- */

  function ask(message) {
    const last = app.waiting[app.waiting.length - 1];
    if (last && message.do === "move" && last.do === "move" && last.grip === message.grip) app.waiting.pop();
    app.waiting.push(message);
    next();
  }
  function next() {
    if (app.busy || !app.waiting.length) return;
    app.busy = ++app.seq;
    app.sent = performance.now();
    clearTimeout(app.late);
    app.late = setTimeout(() => { say("Python 还没有应答：有别的单元格在运行，或内核已停。应答后地图会接着更新"); }, LATE);
    model.send(Object.assign({ seq: app.seq, view }, app.waiting.shift()));
  }
  function heard(message, buffers) {
    if (!message || !message.state) return;
    const floats = (b) => new Float64Array(b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));
    app.state = message.state;
    app.toml = message.toml;
    app.arrays = {
      share: floats(buffers[0]), before: floats(buffers[1]), cost: floats(buffers[2]),
      nearest: new Int32Array(buffers[3].buffer.slice(buffers[3].byteOffset, buffers[3].byteOffset + buffers[3].byteLength)),
      has: new Uint8Array(buffers[4].buffer.slice(buffers[4].byteOffset, buffers[4].byteOffset + buffers[4].byteLength)),
    };
    if (message.view === view && message.seq === app.busy) {
      clearTimeout(app.late);
      app.busy = 0;
      const took = performance.now() - app.sent;
      root.dataset.ms = took.toFixed(1);
      root.dataset.answers = String(Number(root.dataset.answers || 0) + 1);
    }
    if (message.say && (!message.view || message.view === view)) say(message.say);
    const own = app.held && named(app.held.id);
    if (own) own.xy = app.held.xy; // the hand has moved on meanwhile
    show();
    next();
  }

  /* --- showing -------------------------------------------------------------------------------------------------------- */

  function show() {
    const s = app.state, a = app.arrays, own = named(s.chosen), walking = own && own.serves && s.rule.metric === "reach";
    const rule = s.rule, waiting = app.held || app.waiting.length;
    map.show({
      share: a.share, before: a.before, facilities: s.facilities, selected: s.chosen, hover: app.hover, has: a.has,
      presence: rule.metric === "presence", key: s.key,
      // a picture only, drawn between two answers: no number rests on it
      reached: walking && rule.method !== "buffer" && s.doors.length && !waiting && drawn.profiles.has(rule.profile)
        ? E.reached(drawn, rule, { doors: s.doors.map(([edge, at, access]) => ({ edge, at: Math.min(at, drawn.net.length[edge]), access })) }) : null,
      circle: walking && rule.method === "buffer" ? rule.metres : 0,
      walk: s.walk && s.walk.legs && !waiting ? s.walk : null,
    });
    walkBox(waiting ? null : s.walk);
    counters(); lists(); controls(); overlay();
  }

  /* The walk of the home that was clicked last; the next answer to anything else has none. */
  function walkBox(walk) {
    ui.walk.hidden = !walk;
    if (!walk) return;
    const rows = walk.legs ? xinhe.walkRows(walk) : [];
    ui.walk.replaceChildren(make("b", {}, homes.name[walk.home]), make("span", {}, walk.legs ? `到${walk.facility} ${walk.minutes.toFixed(1)} 分钟` : "走不到"),
      make("table", {}, make("tbody", {}, ...rows.map(([words, ...rest]) => make("tr", {}, make("th", { scope: "row" }, words), ...rest.map((text) => make("td", {}, text)))))),
      make("span", { class: "xl-soft" }, walk.legs ? xinhe.whyLonger(walk) : ""));
  }

  function counters() {
    const s = app.state, h = s.headline;
    put(ui.title, s.title);
    ui.line.replaceChildren(...s.line.map((t) => make("span", {}, t)));
    ui.warn.replaceChildren(...s.warnings.map((t) => make("span", {}, t)));
    ui.warn.hidden = !s.warnings.length;
    put(ui.what, h.what); put(ui.big, h.big); put(ui.delta, h.delta); put(ui.note, h.note); put(ui.mark, s.mark);
    ui.now.style.width = 100 * Math.max(0, Math.min(1, h.now || 0)) + "%";
    ui.was.style.left = "calc(" + 100 * Math.max(0, Math.min(1, h.was || 0)) + "% - 1px)";
    ui.delta.className = h.now > h.was + 1e-9 ? "xl-delta xl-up" : h.now < h.was - 1e-9 ? "xl-delta xl-down" : "xl-delta";
    ui.table.replaceChildren(...s.table.map((row) => make("tr", {}, ...row.map((text, i) => make(i ? "td" : "th",
      { scope: i ? null : "row", class: i < 3 ? null : text.startsWith("+") ? "xl-up" : text.startsWith("−") ? "xl-down" : null }, text)))));
    for (const [side, word, sign] of [["gain", "受益", "+"], ["lose", "受影响", "−"]]) {
      const e = s.effects[side], names = e.homes.slice(0, 4).map((i) => homes.name[i]).join("、");
      put(ui[side].people, (side === "gain" && s.gaps.unknown && e.people > 0.5 ? "至多 " : "") + (e.people > 0.5 ? sign : "") + persons(e.people));
      put(ui[side].more, word + ("people_60plus" in e ? `，其中60+ ${persons(e.people_60plus)}` : "") + `；${number(e.homes.length)} 个小区` + (names ? "：" + names : "") + (e.homes.length > 4 ? "等" : ""));
      ui[side].root.classList.toggle("xl-none", !e.homes.length);
    }
  }

  function lists() {
    const s = app.state, g = s.gaps, change = rounded(g.people) - rounded(g.people_before);
    put(ui.gapHead, g.unknown ? "缺口：数据不足（没有查全，走不到的不等于没有）" : `缺口：${persons(g.people)}${g.who ? "（" + g.who + "）" : ""}，${number(g.homes)} 个小区` +
      (change ? `（${change > 0 ? "+" : "−"}${number(Math.abs(change))} 人）` : ""));
    fill(ui.gaps, g.rows.map((r) => [homes.name[r.home], `${persons(r.people)}，${r.far}`, () => { reveal(r.home); }]));
    fill(ui.changes, s.changes.map((c) => [c.name, c.what, () => choose(c.id)]));
    fill(ui.facilities, s.facilities.map((f) => [f.name, words(f), () => choose(f.id), f.id === s.chosen]));
    put(ui.changeHead, s.changes.length ? `方案：${s.changes.length} 处改动` : "方案：还没有改动");
  }
  /* Rows are kept and rewritten, so that the focus stays where it is. */
  function fill(list, rows) {
    while (list.children.length > rows.length) list.lastChild.remove();
    rows.forEach(([name, text, on, chosen], i) => {
      if (!list.children[i]) list.append(make("li", {}, make("button", { type: "button" }, make("span", {}), make("em", {}))));
      const b = list.children[i].firstChild;
      put(b.children[0], name); put(b.children[1], text);
      b.onclick = on;
      b.setAttribute("aria-pressed", String(Boolean(chosen)));
    });
  }
  function words(f) {
    const e = f.edit || {};
    if (f.fresh) return "新增";
    if (e.closed) return "撤除";
    if (f.state === "planned") return e.open ? "规划，已纳入" : "规划，未计入";
    return e.xy ? "已移动" : "现有";
  }

  function controls() {
    const s = app.state, own = named(s.chosen), e = (own && own.edit) || {};
    if (document.activeElement !== ui.kind) ui.kind.value = s.kind;
    if (document.activeElement !== ui.profile) ui.profile.value = s.profile;
    if (document.activeElement !== ui.minutes) ui.minutes.value = s.minutes === null ? "" : s.minutes;
    ui.minutes.placeholder = s.rule.method === "walk_min" ? String(s.rule.minutes) : "按规则";
    ui.undo.disabled = !s.undo; ui.redo.disabled = !s.redo; ui.reset.disabled = !s.reset; ui.save.disabled = !s.changes.length;
    ui.shut.disabled = !own;
    put(ui.shut, !own ? "撤除" : own.fresh ? "删除" : own.state === "planned" ? (e.open ? "不纳入" : "纳入方案") : e.closed ? "恢复" : "撤除");
    ui.back.disabled = !own || own.fresh || !own.edit;
    ui.add.setAttribute("aria-pressed", String(app.adding));
    ui.banner.hidden = !app.adding;
    const kinds = s.rule.kinds.map((k) => data.kinds.find((x) => x.id === k));
    if (Array.from(ui.which.options, (o) => o.value).join() !== kinds.map((k) => k.id).join()) {
      ui.which.replaceChildren(...kinds.map((k) => make("option", { value: k.id }, k.label)));
      const at = kinds.find((k) => k.id === s.kind);
      if (at) ui.which.value = at.id;
    }
    ui.which.hidden = kinds.length < 2;
    const chosen = model.get("selected");
    put(ui.chosen, chosen.length ? `已选 ${number(chosen.length)} 个小区（widget.selected）` : "");
    ui.clear.hidden = !chosen.length;
  }

  /* What lies above the map's own canvases: selected homes, and the numbers of the gaps. */
  function overlay() {
    const v = map.view, c = ui.over;
    if (!v || !app.state) return;
    const w = Math.round(v.w * v.ratio), h = Math.round(v.h * v.ratio);
    if (c.width !== w || c.height !== h) { c.width = w; c.height = h; }
    const x = c.getContext("2d");
    x.setTransform(v.ratio, 0, 0, v.ratio, 0, 0);
    x.clearRect(0, 0, v.w, v.h);
    const [ox, oy] = data.origin, selected = new Set(model.get("selected")), own = named(app.state.chosen);
    root.dataset.chosen = own ? v.screen(own.xy).map(Math.round).join() : "";
    x.lineWidth = 3; x.strokeStyle = "#1d5fbf"; x.lineJoin = "round";
    homes.id.forEach((id, i) => {
      if (!selected.has(id)) return;
      x.beginPath();
      for (const part of map.homes[i].parts) {
        for (let k = 0; k < part.length; k += 2) { const [a, b] = v.screen([part[k] + ox, part[k + 1] + oy]); if (k) x.lineTo(a, b); else x.moveTo(a, b); }
        x.closePath();
      }
      x.stroke();
    });
    x.font = "600 11px " + xinhe.FONT; x.textAlign = "center"; x.textBaseline = "middle";
    app.state.gaps.rows.forEach((row, i) => {
      const b = map.homes[row.home].box, [a, d] = v.screen([(b[0] + b[2]) / 2 + ox, (b[1] + b[3]) / 2 + oy]);
      if (a < 0 || d < 0 || a > v.w || d > v.h) return;
      x.beginPath(); x.arc(a, d, 8.5, 0, 2 * Math.PI);
      x.fillStyle = "#ffffff"; x.fill(); x.lineWidth = 1.6; x.strokeStyle = "#b02040"; x.stroke();
      x.fillStyle = "#7c1530"; x.fillText(String(i + 1), a, d + 0.5);
    });
  }

  function say(text) {
    put(ui.toast, text); ui.toast.hidden = false;
    clearTimeout(app.toast);
    app.toast = setTimeout(() => { ui.toast.hidden = true; }, 8000);
  }

  /* --- what the hand does ------------------------------------------------------------------------------------------------ */

  function choose(id) { ask({ do: "choose", chosen: id || "" }); const f = named(id); if (f) map.reveal(f.xy); }
  function reveal(home) {
    const b = map.homes[home].box, [ox, oy] = data.origin;
    map.reveal([(b[0] + b[2]) / 2 + ox, (b[1] + b[3]) / 2 + oy]);
    overlay();
  }
  function question() {
    const minutes = ui.minutes.value.trim() === "" ? null : Number(ui.minutes.value);
    ask({ do: "ask", kind: ui.kind.value, profile: ui.profile.value, minutes: Number.isNaN(minutes) ? -1 : minutes, chosen: "" });
  }
  function adding(on) { app.adding = on; controls(); }
  function place(xy) { adding(false); ask({ do: "add", kind: ui.which.value, xy }); }
  function shut() { if (app.state.chosen) ask({ do: "close", facility: app.state.chosen }); }
  function pick(ids, more) {
    const old = more ? model.get("selected") : [];
    model.set("selected", Array.from(new Set([...old, ...ids])));
    model.save_changes();
  }
  function toggle(home) {
    const id = homes.id[home], old = model.get("selected");
    model.set("selected", old.includes(id) ? old.filter((x) => x !== id) : [...old, id]);
    model.save_changes();
    if (!old.includes(id)) ask({ do: "walk", home });
    else if (app.state) { app.state.walk = null; show(); }
  }
  function save() {
    const a = make("a", { href: URL.createObjectURL(new Blob([app.toml], { type: "application/toml" })), download: "活地图方案.toml" });
    document.body.append(a); a.click(); a.remove();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  }
  function keys(event) {
    const s = app.state, own = s && named(s.chosen), step = event.shiftKey ? 10 * STEP_M : STEP_M;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!s) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") ask({ do: event.shiftKey ? "step_forward" : "step_back" });
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "y") ask({ do: "step_forward" });
    else if (event.target !== map.top) return;
    else if (way && own) {
      const at = app.nudged && app.nudged.id === own.id && (app.busy || app.waiting.length) ? app.nudged.xy : own.xy;
      app.nudged = { id: own.id, xy: [at[0] + way[0] * step, at[1] + way[1] * step] };
      ask({ do: "move", facility: own.id, xy: app.nudged.xy, grip: view + ++app.grip });
    } else if (way) { map.pan(-way[0] * 60, way[1] * 60); }
    else if (event.key === "Delete" || event.key === "Backspace") shut();
    else if (event.key === "Escape") { if (app.adding) adding(false); else choose(""); }
    else if (event.key === "Enter" && app.adding) place(map.centre());
    else if (event.key === "+" || event.key === "=") map.zoom(1.5);
    else if (event.key === "-") map.zoom(1 / 1.5);
    else if ((event.key === "n" || event.key === "p") && s.facilities.length) {
      const n = s.facilities.length, at = s.facilities.indexOf(own), to = event.key === "n" ? at + 1 : at < 0 ? n - 1 : at - 1;
      choose(s.facilities[(to + n) % n].id);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /* --- the page ------------------------------------------------------------------------------------------------------------- */

  const option = (value, label) => make("option", { value }, label);
  const field = (label, control) => make("label", { class: "xl-field" }, label, control);
  const effect = (side) => {
    ui[side] = { people: make("b", {}), more: make("span", {}) };
    ui[side].root = make("div", { class: "xl-" + side }, ui[side].people, ui[side].more);
    return ui[side].root;
  };
  ui.title = make("b", { class: "xl-title" });
  ui.line = make("div", { class: "xl-line" });
  ui.warn = make("div", { class: "xl-line xl-warn", role: "alert", hidden: true });
  ui.kind = make("select", { onchange: question }, ...data.askable.map((k) => option(k.id, k.label)));
  ui.profile = make("select", { onchange: question }, option("", "按规则"), ...data.profiles.map((p) => option(p.id, p.label)));
  ui.minutes = make("input", { type: "number", min: 1, max: 600, step: "any", onchange: question });
  ui.which = make("select", { "aria-label": "新设施的类别" });
  ui.add = button("加设施", () => adding(!app.adding));
  ui.shut = button("撤除", shut);
  ui.back = button("放回原处", () => ask({ do: "restore", facility: app.state.chosen }));
  ui.undo = button("撤销", () => ask({ do: "step_back" }), { title: "Ctrl+Z" });
  ui.redo = button("重做", () => ask({ do: "step_forward" }), { title: "Ctrl+Y" });
  ui.reset = button("恢复现状", () => ask({ do: "reset" }));
  ui.save = button("下载方案", save, { title: "存成 TOML 文件，交给 python run.py compare" });
  ui.toast = make("div", { class: "xl-toast", role: "status", hidden: true });
  ui.tip = make("div", { class: "xl-tip", hidden: true });
  ui.walk = make("div", { class: "xl-walk", hidden: true, role: "status" });
  ui.banner = make("div", { class: "xl-banner", hidden: true }, "点一下地图放置（Esc 取消）");
  ui.over = make("canvas", { class: "xl-over" });
  ui.box = make("div", { class: "xl-box", hidden: true });
  const stage = make("div", { class: "xl-stage", style: "height:" + model.get("height") + "px" }, ui.over, ui.box,
    make("div", { class: "xl-zoom" }, button("+", () => map.zoom(1.6), { "aria-label": "放大" }), button("−", () => map.zoom(1 / 1.6), { "aria-label": "缩小" }),
      button("全", () => map.fit(data.first), { "aria-label": "全图" })), make("div", { class: "xl-chosen" }, ui.chosen, ui.clear), ui.banner, ui.walk, ui.tip, ui.toast);
  ui.what = make("div", {}); ui.big = make("b", { class: "xl-big" }); ui.mark = make("i", { class: "xl-mark" });
  ui.now = make("i", { class: "xl-now" }); ui.was = make("i", { class: "xl-was" });
  ui.delta = make("div", { class: "xl-delta" }); ui.note = make("div", { class: "xl-soft" });
  ui.table = make("tbody", {});
  ui.gapHead = make("h4", {}); ui.gaps = make("ol", { class: "xl-list xl-numbered" });
  ui.changeHead = make("h4", {}); ui.changes = make("ul", { class: "xl-list" });
  ui.facilities = make("ul", { class: "xl-list xl-tall" });
  ui.chosen = make("span", {}); ui.clear = button("清除选择", () => { model.set("selected", []); model.save_changes(); }, { hidden: true });
  const side = make("div", { class: "xl-side", style: "max-height:" + model.get("height") + "px" },
    make("section", {}, ui.what, make("div", {}, ui.big, ui.mark), make("div", { class: "xl-bar" }, ui.now, ui.was), ui.delta, ui.note,
      make("table", {}, make("thead", {}, make("tr", {}, ...["可达", "现状", "方案", "变化"].map((t) => make("th", { scope: "col" }, t)))), ui.table)),
    make("section", {}, effect("gain"), effect("lose")),
    make("section", {}, ui.gapHead, ui.gaps),
    make("section", {}, ui.changeHead, ui.changes),
    make("section", {}, make("h4", {}, "设施"), ui.facilities));
  const legend = [...["full", "part", "none", "gain", "gainPart", "lose", "unknown"].map((c) => [xinhe.classes[c].fill, xinhe.classes[c].label])];
  const root = make("div", { class: "xl", lang: "zh-CN", "data-lm-suppress-shortcuts": "true", onkeydown: keys },
    make("div", { class: "xl-head" }, ui.title, ...data.badges.map(([cls, text]) => make("b", { class: "xl-badge" + (cls ? " xl-" + cls : "") }, text)), ui.line, ui.warn),
    make("div", { class: "xl-tools" }, field("设施", ui.kind), field("人群", ui.profile), field("分钟", ui.minutes), make("i", {}), ui.which, ui.add, ui.shut, ui.back,
      make("i", {}), ui.undo, ui.redo, ui.reset, ui.save),
    make("div", { class: "xl-main" }, stage, side),
    make("div", { class: "xl-legend" }, ...legend.map(([fill, label]) => make("span", {}, make("i", { style: "background:" + fill }), label)),
      make("span", { class: "xl-soft" }, "拖动设施；点小区选中，Shift+拖出方框选一片；方向键移 10 米，n／p 换设施，Delete 撤除，Ctrl+Z 撤销")),
    make("div", { class: "xl-foot" }, ...(data.demo_text ? [make("strong", {}, data.demo_text)] : []), ...data.foot.map((t) => make("span", {}, t))));
  el.append(root);

  const map = xinhe.makeMap(stage, drawn, {
    view: () => overlay(),
    adding: () => app.adding,
    may: (id, touch) => !touch || Boolean(app.state && app.state.chosen === id), // a swipe moves the map
    grab: (id) => { app.grip++; app.held = { id, xy: named(id) ? named(id).xy : null }; },
    drag: (id, xy) => {
      const own = named(id);
      if (!own) return;
      app.held = { id, xy };
      own.xy = xy;
      app.state.chosen = id;
      ask({ do: "move", facility: id, xy, grip: view + app.grip });
      show();
    },
    drop: () => { app.held = null; if (!app.busy && !app.waiting.length) show(); },
    select: (id) => choose(id),
    click: (xy, home) => { if (app.adding) place(xy); else if (home >= 0) toggle(home); else if (app.state && app.state.chosen) choose(""); },
    hover: (id, home, x, y) => {
      if (id !== app.hover) { app.hover = id; if (app.state) show(); }
      tip(home, x, y);
    },
  });
  stage.insertBefore(ui.over, ui.box);
  map.top.setAttribute("tabindex", "0");
  map.top.setAttribute("role", "application");
  map.top.setAttribute("aria-label", "活地图：n、p 换设施，方向键移动，Delete 撤除，Ctrl+Z 撤销");

  function tip(home, x, y) {
    const s = app.state, a = app.arrays;
    ui.tip.hidden = home < 0 || !s;
    if (ui.tip.hidden) return;
    const near = s.facilities[a.nearest[home]], far = a.cost[home], share = a.share[home];
    const people = Number.isNaN(homes.people[home]) ? "人口不详" : `${number(homes.people[home])} 人`;
    const cost = Number.isFinite(far) ? (s.unit === "分钟" ? far.toFixed(1) : number(far)) + " " + s.unit : "走不到";
    ui.tip.replaceChildren(make("b", {}, homes.name[home]), make("span", {}, people), make("span", {}, near ? `到${near.name} ${cost}` : cost),
      make("span", {}, Number.isNaN(share) ? "数据不足" : `可达 ${share > 1e-9 && share < 1 - 1e-9 ? Math.min(99, Math.max(1, Math.round(100 * share))) : Math.round(100 * share)}%`));
    ui.tip.style.left = Math.min(x + 14, stage.clientWidth - 190) + "px";
    ui.tip.style.top = (y > stage.clientHeight - 110 ? y - 100 : y + 14) + "px";
  }

  /* The wheel belongs to the page until the map has been clicked; a drag with Shift selects what it frames. */
  stage.addEventListener("wheel", (event) => {
    if (document.activeElement !== map.top && !event.ctrlKey) event.stopPropagation();
  }, { capture: true });
  stage.addEventListener("pointerdown", (event) => {
    if (event.target !== map.top) return;
    map.top.focus({ preventScroll: true });
    if (!event.shiftKey || event.button) return;
    event.stopPropagation();
    const box = stage.getBoundingClientRect(), from = [event.clientX - box.left, event.clientY - box.top];
    let to = from;
    const spread = () => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
    const move = (e) => {
      e.stopPropagation();
      to = [e.clientX - box.left, e.clientY - box.top];
      const [l, t, r, b] = spread();
      ui.box.hidden = false;
      Object.assign(ui.box.style, { left: l + "px", top: t + "px", width: r - l + "px", height: b - t + "px" });
    };
    const up = (e) => {
      e.stopPropagation();
      window.removeEventListener("pointermove", move, true); window.removeEventListener("pointerup", up, true);
      ui.box.hidden = true;
      const [l, t, r, b] = spread(), [ox, oy] = data.origin;
      pick(homes.id.filter((_, i) => {
        const h = map.homes[i].box, [x, y] = map.screen([(h[0] + h[2]) / 2 + ox, (h[1] + h[3]) / 2 + oy]);
        return x >= l && x <= r && y >= t && y <= b;
      }), e.ctrlKey || e.metaKey);
    };
    window.addEventListener("pointermove", move, true); window.addEventListener("pointerup", up, true);
  }, { capture: true });

  const selected = () => { if (app.state) controls(); overlay(); };
  model.on("msg:custom", heard);
  model.on("change:selected", selected);
  map.fit(data.first);
  ask({ do: "show" });
  return () => { model.off("msg:custom", heard); model.off("change:selected", selected); clearTimeout(app.late); };
}

export default { render };
