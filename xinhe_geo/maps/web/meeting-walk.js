/* A walk told and drawn: its legs with their minutes, the straight line beside it and why the walk is longer. A walk is plain
   data: { legs: [{ leg, street, metres, minutes, line }], start, stop, minutes, metres, straight, crosses }. */
(function () {
  "use strict";
  const WORDS = { inside: "小区内走到出入口", access: "走到街上", street: "沿街步行", wait: "过街等候", entrance: "进门" };
  const LONGER = 1.2; // so much longer than the straight line asks for a reason
  const WALKED = "#0b5c6b", INK = "#1f2429", WAIT = "#b02040";
  const whole = (metres) => Math.round(metres).toLocaleString("zh-CN");

  /* Parts rounded so that they add up to their total as printed: each goes to one of the two figures beside it, up those that would lose most. */
  function addingUp(parts, total, digits) {
    const unit = 10 ** digits, exact = parts.map((v) => Math.round(v * unit * 1e6) / 1e6), low = exact.map(Math.floor);
    const missing = Math.round(Number(total.toFixed(digits)) * unit) - low.reduce((sum, v) => sum + v, 0);
    const up = exact.map((_, i) => i).sort((a, b) => (low[a] - exact[a]) - (low[b] - exact[b]) || a - b).slice(0, Math.max(missing, 0));
    return low.map((v, i) => (v + (up.includes(i) && v !== exact[i] ? 1 : 0)) / unit);
  }

  /* The legs in words: [what, metres, minutes]; what follows on the same words is one row; what would read as nothing is left out. */
  function walkRows(walk) {
    const rows = [];
    for (const leg of walk.legs) {
      const words = leg.leg === "street" && leg.street ? `沿${leg.street}` : WORDS[leg.leg], last = rows[rows.length - 1];
      if (last && last[0] === words) { last[1] += leg.metres; last[2] += leg.minutes; } else rows.push([words, leg.metres, leg.minutes]);
    }
    const metres = addingUp(rows.map((row) => row[1]), walk.metres, 0), minutes = addingUp(rows.map((row) => row[2]), walk.minutes, 1);
    return rows.map(([words], i) => [words, metres[i], minutes[i]]).filter(([, far, long]) => far > 0 || long > 0)
      .map(([words, far, long]) => [words, far > 0 ? `${whole(far)} 米` : "", `${long.toFixed(1)} 分钟`]);
  }

  /* How much longer than the straight line, and why. */
  function whyLonger(walk) {
    const times = walk.metres / walk.straight, head = `直线 ${whole(walk.straight)} 米，走 ${whole(walk.metres)} 米`;
    const inside = walk.legs.reduce((sum, leg) => sum + (leg.leg === "inside" ? leg.metres : 0), 0);
    if (!(times > LONGER)) return `${head}，没有绕行`;
    if (walk.crosses.length) return `${head}，${times.toFixed(1)} 倍：隔着${walk.crosses.join("、")}`;
    if (inside > (walk.metres - walk.straight) / 3) return `${head}，${times.toFixed(1)} 倍：先要绕到小区出入口`;
    return `${head}，${times.toFixed(1)} 倍：中间没有直着走的路`;
  }

  function drawWalk(ctx, view, walk) {
    const path = (line) => { ctx.beginPath(); line.forEach((xy, i) => { const [x, y] = view.screen(xy); if (i) ctx.lineTo(x, y); else ctx.moveTo(x, y); }); };
    const pen = (colour, width, dash) => { ctx.strokeStyle = colour; ctx.lineWidth = width * view.u; ctx.setLineDash(dash.map((d) => d * view.u)); ctx.stroke(); ctx.setLineDash([]); };
    const dot = (xy, r, fill, line) => { const [x, y] = view.screen(xy); ctx.beginPath(); ctx.arc(x, y, r * view.u, 0, 2 * Math.PI); ctx.fillStyle = fill; ctx.fill(); pen(line, 2, []); return [x, y]; };
    ctx.lineCap = ctx.lineJoin = "round";
    path([walk.start, walk.stop]); pen(INK, 1.6, [7, 5]);
    const moving = walk.legs.filter((leg) => leg.leg !== "wait");
    for (const leg of moving) { path(leg.line); pen("rgba(255,255,255,0.9)", 7, []); }
    for (const leg of moving) { path(leg.line); pen(WALKED, 4, leg.leg === "street" ? [] : [1, 7]); }
    for (const leg of walk.legs) if (leg.leg === "wait") dot(leg.line[0], 4.5, "#ffffff", WAIT);
    ctx.font = `700 ${12 * view.u}px ${xinhe.FONT}`; ctx.textAlign = "center"; ctx.textBaseline = "middle";
    [walk.start, walk.stop].forEach((xy, i) => { const [x, y] = dot(xy, 9, INK, "#ffffff"); ctx.fillStyle = "#ffffff"; ctx.fillText(String(i + 1), x, y); });
  }

  xinhe.walkRows = walkRows;
  xinhe.whyLonger = whyLonger;
  xinhe.drawWalk = drawWalk;
})();
