/* The page of the live map: controls, counters, plans, undo, export. Everything lives in memory: no storage, no network.
   Texts from data are only ever set as text. */
(async function () {
  "use strict";
  if (!("DecompressionStream" in window)) { document.body.prepend(document.body.dataset.old); return; }
  const E = xinhe.engine, data = await E.open(document.getElementById("xh-data").textContent.trim()), model = E.read(data);
  const sites = JSON.parse(document.getElementById("xh-sites").textContent); // rule -> plans of one, two, three places
  const NAMES = ["方案一", "方案二", "方案三", "方案四"], STEP_M = 10, MARK = "演示值（不作结论）";
  const UNITS = { people: ["人", 1, 0], people_60plus: ["人", 1, 0], area_m2: ["公顷", 1e-4, 1], homes: ["个", 1, 1] }; // word, factor, digits
  const DENOMINATORS = Object.assign({ homes: "小区数" }, data.denominators);
  const app = {
    preset: data.presets.length ? data.presets[0].id : "", rule: "", method: "", profile: "", plans: [Object.assign(E.emptyPlan(NAMES[0]), { key: 1 })], at: 0,
    selected: null, hover: null, adding: null, today: true, past: [], future: [], before: new Map(), result: null, map: null, ui: {},
    mode: "report", thought: "", tip: null, proposed: 0, cost: NaN, sort: ["people", -1],
  };
  const ui = app.ui;
  let grabbed = null; // what is being dragged

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
  const number = (v, digits) => (Number.isFinite(v) ? Number(v.toPrecision(15)).toLocaleString("zh-CN", { minimumFractionDigits: digits || 0, maximumFractionDigits: digits || 0 }) : "—");
  const rounded = (v, digits = 0) => Math.round(Number((v * 10 ** digits).toPrecision(15))) / 10 ** digits;
  const persons = (v) => (Number.isFinite(v) ? `${number(v)} 人` : "未知");
  // 100 only where it is all, 0 only where it is none, but for rounding; a headline is whole per cent
  const within = (v, step) => (v > 1e-9 && v < 1 - 1e-9 ? Math.min(1 - step, Math.max(step, v)) : v);
  const percent = (v) => (Number.isFinite(v) ? (100 * within(v, 0.001)).toFixed(1) + "%" : "数据不足");
  const whole = (v) => (Number.isFinite(v) ? Math.round(100 * within(v, 0.01)) + "%" : "数据不足");
  function signed(v, digits) {
    if (!Number.isFinite(v)) return "—";
    if (Math.abs(v) < 0.5 * Math.pow(10, -(digits || 0))) return "0";
    return (v > 0 ? "+" : "−") + number(Math.abs(v), digits);
  }
  const points = (a, b) => (Number.isFinite(a) && Number.isFinite(b) ? signed(100 * (b - a), 1) : "—");
  const shareOf = (t) => (t.any && t.known > 0 ? t.served / t.known : NaN);
  const kindOf = (i) => data.kinds[i];
  const plan = () => app.plans[app.at];
  const nameOf = (p) => p.name || NAMES[p.key - 1];
  const shown = () => (app.today ? E.emptyPlan("现状") : plan());
  const rule = () => E.ask(model, app.rule, app.method, app.profile);
  const weak = (r) => Boolean(data.demo && r.evidence);
  /* Of a kind that was only seen on a map: whoever gains may be served already, and who has none need not lack one. */
  const upTo = (r) => (r.mapped ? "至多 " : "");
  const seen = (r, share, before) => (r.mapped ? share.map((v, h) => (v > 1 - 1e-9 || v > before[h] + 1e-9 ? v : NaN)) : share);

  /* --- what is asked for ---------------------------------------------------------------------------------------- */

  const rulesOf = (preset) => data.rules.filter((r) => r.presets.includes(preset));

  function limitText(r) {
    if (r.metric === "presence") return "每个社区至少 1 处";
    return r.method === "walk_min" ? r.minutes + " 分钟" : r.metres + " 米";
  }
  function methodText(r) { return r.metric === "presence" ? "按社区计（界内有即算）" : data.methods[r.method]; }
  function line(r) {
    const parts = ["口径 " + (r.heading && app.preset === data.presets[0].id ? r.heading : data.presets.find((p) => p.id === app.preset).label), "方法 " + methodText(r), "标准 " + limitText(r)];
    if (r.metric !== "presence" && r.method === "walk_min") {
      const p = model.profiles.get(r.profile);
      parts.push("人群 " + p.label + " " + p.speed.toFixed(2) + " m/s");
    }
    parts.push("分母 " + DENOMINATORS[r.denominator], "数据年份 " + data.year);
    if (data.scenario) parts.push("在方案“" + data.scenario + "”之上");
    if (r.mapped) parts.push("没有查全：受益为至多，走不到的不等于没有");
    return parts;
  }

  /* The district as it is today under the present question, computed once per question. */
  function before(r) {
    const key = [r.id, r.method, r.profile, r.metric].join("|");
    if (!app.before.has(key)) app.before.set(key, Object.assign(E.evaluate(model, E.emptyPlan(), r), { key }));
    return app.before.get(key);
  }

  /* --- computing and showing ---------------------------------------------------------------------------------------- */

  /* Computes the plan and shows it: everything that has to keep up with a drag. */
  function update() {
    const started = performance.now(), r = rule(), base = before(r), result = E.evaluate(model, shown(), r);
    result.rule = r; result.base = base; result.effects = E.effects(model, base.share, result.share);
    app.result = result;
    app.evaluated = performance.now() - started;
    const own = result.facilities.find((f) => f.id === app.selected);
    const walking = own && own.serves && r.metric === "reach";
    app.state = {
      share: seen(r, result.share, base.share), before: base.share, mapped: r.mapped, facilities: result.facilities, selected: app.selected, hover: app.hover, has: result.has,
      presence: r.metric === "presence", key: base.key + app.today, walk: null, proposed: proposed(),
      reached: walking && r.method !== "buffer" && own.doors.length ? E.reached(model, r, own) : null, circle: walking && r.method === "buffer" ? r.metres : 0,
    };
    const walk = tell();
    app.state.walk = walk;
    app.map.show(app.state);
    counters(); compareLive();
    app.updated = performance.now() - started;
  }

  /* Everything else: lists, buttons, comparison. Runs when things come to rest. */
  function settle() {
    for (const [mode] of MODES) document.body.classList.toggle("xm-" + mode, app.mode === mode);
    update();
    for (const part of [head, chooser, planBox, chosenBox, effectLists, otherGoals, suggestions, priceBox, editList, facilityList, cards, compareTable, legend, buttons, keep]) part();

    put(ui.live, spoken());
  }

  function spoken() {
    const { rule: r, totals, base, effects } = app.result, d = E.denominator(r, totals.whole);
    if (!d) return r.label + "：数据不足";
    const now = percent(shareOf(totals.whole[d])), was = percent(shareOf(base.totals.whole[d]));
    return `${nameOf(plan())}，${r.label}：${DENOMINATORS[d]}可达 ${now}，现状 ${was}；` +
      `受益 ${upTo(r) + persons(effects.gain.people)}，受影响 ${persons(effects.lose.people)}`;
  }

  function communityCount(result) { return [Array.from(result.has).reduce((a, b) => a + b, 0), result.has.length]; }

  /* What leads: how many communities have one, or the share of the rule's denominator. */
  function headline(r, d) {
    const { totals, base, has } = app.result, [now, all] = communityCount(app.result), [was] = communityCount(base);
    if (d === null) return { what: r.label, big: "数据不足", delta: "没有调查过这类设施，或缺人口和用地", note: "", now: 0, was: 0 };
    if (r.metric === "presence") {
      const lack = data.communities.filter((_, i) => !has[i]).map((c) => c.name);
      return {
        what: data.list_year ? `${all} 个社区（${data.list_year} 年名录）中有` : `${all} 个社区中有`, big: `${now} 个`, now: now / Math.max(1, all), was: was / Math.max(1, all),
        delta: now === was ? "与现状相同" : `现状 ${was} 个，${signed(now - was)}`, note: !lack.length ? "全部都有" : r.mapped ? "其余有没有不知道" : "缺：" + lack.join("、"),
      };
    }
    const t = totals.whole[d], a = shareOf(base.totals.whole[d]), b = shareOf(t), [unit, k, digits] = UNITS[d];
    const who = r.method === "walk_min" ? model.profiles.get(r.profile).label.replace(/（.*）/, "") + "步行" : data.methods[r.method];
    const known = rounded(t.known * k, digits), out = rounded((t.known - t.served) * k, digits), amount = (v) => number(v, digits); // these and what is left agree
    const blank = model.homes.blank[d] || 0;
    return {
      what: (r.mapped ? "若列出的设施就是全部：" : "") + `${who} ${limitText(r)}可达${DENOMINATORS[d]}`, big: whole(b), now: b, was: a,
      delta: Math.abs(b - a) < 5e-5 ? "与现状相同" : `现状 ${percent(a)}，${points(a, b)} 个百分点`,
      note: (r.mapped ? "走不到的不等于没有" : `可达 ${amount(known - out)} / ${amount(known)} ${unit}，还在服务范围外 ${amount(out)} ${unit}`) +
        (blank && d !== "area_m2" ? `；另有 ${number(blank)} 个小区人口不详，未计入` : ""),
    };
  }

  function counters() {
    const { rule: r, totals, effects } = app.result, d = E.denominator(r, totals.whole), h = headline(r, d), change = effects.gain.people - effects.lose.people;
    put(ui.what, h.what); put(ui.net, netText(r, d)); put(ui.big, h.big); put(ui.delta, app.today ? "现状" : h.delta); put(ui.note, h.note);
    bar(h.now, h.was);
    put(ui.sheetButton, `结果 ${h.big}`);
    ui.delta.className = "xm-delta " + (change > 0 ? "up" : change < 0 ? "down" : "");
    for (const mark of ui.marks) mark.hidden = !weak(r) || d === null;
    numbersTable(r, d);
    for (const [side, box, word] of [["gain", ui.gain, "受益"], ["lose", ui.lose, "受影响"]]) {
      const e = effects[side];
      put(box.people, (side === "gain" && e.people > 0.5 ? upTo(r) : "") + (e.people > 0.5 ? (side === "gain" ? "+" : "−") : "") + persons(e.people));
      put(box.more, word + (elderlyCounted(r) ? `，其中60+ ${persons(e.people_60plus)}` : "") + `；${number(e.homes.length)} 个小区`);
      box.root.classList.toggle("none", !e.homes.length);
    }
  }

  /* People of 60 and over are counted where it is their speed that counts, or nobody's; else nothing is said of them. */
  const elderly = new Set(data.rules.filter((r) => r.denominator === "people_60plus").map((r) => r.profile));
  const elderlyCounted = (r) => r.method !== "walk_min" || r.metric === "presence" || elderly.has(r.profile);

  /* What comes first when a plan is tried: the difference to today, in what the goal itself counts. */
  function netText(r, d, result = app.result) {
    if (d === null) return "未知";
    if (r.metric === "presence") { const [now] = communityCount(result), [was] = communityCount(before(r)); return `净 ${signed(now - was)} 个社区`; }
    const [unit, k, digits] = UNITS[d], a = before(r).totals.whole[d], b = result.totals.whole[d];
    const { gain, lose } = result.effects || E.effects(model, before(r).share, result.share), agreed = rounded(gain[d]) - rounded(lose[d]); // as they are shown
    return `${r.mapped ? "至多 " : "净 "}${signed(Number.isFinite(agreed) ? agreed : (b.served - a.served) * k, digits)} ${unit}`;
  }

  function bar(now, was) {
    ui.barNow.style.width = 100 * Math.max(0, Math.min(1, now || 0)) + "%";
    ui.barWas.style.left = "calc(" + 100 * Math.max(0, Math.min(1, was || 0)) + "% - 1px)";
    ui.barRoot.setAttribute("aria-label", `方案 ${percent(now)}，现状 ${percent(was)}`);
  }

  /* The small table: each count today, in the plan, and the difference; then zone by zone. */
  function numbersTable(r, d) {
    const { totals, base } = app.result, rows = [];
    const add = (label, a, b, change) => rows.push([label, a, b, change]);
    for (const [c, label] of [["people", "常住人口"], ...(elderlyCounted(r) ? [["people_60plus", "60岁及以上"]] : [])]) {
      const a = base.totals.whole[c], b = totals.whole[c];
      add(label, percent(shareOf(a)), percent(shareOf(b)), b.any ? signed(b.served - a.served) + " 人" : "—");
    }
    const a = base.totals.whole.area_m2, b = totals.whole.area_m2;
    add("居住用地", percent(shareOf(a)), percent(shareOf(b)), b.any ? signed((b.served - a.served) / 1e4, 1) + " 公顷" : "—");
    if (data.communities.length) {
      const [now, all] = communityCount(app.result), [was] = communityCount(base);
      add("有设施的社区", `${was}/${all}`, `${now}/${all}`, signed(now - was) + " 个");
    }
    const c = d === "people_60plus" ? "people_60plus" : "people";
    data.zones.forEach((zone, i) => {
      const x = base.totals.byZone[i][c], y = totals.byZone[i][c];
      add(zone.name + (c === "people" ? "人口" : " 60+"), percent(shareOf(x)), percent(shareOf(y)), y.any ? signed(y.served - x.served) + " 人" : "—");
    });
    while (ui.rows.length < rows.length) {
      const cells = ["th", "td", "td", "td"].map((tag) => make(tag, tag === "th" ? { scope: "row" } : {}));
      ui.numbers.append(make("tr", {}, ...cells));
      ui.rows.push(cells);
    }
    ui.rows.forEach((cells, i) => { cells[0].parentNode.hidden = i >= rows.length; });
    rows.forEach((row, i) => row.forEach((text, j) => put(ui.rows[i][j], text)));
    rows.forEach((row, i) => { ui.rows[i][3].className = row[3].startsWith("+") ? "up" : row[3].startsWith("−") ? "down" : ""; });
    ui.table = rows;
  }

  /* --- changing a plan ------------------------------------------------------------------------------------------------ */

  const snapshot = () => JSON.stringify({ plans: app.plans, at: app.at });
  /* `thought`: steps in a row that are one thought (the same facility nudged on) are one step of undo. */
  function remember(saved, thought = "") {
    if (thought && thought === app.thought) return;
    app.past.push(saved || snapshot());
    if (app.past.length > 300) app.past.shift();
    app.future.length = 0;
    app.thought = thought;
  }
  function restore(saved) {
    const s = JSON.parse(saved);
    app.plans = s.plans; app.at = s.at; app.today = false; app.thought = "";
    if (app.selected && !model.byId.has(app.selected) && !fresh(plan(), app.selected)) app.selected = null;
    settle();
  }
  function undo() { if (app.past.length) { app.future.push(snapshot()); restore(app.past.pop()); } }
  function redo() { if (app.future.length) { app.past.push(snapshot()); restore(app.future.pop()); } }
  /* Does something to the plan as one step of undo. */
  function change(what, thought) {
    remember(null, thought); app.today = false;
    what(plan());
    for (const [id, e] of Object.entries(plan().edits)) if (!e.xy && !e.closed && !e.open) delete plan().edits[id];
    settle();
  }
  /* Takes over a plan from a file or from the address of the page: only what is known here, and only numbers as positions. */
  function adopted(raw, key) {
    const text = (v, otherwise) => (typeof v === "string" && v.trim() ? v.slice(0, 120) : otherwise);
    const pair = (v) => (Array.isArray(v) && v.length === 2 && v.every(Number.isFinite) ? v.map((c) => Math.round(c * 100) / 100) : null);
    const spot = (v) => { const xy = pair(v); return xy && E.canStand(model, xy[0], xy[1]) ? xy : null; };
    const p = Object.assign(E.emptyPlan(text(raw.name, NAMES[key - 1])), { key }), left = [];
    for (const [id, e] of Object.entries(raw.edits || {})) {
      if (!model.byId.has(id)) { left.push(id); continue; }
      const own = {}, xy = spot(e.xy);
      if (e.closed === true) own.closed = true;
      if (e.open === true) own.open = true;
      if (xy) { own.xy = xy; own.raw = pair(e.raw) || xy; }
      if (xy && e.corrected === true) { own.corrected = true; own.note = text(e.note, ""); }
      if (own.closed || own.open || own.xy) p.edits[id] = own;
    }
    for (const f of raw.added || []) {
      const xy = spot(f.xy), kind = data.kinds.find((k) => k.id === f.kind);
      if (!xy || !kind || typeof f.id !== "string" || model.byId.has(f.id) || fresh(p, f.id)) left.push(String(f.id));
      else p.added.push({ id: f.id, kind: kind.id, name: text(f.name, kind.label), xy, raw: pair(f.raw) || xy });
    }
    return [p, left];
  }

  const question = () => [app.preset, app.rule, app.method, app.profile].join("\n");
  /* The address of the page carries what is asked and the plans, so that loading it again loses nothing. */
  function keep() {
    clearTimeout(app.keeping);
    app.keeping = setTimeout(() => {
      const touched = app.mode === "work" || app.began !== question() || Number.isFinite(app.cost) || app.plans.length > 1 || app.plans.some((p) => p.added.length || Object.keys(p.edits).length || p.name !== NAMES[p.key - 1]);
      const text = JSON.stringify({ preset: app.preset, rule: app.rule, method: app.method, profile: app.profile, at: app.at, today: app.today, mode: app.mode, cost: Number.isFinite(app.cost) ? app.cost : null, plans: app.plans });
      const hash = touched && text.length < 200000 ? "#" + encodeURIComponent(text) : "";
      if (hash === window.location.hash) return;
      try { window.history.replaceState(null, "", hash || "#"); } catch { /* the plans stay in memory */ }
    }, 400); // browsers complain about an address that changes with every key
  }
  function kept() {
    try {
      const s = JSON.parse(decodeURIComponent(window.location.hash.slice(1)));
      const plans = s.plans.slice(0, NAMES.length).map((p, i) => adopted(p, i + 1)[0]);
      if (!plans.length) return;
      app.plans = plans;
      app.at = Number.isInteger(s.at) && plans[s.at] ? s.at : 0;
      app.today = s.today === true; app.mode = s.mode === "work" ? "work" : "report";
      if (typeof s.cost === "number" && s.cost > 0) app.cost = s.cost;
      if (!data.presets.some((p) => p.id === s.preset) || !rulesOf(s.preset).some((r) => r.id === s.rule)) return;
      app.preset = s.preset; app.rule = s.rule;
      if (s.method in data.methods) app.method = s.method;
      if (model.profiles.has(s.profile)) app.profile = s.profile;
    } catch { /* no plans in the address, or not ours */ }
  }

  function open(text, name) {
    const given = E.readToml(text), asked = given.planned !== Boolean(data.planned);
    if ((given.year !== undefined && given.year !== data.year) || asked)
      throw new Error(`方案按 ${given.year || data.year} 年${given.planned ? "、规划设施到期即开放" : ""}计算，本页是 ${data.year} 年；年份不同数就不同，请在桌面用 compare 命令比较`);
    const placed = [...given.added, ...Object.entries(given.edits).map(([id, e]) => ({ name: (model.byId.get(id) || {}).name || id, xy: e.xy }))];
    const inside = placed.filter((f) => Array.isArray(f.xy) && f.xy.length === 2 && !E.canStand(model, f.xy[0], f.xy[1]));
    const why = model.homes.shape ? "放在小区里，要从小区的出入口量起，本页算不了" : "不在街上，本页小区多、只画成圆，看不出在不在小区里";
    if (inside.length)
      throw new Error(`${inside.slice(0, 5).map((f) => f.name).join("、")}${inside.length > 5 ? ` 等 ${inside.length} 处` : ""}${why}；请在桌面用 compare 命令比较这个方案`);
    const [p, left] = adopted(given, 1);
    remember();
    const here = plan(), empty = !here.added.length && !Object.keys(here.edits).length;
    if (empty || app.plans.length >= NAMES.length) { p.key = here.key; app.plans[app.at] = p; } else {
      const used = new Set(app.plans.map((q) => q.key));
      p.key = [1, 2, 3, 4].find((k) => !used.has(k));
      app.plans.push(p); app.at = app.plans.length - 1;
    }
    app.selected = null; app.today = false; app.thought = "";
    const changed = editWords(plan()), to = changed.length ? concerned(plan()) : null;
    if (to) { app.preset = to.preset; app.rule = to.rule; app.method = app.profile = ""; }
    settle();
    const spots = app.result.facilities.filter((f) => f.fresh || f.edit);
    if (spots.length) app.map.reveal(spots[0].xy);
    say(`已载入 ${name}：` + (changed.length ? changed.slice(0, 3).map((w) => w.text).join("、") + (changed.length > 3 ? ` 等 ${changed.length} 项` : "") : "没有改动") +
      (to ? `；指标换成“${rule().label}”` : "") + (left.length ? `；${left.length} 项在本页没有，未载入（${left.slice(0, 5).join("、")}）` : ""));
  }
  const kindsOf = (p) => new Set([...p.added.map((f) => f.kind), ...Object.keys(p.edits).map((id) => kindOf(model.byId.get(id).kind).id)]);
  const moves = (r, kinds) => r.kindIds.some((k) => kinds.has(k));
  /* The question that a plan is about, where the present one is none: the first that asks for a kind it changes. */
  function concerned(p) {
    const kinds = kindsOf(p);
    if (moves(rule(), kinds)) return null;
    for (const preset of [app.preset, ...data.presets.map((x) => x.id)])
      for (const promised of [true, false]) for (const r of rulesOf(preset)) if (r.promised === promised && moves(model.rules.get(r.id), kinds)) return { preset, rule: r.id };
    return null;
  }
  function say(text) {
    put(ui.toast, text); ui.toast.hidden = false; put(ui.live, text);
    clearTimeout(app.toast);
    app.toast = setTimeout(() => { ui.toast.hidden = true; }, 7000);
  }

  const edited = (p, id) => (p.edits[id] = p.edits[id] || {});
  const fresh = (p, id) => p.added.find((f) => f.id === id);
  const isPlanned = (id) => model.byId.has(id) && model.byId.get(id).state === "planned";

  /* Puts a facility where it was dropped: at the nearest public street, to the centimetre. */
  function moveTo(p, id, raw) {
    const xy = E.snap(model, raw[0], raw[1]);
    if (!xy) return;
    const own = fresh(p, id) || edited(p, id);
    if (isPlanned(id)) own.open = true;
    own.xy = xy; own.raw = raw.map((v) => Math.round(v * 100) / 100);
  }
  function newId() {
    let n = 1;
    while (app.plans.some((p) => p.added.some((f) => f.id === data.prefix + n))) n++;
    return data.prefix + n;
  }
  function add(kind, raw) {
    const xy = E.snap(model, raw[0], raw[1]);
    if (!xy) return;
    const k = data.kinds.find((x) => x.id === kind);
    const id = newId(), same = plan().added.filter((f) => f.kind === kind).length + 1;
    app.adding = null; app.selected = id;
    change((p) => p.added.push({ id, kind, name: k.label + same + "（拟设）", xy, raw: raw.map((v) => Math.round(v * 100) / 100) }));
    app.map.reveal(xy);
    app.map.top.focus({ preventScroll: true });
  }
  function close(id) {
    if (!id) return;
    if (fresh(plan(), id)) { app.selected = null; change((p) => { p.added = p.added.filter((f) => f.id !== id); }); return; }
    const now = plan().edits[id] || {};
    change((p) => { const e = edited(p, id); if (isPlanned(id)) { e.open = !now.open; e.closed = false; if (now.open) delete e.xy; } else e.closed = !now.closed; });
  }
  function revert(id) {
    if (fresh(plan(), id)) close(id);
    else change((p) => { delete p.edits[id]; });
  }
  function newPlan() {
    if (app.plans.length >= NAMES.length) return;
    remember();
    const used = new Set(app.plans.map((p) => p.key)), key = [1, 2, 3, 4].find((k) => !used.has(k));
    const copy = Object.assign(E.copyPlan(plan()), { key, name: NAMES[key - 1] });
    app.plans.push(copy); app.at = app.plans.length - 1; app.today = false;
    settle();
  }
  function setMode(mode) {
    app.mode = mode;
    if (mode === "report") { app.selected = app.adding = null; app.proposed = 0; }
    app.today = mode === "report" && !app.plans.some((p) => editWords(p).length);
    settle();
  }
  function dropPlan() {
    if (app.plans.length < 2) return;
    remember();
    app.plans.splice(app.at, 1); app.at = Math.max(0, app.at - 1); app.selected = null;
    settle();
  }
  function showPlan(i) {
    app.at = i; app.today = false; app.thought = "";
    if (app.selected && !model.byId.has(app.selected) && !fresh(plan(), app.selected)) app.selected = null;
    settle();
  }

  /* --- head, chooser, plans ------------------------------------------------------------------------------------------- */

  function head() {
    const r = rule();
    put(ui.title, `${data.name} 选址推演 · ${r.label}`);
    ui.line.replaceChildren(...line(r).map((t) => make("span", {}, t)));
    const notes = [r.standard, ...(r.evidence ? [r.evidence] : []), ...data.foot];
    ui.modes.forEach((b, i) => b.setAttribute("aria-pressed", String(MODES[i][0] === app.mode)));
    ui.foot.replaceChildren(...(data.demo_text ? [make("strong", {}, data.demo_text)] : []), ...notes.map((t) => make("span", {}, t)));
  }

  const MODES = [["report", "汇报"], ["work", "推演"]];
  const WHY_NOT = { buffer: "直线半径与步速无关", network_m: "路网距离与步速无关" };
  function chooser() {
    const own = rulesOf(app.preset), promised = own.filter((r) => r.promised), others = own.filter((r) => !r.promised), r = rule();
    const choice = (value, label, chosen) => make("option", { value, selected: chosen }, label);
    const ofRule = (x) => choice(x.id, x.label, x.id === app.rule);
    const first = promised.length ? promised : own, here = own.find((x) => x.id === app.rule), given = model.rules.get(app.rule);
    data.presets.forEach((p, i) => { ui.presets[i].setAttribute("aria-pressed", String(p.id === app.preset)); });
    ui.rule.replaceChildren(...first.map(ofRule), ...(first.includes(here) ? [] : [make("optgroup", { label: "高级" }, ofRule(here))]));
    ui.other.disabled = !promised.length || !others.length;
    ui.other.replaceChildren(choice("", ui.other.disabled ? "（都在上面）" : others.every((x) => x.heading) ? `参考指标（非纲要）${others.length} 项…` : `其他 ${others.length} 项…`), ...(ui.other.disabled ? [] : others.map(ofRule)));
    ui.method.replaceChildren(choice("", `按规则（${methodText(given)}）`, !app.method),
      ...Object.entries(data.methods).map(([id, label]) => choice(id, label, app.method === id)));
    ui.profile.replaceChildren(choice("", `按规则（${model.profiles.get(given.profile).label}）`, !app.profile),
      ...data.profiles.map((p) => choice(p.id, `${p.label} ${p.speed.toFixed(2)} m/s`, p.id === app.profile)));
    const why = r.metric === "presence" ? "按社区计数，与步速无关" : WHY_NOT[r.method] || "";
    ui.profile.disabled = Boolean(why);
    put(ui.why, why);
  }

  function planBox() {
    ui.tabs.replaceChildren(...app.plans.map((p, i) => button(nameOf(p), () => showPlan(i), { "aria-pressed": String(i === app.at && !app.today) })));
    ui.todayButton.setAttribute("aria-pressed", String(app.today));
    ui.more.disabled = app.plans.length >= NAMES.length;
    if (document.activeElement !== ui.planName) ui.planName.value = plan().name;
    ui.drop.disabled = app.plans.length < 2;
  }

  function buttons() {
    ui.undo.disabled = !app.past.length; ui.redo.disabled = !app.future.length;
    const touched = Object.keys(plan().edits).length + plan().added.length;
    ui.reset.disabled = !touched; ui.toml.disabled = !touched;
    ui.corrections.disabled = E.corrections(model, plan()).length < 2;
    ui.corrections.title = ui.corrections.disabled ? "先拖动一处设施，再勾选“资料位置有误，标为订正”" : "用 add 命令收进街道目录：--layer facilities --crs WGS84";
    ui.banner.hidden = !app.adding;
    if (app.adding) put(ui.bannerText, `点一下地图放置：${data.kinds.find((k) => k.id === app.adding).label}`);
    const kinds = rule().kindIds;
    ui.kind.replaceChildren(...kinds.map((k) => make("option", { value: k }, data.kinds.find((x) => x.id === k).label)));
    ui.kindBox.hidden = kinds.length < 2;
  }

  /* --- the chosen facility, lists, comparison ----------------------------------------------------------------------------- */

  const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  function stateWords(f) {
    const e = f.edit || {};
    if (f.fresh) return "方案新增";
    if (e.closed) return "方案撤除";
    if (isPlanned(f.id)) return e.open ? "规划设施，已纳入方案" : "规划设施，未计入";
    return e.xy ? `已移动 ${number(distance(f.from, f.xy))} 米` : "现有";
  }

  const field = (label, control) => make("label", { class: "xm-field" }, label + " ", control);
  const cross = (label, on) => button("×", on, { class: "xm-x", "aria-label": label });

  function chosenBox() {
    const f = app.result.facilities.find((x) => x.id === app.selected), box = ui.chosen;
    box.hidden = !f;
    if (!f) return;
    const e = f.edit || {}, moved = !f.fresh && e.xy;
    const act = f.fresh ? "删除" : isPlanned(f.id) ? (e.open ? "不纳入" : "纳入方案") : e.closed ? "恢复" : "撤除";
    const back = () => change((p) => ["xy", "raw", "corrected", "note"].forEach((k) => delete edited(p, f.id)[k]));
    const rows = [
      make("div", { class: "xm-row" }, icon(f), make("b", {}, f.name), cross("取消选中", () => { app.selected = null; settle(); })),
      make("p", { class: "xm-soft" }, `${kindOf(f.kind).label}　${stateWords(f)}`),
    ];
    if (f.fresh) rows.push(field("名称", input(f.name, 60, (text) => change((p) => { fresh(p, f.id).name = text.trim() || f.name; }))));
    rows.push(make("div", { class: "xm-acts" }, button(act, () => close(f.id)), moved ? button("放回原处", back) : null));
    if (moved && !e.closed) {
      const mark = (ev) => change((p) => { edited(p, f.id).corrected = ev.target.checked; });
      rows.push(make("label", { class: "xm-check" }, make("input", { type: "checkbox", checked: Boolean(e.corrected), onchange: mark }), " 资料位置有误，标为订正"));
      const note = (text) => change((p) => { edited(p, f.id).note = text; });
      if (e.corrected) rows.push(field("说明", input(e.note || "", 120, note, { placeholder: "依据，如：现场核对" })));
    }
    rows.push(make("p", { class: "xm-soft" }, "拖动，或用方向键每次移 10 米（落在最近的公共街道上）；Delete 撤除"));
    const controls = () => Array.from(box.querySelectorAll("button,input")), held = controls().indexOf(document.activeElement);
    box.replaceChildren(...rows);
    if (held >= 0 && controls()[held]) controls()[held].focus();
  }

  function icon(f) {
    const c = make("canvas", { width: 48, height: 48, class: "xm-icon", "aria-hidden": "true" });
    xinhe.drawIcon(c.getContext("2d"), 24, 24, 15, kindOf(f.kind), xinhe.looksLike(f));
    return c;
  }

  /* Who gains and who loses, by name; a click on a head sorts. */
  const MOST_ROWS = 200;
  function effectLists() {
    const { gain, lose } = app.result.effects, [by, way] = app.sort, homes = model.homes;
    const rows = [...gain.homes.map((v) => [v.home, v.people]), ...lose.homes.map((v) => [v.home, -v.people])];
    const known = (v) => (Number.isFinite(v) ? v : -Infinity);
    rows.sort((a, b) => (by === "name" ? way * homes.name[a[0]].localeCompare(homes.name[b[0]], "zh-CN") : way * (known(a[1]) - known(b[1])) || 0) || a[0] - b[0]);
    const head = (key, label) => make("th", { scope: "col", "aria-sort": by === key ? (way > 0 ? "ascending" : "descending") : "none" },
      button(label + (by === key ? (way > 0 ? " ▲" : " ▼") : ""), () => { app.sort = [key, by === key ? -way : key === "name" ? 1 : -1]; effectLists(); }));
    ui.who.hidden = !rows.length;
    ui.whoNone.hidden = Boolean(rows.length);
    ui.who.replaceChildren(make("thead", {}, make("tr", {}, head("name", "小区"), head("people", "人数变化"))), make("tbody", {}, ...rows.slice(0, MOST_ROWS).map(([h, v]) =>
      make("tr", {}, make("th", { scope: "row" }, button(homes.name[h], () => lookAt(h), { class: "xm-link" })), make("td", { class: v > 0 ? "up" : v < 0 ? "down" : "" }, Number.isFinite(v) ? `${upTo(rule())}${signed(v)} 人` : "未知"))),
      ...(rows.length > MOST_ROWS ? [make("tr", {}, make("td", { colspan: 2 }, `等 ${number(rows.length)} 个小区`))] : [])));
  }

  /* Which other goals a plan moves as well: those that ask for a kind it changes. */
  function otherGoals() {
    const kinds = app.today ? new Set() : kindsOf(plan()), own = new Set(rulesOf(data.presets[0].id).map((r) => r.id)), words = [];
    for (const given of data.rules) {
      const r = E.ask(model, given.id, "", "");
      if (r.id === app.rule || !own.has(r.id) || !moves(r, kinds)) continue;
      const base = before(r), result = E.evaluate(model, plan(), r), d = E.denominator(r, result.totals.whole), e = E.effects(model, base.share, result.share);
      if (!e.gain.homes.length && !e.lose.homes.length && communityCount(result)[0] === communityCount(base)[0]) continue;
      words.push([r, `${netText(r, d, result)}` + (d === null ? "" : `（${compared(r, base)} → ${compared(r, result)}）`)]);
    }
    ui.others.replaceChildren(...(words.length ? words.map(([r, text]) => make("li", {}, button(r.label, () => chooseRule(r.id), { class: "xm-link" }), make("span", {}, text))) :
      [make("li", { class: "xm-soft" }, kinds.size ? "没有其他目标受影响" : "还没有改动")]));
  }

  /* Proposed places: worked out when the page was made, for the goals that the report looks for a next step of. */
  const proposedRows = () => (app.method || app.profile ? [] : sites[app.rule] || []);
  function proposed() {
    const row = proposedRows()[app.proposed - 1];
    return row ? row.places.map((place, i) => ({ tag: "ABC"[i], name: place[0], xy: [place[1], place[2]], zone: row.zones[i] })) : null;
  }
  function suggestions() {
    const rows = proposedRows(), row = rows[app.proposed - 1], who = rule().denominator === "people_60plus" ? "people_60plus" : "people";
    const each = rule().metric === "presence"; // wherever in a community it stands, all who live there count
    const gain = (one) => (each ? `+${number(one.communities)} 个社区` : one[who] === null ? "未知" : `+${number(one[who])} 人`);
    ui.sites.replaceChildren(...(rows.length ? rows.map((one, i) => button(`${i + 1} 处 ${gain(one)}`, () => { app.proposed = app.proposed === i + 1 ? 0 : i + 1; settle(); }, { "aria-pressed": String(app.proposed === i + 1) })) :
      [make("span", { class: "xm-soft" }, "这一项没有事先算；report 加 --suggest 为每项目标算")]));
    ui.siteWords.hidden = !row;
    if (!row) return;
    ui.siteWords.replaceChildren(...proposed().map((p) => make("span", {}, `${p.tag} ${p.name}`)), make("span", {}, row.short_of_proof ? `比最优至多差 ${percent(row.short_of_proof)}` : each ? "已证明最优：只比选哪个社区，不比社区内的位置" : "已证明最优"),
      make("span", {}, "斜线范围内可以挪动"), button("照此设为方案", adoptSites));
  }
  function adoptSites() {
    const spots = proposed(), kind = rule().kindIds[0];
    remember();
    app.today = false; app.proposed = 0;
    if (editWords(plan()).length && app.plans.length < NAMES.length) {
      const used = new Set(app.plans.map((p) => p.key)), key = [1, 2, 3, 4].find((k) => !used.has(k));
      app.plans.push(Object.assign(E.emptyPlan(NAMES[key - 1]), { key })); app.at = app.plans.length - 1;
    } else { plan().edits = {}; plan().added = []; }
    for (const p of spots) plan().added.push({ id: newId(), kind, name: `拟设 ${p.tag}`, xy: p.xy, raw: p.xy });
    settle();
  }

  /* What one more person served costs, from what one place costs. */
  function priceOf(p, result) {
    const r = rule(), d = E.denominator(r, result.totals.whole), base = before(r).totals.whole;
    const places = p.added.length + Object.values(p.edits).filter((e) => !e.closed && (e.open || (e.xy && !e.corrected))).length;
    if (!(app.cost > 0) || !places || !(d === "people" || d === "people_60plus") || r.metric === "presence") return null;
    const net = result.totals.whole[d].served - base[d].served;
    return { places, total: places * app.cost, each: net > 0.5 ? (1e4 * places * app.cost) / net : NaN };
  }
  const eachText = (v) => (v && Number.isFinite(v.each) ? number(v.each) : "—");
  function priceBox() {
    if (document.activeElement !== ui.cost) ui.cost.value = Number.isFinite(app.cost) ? app.cost : "";
    const v = app.today ? null : priceOf(plan(), app.result);
    put(ui.price, !v ? "" : `${v.places} 处共 ${number(v.total)} 万元；` + (Number.isFinite(v.each) ? `每新增服务一人 ${number(v.each)} 元` : "没有净增，算不出每人投资"));
  }

  function lookAt(h) {
    const b = app.map.boxOf(h), o = data.origin;
    app.map.reveal([(b[0] + b[2]) / 2 + o[0], (b[1] + b[3]) / 2 + o[1]]);
    showTip(h, 0, 0, true);
  }

  function editWords(p) {
    const out = p.added.map((f) => ({ id: f.id, text: "新增 " + f.name }));
    for (const f of model.facilities) {
      const e = p.edits[f.id];
      if (!e) continue;
      const how = e.corrected ? "订正 " : f.state === "planned" ? "纳入并移动 " : "移动 ";
      if (e.closed) out.push({ id: f.id, text: "撤除 " + f.name });
      else if (e.xy) out.push({ id: f.id, text: `${how}${f.name} ${number(distance(f.xy, e.xy))} 米` });
      else if (e.open) out.push({ id: f.id, text: "纳入规划 " + f.name });
    }
    return out;
  }
  function editList() {
    const words = editWords(plan()), here = new Set(app.result.facilities.map((f) => f.id));
    put(ui.editsHead, `${nameOf(plan())}：${words.length ? words.length + " 项改动" : "还没有改动"}`);
    const row = (w) => make("li", {},
      button(w.text + (here.has(w.id) ? "" : "（其他类别）"), () => select(w.id, true), { class: "xm-link", disabled: !here.has(w.id) }),
      cross("去掉这一项：" + w.text, () => revert(w.id)));
    ui.edits.replaceChildren(...(words.length ? words.map(row) : [make("li", { class: "xm-soft" }, "拖动图上的设施，或点“添加设施”。")]));
  }
  function facilityList() {
    const all = app.result.facilities, open = all.filter((f) => f.serves).length;
    put(ui.listHead, `设施清单（开放 ${open} 处${all.length > open ? "，另 " + (all.length - open) + " 处未计入" : ""}）`);
    const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.facility : "";
    const words = { "": "", fresh: "改动", planned: "规划", closed: "撤除" };
    ui.list.replaceChildren(...all.map((f) => make("li", {}, make("button", {
      type: "button", class: "xm-link", "data-facility": f.id, "aria-pressed": String(f.id === app.selected), onclick: () => select(f.id, true),
    }, f.name, make("span", { class: "xm-soft" }, f.fresh ? "新增" : words[xinhe.looksLike(f)])))));
    const held = focus && Array.from(ui.list.querySelectorAll("button")).find((b) => b.dataset.facility === focus);
    if (held) held.focus();
  }
  function select(id, reveal) {
    app.selected = id;
    settle();
    const f = app.result.facilities.find((x) => x.id === id);
    if (reveal && f) { app.map.reveal(f.xy); app.map.top.focus({ preventScroll: true }); }
  }

  /* Today and every plan under the present question: the leading number, who gains, who loses, how many changes. */
  function compared(r, result) {
    const d = E.denominator(r, result.totals.whole), [now, all] = communityCount(result);
    return r.metric === "presence" ? `${now}/${all}` : d ? percent(shareOf(result.totals.whole[d])) : "数据不足";
  }
  function planCells(r, p, result) {
    const e = E.effects(model, before(r).share, result.share);
    return [nameOf(p), compared(r, result), upTo(r) + number(e.gain.people), number(e.lose.people), String(editWords(p).length), ...(app.cost > 0 ? [eachText(priceOf(p, result))] : [])];
  }
  function comparison() {
    const r = rule(), base = before(r), d = E.denominator(r, base.totals.whole), presence = r.metric === "presence";
    const rows = [{ cells: ["方案", presence ? "社区" : `可达${d ? DENOMINATORS[d].replace("人口", "") : ""}`, "受益", "受影响", "改动", ...(app.cost > 0 ? ["元/人"] : [])] }];
    rows.push({ cells: ["现状", compared(r, base), "", "", "", ...(app.cost > 0 ? [""] : [])], here: app.today });
    app.plans.forEach((p, i) => {
      const here = i === app.at && !app.today;
      rows.push({ cells: planCells(r, p, here ? app.result : E.evaluate(model, p, r)), here });
    });
    return rows;
  }
  /* The row of the plan in hand keeps up with a drag; the others stay as they are. */
  function compareLive() {
    const row = app.today ? null : ui.compare.querySelector("tbody tr.here");
    if (row) planCells(rule(), plan(), app.result).forEach((text, i) => { if (row.children[i]) put(row.children[i], text); });
  }
  /* Today and the plans side by side, for the screen of a meeting. */
  function cards() {
    const r = rule(), base = before(r), d = E.denominator(r, base.totals.whole);
    const card = (name, result, words, pressed, on) => make("button", { type: "button", "aria-pressed": String(pressed), onclick: on },
      make("span", {}, name), make("b", {}, d === null ? "未知" : r.metric === "presence" ? compared(r, result) : whole(shareOf(result.totals.whole[d]))), make("span", {}, words));
    const words = (p, result) => (editWords(p).length ? netText(r, d, result) : "还没有改动");
    ui.cards.replaceChildren(card("现状", base, d === null ? "" : stillText(r, base, d), app.today, () => { app.today = true; settle(); }), ...app.plans.map((p, i) => {
      const here = i === app.at && !app.today, result = here ? app.result : E.evaluate(model, p, r);
      return card(nameOf(p), result, words(p, result), here, () => showPlan(i));
    }));
  }
  /* How many are still without. */
  function stillText(r, result, d) {
    if (r.metric === "presence") { const [now, all] = communityCount(result); return r.mapped ? "" : `缺 ${all - now} 个社区`; }
    const t = result.totals.whole[d], [unit, k, digits] = UNITS[d];
    return r.mapped ? "" : `缺口 ${number((t.known - t.served) * k, digits)} ${unit}`;
  }
  function compareTable() {
    const [first, ...rest] = comparison(), r = rule(), d = E.denominator(r, before(r).totals.whole);
    ui.compare.replaceChildren(make("thead", {}, make("tr", {}, ...first.cells.map((h) => make("th", { scope: "col" }, h)))),
      make("tbody", {}, ...rest.map(({ cells, here }) => make("tr", { class: here ? "here" : "" },
        ...cells.map((text, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }, text))))));
    // all at one limit, so that what differs is the method
    const speed = 60 * model.profiles.get(r.profile).speed, metres = r.method === "walk_min" ? r.minutes * speed : r.metres, minutes = metres / speed;
    const others = Object.entries(data.methods).map(([method, label]) => {
      const t = E.totals(model, E.served(model, shown(), Object.assign({}, r, { method, metres, minutes, metric: "reach" }))).whole, dd = E.denominator(r, t);
      return `${label.slice(0, 2)} ${dd ? percent(shareOf(t[dd])) : "—"}`;
    });
    put(ui.alternatives, d ? `换算法（${DENOMINATORS[d]}，同为 ${number(metres)} 米）：${others.join("｜")}` : "");
  }

  const STATES = { "": "开放的设施", fresh: "方案新增、移动", planned: "规划设施，未计入", closed: "方案撤除" };
  /* The keys of facilities: one for each open kind that is on the map, in its own colour and character, and one for each other state. */
  function facilityKeys(r) {
    const all = app.result.facilities, of = (test) => all.filter(test), open = (f) => xinhe.looksLike(f) === "";
    const kinds = r.kinds.filter((k) => all.some((f) => f.kind === k && open(f)));
    const label = (k) => (r.kinds.length > 1 ? kindOf(k).label : STATES[""]);
    return [...kinds.map((k) => [kindOf(k), "", label(k), of((f) => f.kind === k && open(f)).length]),
      ...Object.entries(STATES).filter(([state]) => state).map(([state, text]) => [state, text, of((f) => xinhe.looksLike(f) === state)])
        .filter(([, , some]) => some.length).map(([state, text, some]) => [kindOf(some[0].kind), state, text, some.length])];
  }

  function legend() {
    const s = app.state, used = {};
    for (let h = 0; h < s.share.length; h++) {
      const c = xinhe.classOf(s.share[h], s.before[h]);
      used[c] = (used[c] || 0) + 1;
    }
    app.used = used;
    ui.legend.replaceChildren(...Object.entries(xinhe.classes).filter(([c]) => used[c]).map(([c, look]) => {
      const key = make("canvas", { width: 44, height: 26, class: "xm-key", "aria-hidden": "true" }), x = key.getContext("2d");
      x.fillStyle = look.hatch ? xinhe.hatch(x, look.fill, look.hatch, 2) : look.fill; x.fillRect(1, 1, 42, 24);
      x.strokeStyle = look.line || "#6f675d"; x.lineWidth = look.line ? 3 : 1.5; x.strokeRect(1, 1, 42, 24);
      return make("li", {}, key, make("span", {}, look.label), make("em", {}, number(used[c] || 0) + " 个小区"));
    }), ...facilityKeys(rule()).map(([kind, state, label, count]) => {
      const c = make("canvas", { width: 48, height: 48, class: "xm-icon", "aria-hidden": "true" });
      xinhe.drawIcon(c.getContext("2d"), 24, 24, 15, kind, state);
      return make("li", {}, c, make("span", {}, label), make("em", {}, number(count) + " 处"));
    }));
  }

  /* --- tip over the map ------------------------------------------------------------------------------------------------ */

  /* What is shown of a home follows from the state: only which home it is, and where, is kept. */
  function showTip(home, x, y, full) {
    app.tip = home < 0 ? null : { home, x, y, full };
    if (!app.state) return;
    app.state.walk = tell();
    app.map.show(app.state);
  }
  /* The facts of a home, and (`full`) its walk, which is returned to be drawn; while something is dragged neither is shown. */
  function tell() {
    const { tip } = app, hide = !tip || grabbed;
    ui.tip.hidden = hide || tip.full; ui.walk.hidden = hide || !tip.full;
    if (hide) return null;
    const h = tip.home, { rule: r, facilities } = app.result, walk = tip.full && !app.adding ? E.walk(model, r, facilities, h) : null;
    const facts = factsOf(h), box = tip.full ? ui.walk : ui.tip;
    if (tip.full) box.replaceChildren(make("div", { class: "xm-row" }, make("b", {}, model.homes.name[h]), cross("关闭", () => showTip(-1))), ...facts.map((text) => make("p", {}, text)), ...walkParts(r, h, walk));
    else box.replaceChildren(make("b", {}, model.homes.name[h]), ...facts.map((text) => make("span", {}, text)));
    if (!tip.full) {
      const w = ui.stage.clientWidth, tw = box.offsetWidth, th = box.offsetHeight;
      box.style.left = Math.max(4, Math.min(w - tw - 4, tip.x + 14)) + "px";
      box.style.top = (tip.y + th + 24 > ui.stage.clientHeight ? Math.max(4, tip.y - th - 12) : tip.y + 14) + "px";
    }
    return walk;
  }
  function factsOf(h) {
    const homes = model.homes, { share } = app.state, { base } = app.result;
    const people = Number.isNaN(homes.people[h]) ? "人口未知" : number(homes.people[h]) + " 人";
    const rows = [`${people}，60岁及以上 ${Number.isNaN(homes.people_60plus[h]) ? "未知" : number(homes.people_60plus[h]) + " 人"}`];
    if (homes.community[h] >= 0) rows.push(data.communities[homes.community[h]].name);
    rows.push(Number.isNaN(share[h]) ? "可达：未知" : `可达 ${percent(share[h])}` + (app.today ? "" : `（现状 ${percent(base.share[h])}）`));
    return rows;
  }
  function walkParts(r, h, walk) {
    if (r.mapped && Number.isNaN(app.state.share[h])) return [];
    if (!walk) return [make("p", { class: "down" }, app.result.facilities.some((f) => f.serves) ? "走不到" : "没有开放的设施")];
    const metres = r.metric === "reach" && r.method !== "walk_min" ? E.pointCosts(model, r, app.result.facilities.filter((f) => f.serves), false) : null;
    const median = metres ? E.medianPoint(model, metres, h) : -1;
    return [
      make("p", {}, `到最近一处（${walk.facility.name}）`, make("strong", {}, ` ${walk.minutes.toFixed(1)} 分钟`), `，${model.profiles.get(r.profile).label}`),
      ...(median >= 0 ? [make("p", {}, `${data.methods[r.method]} ${number(metres[median])} 米`)] : []),
      make("table", { class: "xm-table" }, make("tbody", {}, ...xinhe.walkRows(walk).map(([words, ...rest]) => make("tr", {}, make("th", { scope: "row" }, words), ...rest.map((text) => make("td", {}, text)))))),
      make("p", { class: "xm-soft" }, xinhe.whyLonger(walk)),
    ];
  }

  /* --- searching a home -------------------------------------------------------------------------------------------------- */

  function found(text) {
    const asked = text.trim().toLowerCase();
    return asked ? Array.from(model.homes.name.keys()).filter((h) => model.homes.name[h].toLowerCase().includes(asked) || model.homes.id[h].toLowerCase() === asked).slice(0, 8) : [];
  }
  function searchBox() {
    const list = make("ul", { class: "xm-found xm-list", hidden: true });
    const go = (h) => { list.hidden = true; field2.value = model.homes.name[h]; lookAt(h); };
    const look = () => {
      const rows = found(field2.value);
      list.hidden = !field2.value.trim();
      list.replaceChildren(...(rows.length ? rows.map((h) => make("li", {}, button(model.homes.name[h], () => go(h), { class: "xm-link" }))) : [make("li", { class: "xm-soft" }, "没有找到")]));
    };
    const field2 = make("input", { type: "search", placeholder: "找小区", "aria-label": "找小区", maxlength: 60, oninput: look,
      onkeydown: (e) => { const rows = found(field2.value); if (e.key === "Enter" && rows.length) go(rows[0]); else if (e.key === "Escape") list.hidden = true; } });
    return make("span", { class: "xm-search" }, field2, list);
  }

  /* --- export ------------------------------------------------------------------------------------------------------------- */

  function save(name, content, type) {
    const blob = content instanceof Blob ? content : new Blob([content], { type });
    const a = make("a", { href: URL.createObjectURL(blob), download: name.replace(/[\\/:*?"<>|\u0000-\u001f\u007f]/g, "_") });
    document.body.append(a); a.click(); a.remove();
    setTimeout(() => URL.revokeObjectURL(a.href), 20000);
  }
  const tomlText = (p) => {
    const note = `${data.name} ${data.year} 年，选址推演页导出；位置为 ${data.crs} 米制坐标` + (data.demo ? "；" + MARK : "");
    return E.toml(model, Object.assign({}, p, { name: nameOf(p) }), note);
  };
  const shownName = () => (app.today ? "现状" : nameOf(plan()));

  function resultRows() {
    const { rule: r, base } = app.result, share = seen(r, app.result.share, base.share), homes = model.homes, name = (list, i) => (i >= 0 ? list[i].name : "");
    const head = ["方案", "指标", "口径", "小区编号", "小区", "分区", "社区", "常住人口", "60岁及以上", "居住用地（平方米）"];
    const rows = [[...head, "现状可达份额", "方案可达份额", "可达人口变化", "说明"]], asked = line(r).slice(1, 5).join("；");
    for (let h = 0; h < homes.count; h++) {
      const where = [name(data.zones, homes.zone[h]), name(data.communities, homes.community[h])];
      const counted = [homes.people[h], homes.people_60plus[h], Math.round(homes.area_m2[h] * 10) / 10];
      const result = [base.share[h], share[h], (share[h] - base.share[h]) * homes.people[h], weak(r) ? MARK : r.mapped ? "没有查全，至多" : ""];
      rows.push([shownName(), r.label, asked, homes.id[h], homes.name[h], ...where, ...counted, ...result]);
    }
    return rows;
  }

  /* What the printed sheet says. */
  function sheetContent() {
    const r = app.result.rule, words = app.today ? [] : editWords(plan());
    const effect = (side, word, sign) => {
      const e = app.result.effects[side], names = e.homes.slice(0, 5).map((v) => model.homes.name[v.home]).join("、");
      return {
        text: `${word} ${(side === "gain" ? upTo(r) : "") + (e.people > 0.5 ? sign : "")}${persons(e.people)}` + (elderlyCounted(r) ? `（60岁及以上 ${persons(e.people_60plus)}）` : ""),
        homes: names + (e.homes.length > 5 ? ` 等 ${number(e.homes.length)} 个小区` : ""),
      };
    };
    return {
      title: ui.title.textContent, line: [shownName(), ...line(r)].join("　"), badges: data.badges, what: ui.what.textContent, big: ui.big.textContent,
      mark: ui.marks[0].hidden ? "" : MARK, delta: ui.delta.textContent, note: ui.note.textContent, table: ui.table,
      effects: [effect("gain", "受益", "+"), effect("lose", "受影响", "−")], editsHead: app.today ? "现状" : `${nameOf(plan())}的改动`,
      edits: words.length ? words.map((w) => w.text) : ["没有改动"], compare: comparison(), keys: facilityKeys(r),
      legend: Object.entries(xinhe.classes).filter(([c]) => app.used[c]).map(([c, look]) => [look, `${look.label}　${app.used[c]} 个`]),
      foot: [data.demo_text, r.standard, r.evidence, ...data.foot].filter(Boolean).join("　"),
    };
  }
  const sheet = (pixels) => xinhe.drawSheet(pixels, sheetContent(), app.map);

  function preparePrint() {
    const c = sheet(3360);
    c.setAttribute("role", "img");
    c.setAttribute("aria-label", ui.title.textContent);
    ui.print.replaceChildren(c);
  }

  /* --- building the page ---------------------------------------------------------------------------------------------------- */

  function button(label, on, more) { return make("button", Object.assign({ type: "button", onclick: on }, more), label); }
  function input(value, most, on, more) {
    return make("input", Object.assign({ value, maxlength: most, onchange: (e) => on(e.target.value) }, more));
  }
  function menu(label, ...children) {
    const root = make("details", { class: "xm-menu" }, make("summary", {}, label), make("div", { class: "xm-pop" }, ...children));
    root.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || !root.open) return;
      root.open = false; root.querySelector("summary").focus(); e.stopPropagation();
    });
    document.addEventListener("pointerdown", (e) => { if (!root.contains(e.target)) root.open = false; });
    return root;
  }
  /* A button inside a menu, which closes when it is used. */
  const entry = (label, on) => button(label, (e) => { e.target.closest("details").open = false; on(); });

  function toolbar() {
    const group = (...children) => make("span", { class: "xm-seg" }, ...children), rule2 = () => make("i", {});
    ui.presets = data.presets.map((p) => button(p.label, () => choosePreset(p.id)));
    ui.rule = make("select", { "aria-label": "指标", onchange: (e) => chooseRule(e.target.value) });
    ui.undo = button("撤销", undo, { title: "Ctrl+Z" }); ui.redo = button("重做", redo, { title: "Ctrl+Y" });
    ui.reset = button("清空", () => { app.selected = null; change((p) => { p.edits = {}; p.added = []; }); }, { title: "回到没有改动" });
    ui.todayButton = button("现状", () => { app.today = !app.today; settle(); }, { "aria-pressed": "false" });
    ui.tabs = make("span", { class: "xm-seg", role: "group", "aria-label": "方案" });
    ui.more = button("＋", newPlan, { title: "复制为新方案", "aria-label": "复制为新方案" });
    ui.modes = MODES.map(([mode, label]) => button(label, () => setMode(mode)));
    const work = (...children) => make("span", { class: "xm-when-work" }, ...children);
    return make("nav", { class: "xm-bar", "aria-label": "推演工具" }, make("span", { class: "xm-seg xm-modes", role: "group", "aria-label": "模式" }, ...ui.modes),
      make("span", { class: "xm-seg", role: "group", "aria-label": "口径" }, ...ui.presets), ui.rule,
      work(addMenu(), group(ui.undo, ui.redo, ui.reset), rule2(), group(ui.todayButton), ui.tabs, ui.more, searchBox()), make("span", { class: "xm-gap" }), fileMenu());
  }

  function addMenu() {
    ui.kind = make("select", { "aria-label": "添加哪一类" });
    ui.kindBox = field("类别", ui.kind);
    const kind = () => (ui.kindBox.hidden ? rule().kindIds[0] : ui.kind.value);
    const pick = () => { app.adding = kind(); app.today = false; settle(); app.map.top.focus({ preventScroll: true }); };
    const sites = data.parcels.map((p) => entry("放在 " + p.name, () => add(kind(), p.xy)));
    return menu("添加", ui.kindBox, entry("在图上点一下", pick), entry("放在图中央", () => add(kind(), app.map.centre())),
      ...(sites.length ? [make("p", { class: "xm-soft" }, "备选地块"), ...sites] : []));
  }

  function fileMenu() {
    const table = "text/csv;charset=utf-8", named = () => `${shownName()} ${rule().label}`;
    const load = (e) => {
      const file = e.target.files[0];
      if (file) file.text().then((text) => open(text, file.name)).catch((error) => say(`${file.name} 没有载入：${error.message}`));
      e.target.value = "";
    };
    ui.file = make("input", { type: "file", accept: ".toml", hidden: true, onchange: load });
    ui.toml = entry("导出方案（.toml）", () => save(nameOf(plan()) + ".toml", tomlText(plan()), "application/toml;charset=utf-8"));
    ui.corrections = entry("导出订正表（.csv）", () => save(data.name + " 订正表.csv", E.csv(E.corrections(model, plan())), table));
    return menu("文件", entry("载入方案（.toml）…", () => ui.file.click()), ui.file, ui.toml,
      entry("导出结果明细（.csv）", () => save(named() + ".csv", E.csv(resultRows()), table)),
      entry("导出图片（.png）", () => sheet(3360).toBlob((blob) => { if (blob) save(named() + ".png", blob); }, "image/png")),
      entry("打印（A3/A4 横向）", () => window.print()), ui.corrections);
  }

  function side() {
    const section = (title, ...children) => make("section", {}, make("h2", {}, ...[title].flat()), ...children);
    ui.marks = [0, 1, 2].map(() => make("em", { class: "xm-mark" }, MARK)); // beside every group of numbers
    const fold = (head, ...children) => make("details", { class: "xm-fold" }, head, ...children);
    for (const name of ["gain", "lose"]) {
      const people = make("b"), more = make("span");
      ui[name] = { people, more, root: make("div", { class: "xm-" + name }, people, more) };
    }
    ui.planName = input("", 30, (text) => change((p) => { p.name = text.trim() || NAMES[p.key - 1]; }), { "aria-label": "方案名称" });
    ui.drop = button("删除方案", dropPlan);
    ui.editsHead = make("h2"); ui.edits = make("ul", { class: "xm-list" });
    ui.compare = make("table", { class: "xm-table" }); ui.alternatives = make("p", { class: "xm-soft" });
    ui.listHead = make("summary"); ui.list = make("ul", { class: "xm-list tall" });
    ui.other = make("select", { "aria-label": "其他指标", onchange: (e) => { if (e.target.value) chooseRule(e.target.value); } });
    ui.method = make("select", { "aria-label": "方法", onchange: (e) => { app.method = e.target.value; settle(); } });
    ui.profile = make("select", { "aria-label": "人群", onchange: (e) => { app.profile = e.target.value; settle(); } });
    ui.why = make("span", { class: "xm-soft" });
    ui.legend = make("ul", { class: "xm-legend" });
    ui.cards = make("div", { class: "xm-cards", role: "group", "aria-label": "现状和方案" });
    ui.who = make("table", { class: "xm-table xm-who" }); ui.whoNone = make("p", { class: "xm-soft" }, "没有小区因此改变");
    ui.others = make("ul", { class: "xm-list xm-others" });
    ui.sites = make("div", { class: "xm-acts xm-sites" }); ui.siteWords = make("p", { class: "xm-words xm-soft" });
    ui.cost = make("input", { type: "number", min: "0", step: "any", inputmode: "decimal", "aria-label": "每处投资（万元）", onchange: (e) => { const v = parseFloat(e.target.value); app.cost = v > 0 ? v : NaN; settle(); } });
    ui.price = make("span", { class: "xm-soft" });
    const work = (...children) => make("div", { class: "xm-when-work" }, ...children);
    return make("aside", { class: "xm-side", "aria-label": "结果", tabindex: "0" }, counterBox(), make("section", { class: "xm-when-report" }, ui.cards),
      work(make("section", { class: "xm-effects" }, make("h2", {}, "谁受益，谁受影响 ", ui.marks[1]), make("div", { class: "xm-two" }, ui.gain.root, ui.lose.root),
        make("div", { class: "xm-who-box xm-rest", tabindex: "0", role: "region", "aria-label": "受益和受影响的小区" }, ui.who, ui.whoNone)),
      make("section", { class: "xm-rest" }, make("h2", {}, "其他目标"), ui.others),
      section("建议位置", ui.sites, ui.siteWords),
      make("section", { class: "xm-rest" }, field("每处投资（万元）", ui.cost), ui.price)),
      make("section", { class: "xm-rest" }, make("h2", { class: "xm-when-report" }, "图例"), ui.legend),
      work(make("section", { class: "xm-rest" }, ui.editsHead, ui.edits, make("div", { class: "xm-acts" }, ui.planName, ui.drop)),
      section(["方案比较 ", ui.marks[2]], ui.compare, ui.alternatives), fold(make("summary", {}, "分项数字"), ui.table2), fold(ui.listHead, ui.list),
      fold(make("summary", {}, "高级"), field("其他指标", ui.other), field("方法", ui.method), field("人群", ui.profile), ui.why)));
  }

  function counterBox() {
    ui.what = make("p", { class: "xm-what" }); ui.big = make("b", { class: "xm-big" }); ui.net = make("b", { class: "xm-net xm-when-work" });
    ui.delta = make("p", { class: "xm-delta" }); ui.note = make("p", { class: "xm-soft xm-when-report" });
    ui.barNow = make("i", { class: "now" }); ui.barWas = make("i", { class: "was", title: "现状" });
    ui.barRoot = make("div", { class: "xm-scale", role: "img" }, ui.barNow, ui.barWas);
    ui.numbers = make("tbody"); ui.rows = [];
    const heads = ["可达", "现状", "方案", "变化"].map((h) => make("th", { scope: "col" }, h));
    ui.table2 = make("table", { class: "xm-table" }, make("thead", {}, make("tr", {}, ...heads)), ui.numbers);
    return make("section", { class: "xm-main" }, ui.what, make("p", { class: "xm-top-line" }, ui.net, ui.big, ui.marks[0]), ui.barRoot, ui.delta, ui.note);
  }

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => {});
  }

  function stage() {
    const tool = (label, icon2, on) => make("button", { type: "button", "aria-label": label, title: label, onclick: on }, icon2);
    ui.tip = make("div", { class: "xm-tip", hidden: true });
    ui.walk = make("section", { class: "xm-walk", hidden: true, "aria-label": "小区和走法", tabindex: "-1" });
    ui.chosen = make("section", { class: "xm-chosen", hidden: true, "aria-label": "选中的设施" });
    ui.bannerText = make("span");
    ui.toast = make("div", { class: "xm-toast", hidden: true });
    ui.banner = make("div", { class: "xm-banner", hidden: true }, ui.bannerText, button("取消", () => { app.adding = null; settle(); }));
    ui.scale = make("div", { class: "xm-ruler", "aria-hidden": "true" }, make("span", {}, "0"), make("span"));
    ui.stage = make("div", { class: "xm-stage" }, make("div", { class: "xm-tools", role: "group", "aria-label": "地图" },
      tool("放大", "＋", () => app.map.zoom(1.6)), tool("缩小", "－", () => app.map.zoom(1 / 1.6)), tool("看全图", "⌂", () => app.map.fit(data.first)),
      ...(document.documentElement.requestFullscreen ? [tool("全屏", make("i", { class: "xm-full" }), fullScreen)] : [])),
      make("div", { class: "xm-rule", "aria-hidden": "true" }, make("span", { class: "xm-north" }, "北"), ui.scale), ui.chosen, ui.walk, ui.banner, ui.toast, ui.tip);
    return ui.stage;
  }

  function build() {
    ui.title = make("h1"); ui.line = make("p", { class: "xm-line" });
    const badges = make("div", { class: "xm-badges" }, ...data.badges.map(([kind, text]) => make("b", { class: kind }, text)));
    ui.foot = make("footer", { class: "xm-foot", tabindex: "0" });
    ui.live = make("div", { class: "xm-sr", "aria-live": "polite", role: "status" });
    ui.print = make("div", { id: "xm-print" });
    ui.sheetButton = button("结果", () => document.body.classList.toggle("xm-open"), { class: "xm-sheet" });
    const header = make("header", { class: "xm-head" }, ui.title, ui.line, badges, ui.sheetButton);
    document.body.append(make("div", { class: "xm" }, header, toolbar(), make("main", { class: "xm-map" }, stage()), side(), ui.foot), ui.live, ui.print);
  }

  function choosePreset(id) {
    app.preset = id;
    const own = rulesOf(id), old = model.rules.get(app.rule);
    // Stay with the same kind of facility where the preset has a rule for it.
    const like = own.filter((r) => r.promised || !own.some((x) => x.promised)).find((r) => old && r.kinds.join() === old.kindIds.join());
    chooseRule((like || own[0]).id);
  }
  function chooseRule(id) {
    app.rule = id; app.method = ""; app.profile = ""; app.adding = null; app.proposed = 0;
    if (!E.facilitiesOf(model, plan(), rule().kinds).some((f) => f.id === app.selected)) app.selected = null;
    settle();
  }

  function keys(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }, way = arrows[event.key];
    if (way) {
      event.preventDefault();
      if (app.selected === null) { app.map.pan(-60 * way[0], 60 * way[1]); return; }
      const f = app.result.facilities.find((x) => x.id === app.selected);
      if (!f || (f.edit && f.edit.closed)) return;
      const from = f.edit && f.edit.raw ? f.edit.raw : f.xy;
      change((p) => moveTo(p, f.id, [from[0] + STEP_M * way[0], from[1] + STEP_M * way[1]]), "move " + f.id);
      const now = app.result.facilities.find((x) => x.id === app.selected);
      app.map.reveal(now.xy);
    } else if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); close(app.selected); }
    else if (event.key === "," || event.key === ".") { // every home in turn
      const n = model.homes.count, h = app.tip ? app.tip.home : event.key === "." ? -1 : 0;
      if (n) lookAt((h + (event.key === "." ? 1 : n - 1)) % n);
    }
    else if (event.key === "+" || event.key === "=") app.map.zoom(1.4);
    else if (event.key === "-") app.map.zoom(1 / 1.4);
    else if (app.mode === "work" && (event.key === "[" || event.key === "]")) {
      const all = app.result.facilities, i = all.findIndex((f) => f.id === app.selected);
      if (all.length) select(all[(i + (event.key === "]" ? 1 : all.length - 1) + (i < 0 && event.key === "[" ? 1 : 0)) % all.length].id, true);
    }
  }

  const on = {
    view(view) {
      const metres = xinhe.roundLength(view.s, 130 * view.u);
      ui.scale.style.width = metres * view.s + "px";
      put(ui.scale.lastChild, metres >= 1000 ? metres / 1000 + " km" : metres + " m");
    },
    adding: () => Boolean(app.adding),
    /* What may be dragged: nothing in a report; by touch only what was selected before, so that a swipe moves the map. */
    may: (id, touch) => app.mode === "work" && (!touch || id === app.selected),
    hover(id, home, x, y) {
      if (id !== app.hover) { app.hover = id; if (app.state) { app.state.hover = id; app.map.show(app.state); } }
      if (app.state && !(app.tip && app.tip.full)) showTip(app.adding ? -1 : home, x, y, false);
    },
    select(id) { app.tip = null; select(id, false); app.map.top.focus({ preventScroll: true }); },
    click(xy, home, x, y) {
      app.map.top.focus({ preventScroll: true });
      if (app.adding) { add(app.adding, xy); return; }
      app.selected = null; app.tip = home < 0 ? null : { home, x, y, full: true };
      settle();
    },
    grab(id) {
      const f = app.result.facilities.find((x) => x.id === id);
      app.today = false; app.selected = id; app.thought = "";
      document.body.classList.add("xm-dragging");
      grabbed = f && !(f.edit && f.edit.closed) ? { id, saved: snapshot(), moved: false } : null;
    },
    drag(id, raw) {
      if (!grabbed || grabbed.id !== id) return;
      moveTo(plan(), id, raw);
      grabbed.moved = true;
      update();
    },
    drop(id) {
      if (grabbed && grabbed.id === id && grabbed.moved) remember(grabbed.saved);
      grabbed = null;
      document.body.classList.remove("xm-dragging");
      settle();
    },
  };

  /* Opens on what can be answered: the first promised rule with a value, of the first set of rules that has one. */
  function firstRule() {
    const rank = (r) => (r.promised ? 0 : 2) + (r.metric === "reach" ? 0 : 1);
    for (const preset of data.presets) for (const r of rulesOf(preset.id).sort((a, b) => rank(a) - rank(b))) {
      if (!app.rule) { app.preset = preset.id; app.rule = r.id; }
      const asked = E.ask(model, r.id, "", ""), base = before(asked);
      if (E.denominator(asked, base.totals.whole) === null) continue;
      app.preset = preset.id; app.rule = r.id;
      return;
    }
  }

  function start() {
    document.documentElement.style.visibility = "";
    build();
    firstRule();
    app.began = question();
    kept();
    app.map = xinhe.makeMap(ui.stage, model, on);
    const top = app.map.top;
    const help = "地图：方向键移动选中的设施或地图，加减号缩放，方括号换下一处设施，句号和逗号换下一个小区，Delete 撤除";
    Object.entries({ tabindex: "0", role: "application", "aria-label": help }).forEach(([k, v]) => top.setAttribute(k, v));
    top.addEventListener("keydown", keys);
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
      if ((event.ctrlKey || event.metaKey) && !typing && app.mode === "work" && event.key.toLowerCase() === "z") { event.preventDefault(); if (event.shiftKey) redo(); else undo(); }
      else if ((event.ctrlKey || event.metaKey) && !typing && app.mode === "work" && event.key.toLowerCase() === "y") { event.preventDefault(); redo(); }
      else if (event.key === "Escape") {
        if (app.tip) showTip(-1);
        if (app.adding) { app.adding = null; settle(); } else if (app.selected !== null && !typing) { app.selected = null; settle(); }
      }
    });
    window.addEventListener("beforeprint", preparePrint);
    window.addEventListener("afterprint", () => ui.print.replaceChildren());
    app.map.fit(data.first);
    settle();
    app.map.fit(data.first); /* on a telephone the results, which are there now, lie on the map */
    document.body.classList.add("xm-ready");
  }

  xinhe.model = model;
  xinhe.app = app;
  xinhe.page = {
    update, settle, setMode, adoptSites, lookAt, undo, redo, add, close, change, moveTo, choosePreset, chooseRule, newPlan, showPlan, select, sheet, facilityKeys, resultRows, tomlText, open, on,
  };
  if (data.rules.length) start();
  else document.body.append(make("p", { class: "old" }, "没有可推演的规则"));
})();
