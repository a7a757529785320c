/* The sheet of the live map: an A-format landscape page with title, map, numbers, legend and sources, drawn into one canvas
   for the picture and the printer. What it says comes in as plain texts (`content`); the map paints itself. */
(function () {
  "use strict";
  const WIDTH = 1680, HEIGHT = 1188, INK = "#2b3138", SOFT = "#626a72", LINE = "#d9d3c7", UP = "#0b5c6b", DOWN = "#b02040", ACCENT = "#8a3b52";
  const MAP = { x: 30, y: 114, w: 1190, h: 990 }, COLUMN = { x: 1244, y: 132, width: 406 };

  function setFont(ctx, size, weight) { ctx.font = `${weight || 400} ${size}px ${xinhe.FONT}`; }
  function write(ctx, text, x, y, size, colour, weight, align) {
    setFont(ctx, size, weight);
    ctx.fillStyle = colour || INK; ctx.textAlign = align || "left"; ctx.textBaseline = "alphabetic";
    ctx.fillText(text, x, y);
  }

  /* Chinese breaks anywhere; a text becomes rows no wider than `width`. The font is set by the caller. */
  function wrap(ctx, text, width) {
    const out = [];
    let row = "";
    for (const c of text) {
      if (row && ctx.measureText(row + c).width > width) { out.push(row); row = c; } else row += c;
    }
    return row ? [...out, row] : out;
  }

  /* The largest round length that is no longer than `most` pixels. */
  function roundLength(s, most) {
    const metres = most / s, base = Math.pow(10, Math.floor(Math.log10(metres)));
    return [5, 2, 1].map((n) => n * base).find((v) => v <= metres) || base;
  }

  function drawScale(ctx, x, y, s) {
    const metres = roundLength(s, 200), px = metres * s, label = metres >= 1000 ? metres / 1000 + " km" : metres + " m";
    ctx.fillStyle = "rgba(255,253,249,0.9)"; ctx.fillRect(x - 8, y - 62, px + 66, 74);
    ctx.fillStyle = INK; ctx.fillRect(x + 34, y - 7, px / 2, 7);
    ctx.strokeStyle = INK; ctx.lineWidth = 1; ctx.strokeRect(x + 34, y - 7, px, 7);
    write(ctx, "0", x + 34, y - 13, 12, INK, 400, "center");
    write(ctx, label, x + 34 + px, y - 13, 12, INK, 400, "center");
    ctx.beginPath();
    for (const [dx, dy] of [[10, -40], [3, -8], [10, -15], [17, -8]]) ctx.lineTo(x + dx, y + dy);
    ctx.fill();
    write(ctx, "北", x + 10, y - 44, 12, INK, 600, "center");
  }

  function drawHead(ctx, content) {
    write(ctx, content.title, 30, 54, 32, INK, 700);
    write(ctx, content.line, 30, 84, 15.5, SOFT);
    let right = WIDTH - 30;
    for (const [kind, text] of content.badges.slice().reverse()) {
      setFont(ctx, 15, 600);
      const w = ctx.measureText(text).width + 18;
      ctx.fillStyle = kind === "demo" ? ACCENT : "#fffdf9"; ctx.fillRect(right - w, 28, w, 28);
      ctx.strokeStyle = ACCENT; ctx.lineWidth = 1; ctx.strokeRect(right - w, 28, w, 28);
      write(ctx, text, right - w + 9, 48, 15, kind === "demo" ? "#ffffff" : ACCENT, 600);
      right -= w + 10;
    }
    ctx.fillStyle = ACCENT; ctx.fillRect(0, 97, WIDTH, 4);
  }

  function drawFoot(ctx, content) {
    setFont(ctx, 12.5);
    wrap(ctx, content.foot, WIDTH - 60).slice(0, 3).forEach((row, i) => write(ctx, row, 30, 1126 + 18 * i, 12.5, SOFT));
  }

  /* The column of numbers: a pen that moves down. */
  function makePen(ctx) {
    const { x, width } = COLUMN, pen = { y: COLUMN.y };
    pen.text = (text, size, colour, weight, most) => {
      setFont(ctx, size, weight);
      for (const row of wrap(ctx, text, width).slice(0, most || 4)) { write(ctx, row, x, pen.y, size, colour, weight); pen.y += size * 1.45; }
    };
    pen.section = (text) => {
      pen.y += 12;
      write(ctx, text, x, pen.y, 17, INK, 700);
      ctx.fillStyle = LINE; ctx.fillRect(x, pen.y + 8, width, 1);
      pen.y += 30;
    };
    /* A row of a table: the first cell left, the others right-aligned at `ends` from the right edge. */
    pen.row = (cells, ends, step, looks) => {
      cells.forEach((text, i) => {
        const look = (looks && looks[i]) || [INK, 400];
        write(ctx, text, i ? x + width - ends[i - 1] : x, pen.y, 14, look[0], look[1], i ? "right" : "left");
      });
      pen.y += step;
    };
    return pen;
  }

  function drawColumn(ctx, content) {
    const { x, width } = COLUMN, pen = makePen(ctx), three = [190, 110, 0];
    write(ctx, content.what, x, pen.y, 17, SOFT);
    pen.y += 50;
    write(ctx, content.big, x, pen.y, 48, "#0b4f5c", 700);
    if (content.mark) write(ctx, content.mark, x + width, pen.y, 15, "#a4471b", 600, "right");
    pen.y += 26;
    pen.text(content.delta, 15, INK, 600);
    pen.text(content.note, 14, SOFT);
    pen.section("现状与方案");
    pen.row(["", "现状", "方案", "变化"], three, 20, Array(4).fill([SOFT, 400]));
    for (const row of content.table) {
      const change = row[3].startsWith("−") ? DOWN : row[3].startsWith("+") ? UP : SOFT;
      pen.row(row, three, 23, [[INK, 400], [INK, 400], [INK, 600], [change, 600]]);
    }
    pen.section("谁受益，谁受影响");
    content.effects.forEach(({ text, homes }, i) => {
      pen.text(text, 15, i ? DOWN : UP, 600, 1);
      if (homes) pen.text(homes, 13, SOFT, 400, 2);
    });
    pen.section(content.editsHead);
    content.edits.slice(0, 8).forEach((text) => pen.text("· " + text, 13.5, INK, 400, 1));
    if (content.edits.length > 8) pen.text(`另有 ${content.edits.length - 8} 项`, 13, SOFT);
    pen.section("图例（小区）");
    drawLegend(ctx, content, pen);
    if (content.compare.length > 3) {
      pen.section("方案比较");
      for (const { cells, here } of content.compare) pen.row(cells, [250, 160, 70, 0], 21, here ? Array(5).fill([INK, 700]) : null);
    }
  }

  function drawLegend(ctx, content, pen) {
    const { x, width } = COLUMN;
    for (const [look, label] of content.legend) {
      ctx.fillStyle = look.hatch ? xinhe.hatch(ctx, look.fill, look.hatch, 1.5) : look.fill; ctx.fillRect(x, pen.y - 13, 30, 16);
      ctx.strokeStyle = look.line || "#6f675d"; ctx.lineWidth = look.line ? 2 : 1; ctx.strokeRect(x, pen.y - 13, 30, 16);
      write(ctx, label, x + 42, pen.y, 14);
      pen.y += 23;
    }
    let at = x;
    for (const [kind, state, label] of content.keys) {
      setFont(ctx, 14);
      const w = ctx.measureText(label).width + 46;
      if (at + w > x + width && at > x) { at = x; pen.y += 28; }
      xinhe.drawIcon(ctx, at + 13, pen.y - 3, 9, kind, state);
      write(ctx, label, at + 32, pen.y + 2, 14);
      at += w;
    }
    pen.y += 28;
  }

  /* Draws the sheet `pixels` wide: 3360 is 200 dots per inch on A3. */
  xinhe.drawSheet = function (pixels, content, map) {
    const canvas = document.createElement("canvas"), ctx = canvas.getContext("2d"), k = pixels / WIDTH;
    canvas.width = pixels; canvas.height = Math.round(HEIGHT * k);
    ctx.scale(k, k);
    ctx.fillStyle = "#fffdf9"; ctx.fillRect(0, 0, WIDTH, HEIGHT);
    drawHead(ctx, content);
    ctx.save(); ctx.translate(MAP.x, MAP.y);
    const view = map.into(ctx, MAP.w, MAP.h, k);
    ctx.restore();
    ctx.strokeStyle = "#555555"; ctx.lineWidth = 1.2; ctx.strokeRect(MAP.x, MAP.y, MAP.w, MAP.h);
    drawScale(ctx, MAP.x + 16, MAP.y + MAP.h - 18, view.s);
    drawColumn(ctx, content);
    drawFoot(ctx, content);
    return canvas;
  };
  xinhe.roundLength = roundLength;
})();
