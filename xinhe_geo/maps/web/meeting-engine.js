/* The computing half of the live map: no page, no drawing. It does what the Python package does, in the same float64
   arithmetic: doors inside edges, nearest of many by Dijkstra, shares of homes, people. A plan is plain data:
   { name, edits: { facility: { open, closed, xy, raw, corrected, note } }, added: [{ id, kind, name, xy, raw, ... }] }. */
var xinhe = {};

(function () {
  "use strict";
  const CELL = 120; // metres; side of the squares in which street pieces are looked up
  const ROUNDING = 1e-3; // metres

  /* --- reading ------------------------------------------------------------------------------------------------ */

  /* The page's data: JSON, and the arrays it refers to, in one compressed block (see _pack.py). */
  let arrays = null;
  async function open(text) {
    const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
    const whole = await new Response(stream).arrayBuffer(), length = Number(new DataView(whole).getUint32(0, true));
    arrays = whole.slice(8 + Math.ceil(length / 8) * 8);
    return JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 8, length)));
  }

  /* Whole numbers from four planes of bytes; the sign is in the lowest bit. Each is the step from the one before it. */
  function planes(at, n, follow) {
    const b = new Uint8Array(arrays, at, 4 * n), out = new Int32Array(n);
    for (let i = 0, last = 0; i < n; i++) {
      const folded = (b[i] | (b[n + i] << 8) | (b[2 * n + i] << 16) | (b[3 * n + i] << 24)) >>> 0, step = folded % 2 ? -(folded + 1) / 2 : folded / 2;
      last = follow ? last + step : step;
      out[i] = last;
    }
    return out;
  }

  /* Coordinates from whole numbers of degrees: the polynomial, then the difference in units of the last bit. */
  function lattice(raw, n) {
    const { middle, scale, degree } = raw, [lon, lat] = raw.at.slice(0, 2).map((at) => planes(at, n, true)), out = new Float64Array(2 * n), bits = new Uint32Array(out.buffer);
    [raw.x, raw.y].forEach((terms, k) => {
      const more = planes(raw.at[2 + k], n, false);
      for (let p = 0; p < n; p++) {
        const u = (lon[p] - middle[0]) * scale, v = (lat[p] - middle[1]) * scale;
        let total = 0, end = terms.length;
        for (let i = degree; i >= 0; i--) {
          const start = end - (degree + 1 - i);
          let inner = 0;
          for (let j = end - 1; j >= start; j--) inner = inner * v + terms[j];
          total = total * u + inner;
          end = start;
        }
        out[2 * p + k] = total;
        const w = 2 * (2 * p + k), low = bits[w] + more[p];
        bits[w] = low; // modulo 2^32
        if (low < 0) bits[w + 1] -= 1; else if (low >= 4294967296) bits[w + 1] += 1;
      }
    });
    return out;
  }

  function unpack(ref, Type) {
    if (typeof ref !== "string") {
      if (ref.points) return lattice(ref.points, ref.n / 2);
      if (ref.scaled !== undefined) return Float64Array.from(planes(ref.scaled, ref.n, false), (v) => v / ref.by);
      if (ref.steps !== undefined) return planes(ref.steps, ref.n, true);
      return new Type(arrays.slice(ref.at, ref.at + ref.n * Type.BYTES_PER_ELEMENT));
    }
    const raw = atob(ref), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Type(bytes.buffer);
  }

  function offsets(count) {
    const off = new Int32Array(count.length + 1);
    for (let i = 0; i < count.length; i++) off[i + 1] = off[i] + count[i];
    return off;
  }

  /* The vertices of a city's streets as they are drawn: from one node on, step by step, to the other. */
  function drawnStreets(raw, off, u, v, origin) {
    const ends = raw.ends.map((r) => unpack(r, Int32Array)), inner = raw.inner.map((r) => unpack(r, Float64Array)), xy = new Float64Array(2 * off[off.length - 1]);
    for (let e = 0, at = 0; e < u.length; e++) {
      const here = [ends[0][u[e]], ends[1][u[e]]], last = off[e + 1] - 1;
      for (let k = off[e]; k <= last; k++) for (const i of [0, 1]) {
        if (k === last) here[i] = ends[i][v[e]]; else if (k > off[e]) here[i] += inner[i][at];
        xy[2 * k + i] = origin[i] + here[i] / raw.drawn;
        if (i && k > off[e] && k < last) at++;
      }
    }
    return xy;
  }

  function readNetwork(raw, origin) {
    const off = offsets(unpack(raw.count, Uint16Array)), u = unpack(raw.u, Int32Array), v = unpack(raw.v, Int32Array), longer = raw.longer ? unpack(raw.longer, Float64Array) : null;
    const xy = longer ? drawnStreets(raw, off, u, v, origin) : unpack(raw.xy, Float64Array);
    const net = {
      nodes: raw.nodes, edges: off.length - 1, xy, off, u, v,
      wait: unpack(raw.wait, Float64Array), steps: unpack(raw.steps, Uint8Array), open: unpack(raw.public, Uint8Array), added: unpack(raw.added, Int32Array),
      closed: unpack(raw.closed, Uint8Array), look: unpack(raw.look, Uint8Array), name: unpack(raw.name, Uint16Array), names: raw.names,
      cum: new Float64Array(xy.length / 2), length: new Float64Array(off.length - 1), weights: new Map(),
    };
    for (let e = 0; e < net.edges; e++) {
      let total = 0;
      for (let k = off[e] + 1; k < off[e + 1]; k++) {
        total += Math.hypot(xy[2 * k] - xy[2 * k - 2], xy[2 * k + 1] - xy[2 * k - 1]);
        net.cum[k] = total;
      }
      if (longer) { // as long as it is, not as it is drawn
        const whole = total + longer[e];
        for (let k = off[e]; k < off[e + 1] - 1; k++) net.cum[k] *= total > 0 ? whole / total : 0;
        total = net.cum[off[e + 1] - 1] = whole;
      }
      net.length[e] = total;
    }
    // Arcs by node: an edge is two arcs, a loop as well.
    const first = new Int32Array(net.nodes + 1);
    for (let e = 0; e < net.edges; e++) { first[net.u[e] + 1]++; first[net.v[e] + 1]++; }
    for (let n = 0; n < net.nodes; n++) first[n + 1] += first[n];
    const at = first.slice(), edge = new Int32Array(2 * net.edges), other = new Int32Array(2 * net.edges);
    for (const side of [0, 1]) for (let e = 0; e < net.edges; e++) {
      const from = side ? net.v[e] : net.u[e], k = at[from]++;
      edge[k] = e; other[k] = side ? net.u[e] : net.v[e];
    }
    net.arcs = { first, edge, other };
    net.pieces = lookup(net);
    return net;
  }

  /* Squares of the plane, and the public street pieces (by their first vertex) that touch each. */
  function lookup(net) {
    const squares = new Map(), key = (i, j) => i * 1048576 + j;
    for (let e = 0; e < net.edges; e++) {
      if (!net.open[e]) continue;
      for (let k = net.off[e]; k < net.off[e + 1] - 1; k++) {
        const ax = net.xy[2 * k], ay = net.xy[2 * k + 1], bx = net.xy[2 * k + 2], by = net.xy[2 * k + 3];
        for (let i = Math.floor(Math.min(ax, bx) / CELL); i <= Math.floor(Math.max(ax, bx) / CELL); i++) {
          // in each column only the squares along the piece: a road through a country has millions in its box
          const yAt = (x) => ay + ((Math.min(Math.max(x, Math.min(ax, bx)), Math.max(ax, bx)) - ax) * (by - ay)) / (bx - ax);
          const ends = bx === ax ? [ay, by] : [yAt(i * CELL), yAt((i + 1) * CELL)];
          for (let j = Math.floor((Math.min(...ends) - ROUNDING) / CELL); j <= Math.floor((Math.max(...ends) + ROUNDING) / CELL); j++) {
            const s = key(i, j), list = squares.get(s);
            if (list) list.push(e, k); else squares.set(s, [e, k]);
          }
        }
      }
    }
    return { squares, key };
  }

  /* What walking costs one profile (none: metres): per edge, per metre of it, and per metre of access. Lanes of homes are
     closed: what residents walk of their own is in the access of their doors. */
  function weightsOf(net, profile) {
    const key = profile ? [profile.speed, profile.steps, profile.waits].join("|") : "";
    if (!net.weights.has(key)) {
      const unit = profile ? 1 / profile.speed / 60 : 1, edge = new Float64Array(net.edges), rate = new Float64Array(net.edges);
      for (let e = 0; e < net.edges; e++) {
        const length = net.length[e];
        edge[e] = profile ? length * unit + net.wait[e] * (profile.waits / 60) : length;
        if (profile && !profile.steps && net.steps[e]) edge[e] = Infinity;
        rate[e] = profile ? (length > 0 ? edge[e] / length : 0) : 1;
        if (!net.open[e]) edge[e] = rate[e] = Infinity;
      }
      net.weights.set(key, { unit, edge, rate, same: 1e-6 * unit, level: Boolean(profile && !profile.steps) });
    }
    return net.weights.get(key);
  }

  /* --- attaching a place to the street -------------------------------------------------------------------------- */

  /* Distance from a point to the piece after vertex k, squared where it is only compared. */
  function pieceDistance(net, k, x, y) {
    const ax = net.xy[2 * k], ay = net.xy[2 * k + 1], bx = net.xy[2 * k + 2], by = net.xy[2 * k + 3];
    const dx = bx - ax, dy = by - ay, square = dx * dx + dy * dy;
    if (!(square > 0)) return Math.sqrt((x - ax) * (x - ax) + (y - ay) * (y - ay));
    const r = ((x - ax) * dx + (y - ay) * dy) / square;
    if (r <= 0) return Math.sqrt((x - ax) * (x - ax) + (y - ay) * (y - ay));
    if (r >= 1) return Math.sqrt((x - bx) * (x - bx) + (y - by) * (y - by));
    return Math.abs(((ay - y) * dx - (ax - x) * dy) / square) * Math.sqrt(square);
  }

  /* Visits street pieces ring by ring around a point until `enough` says that no nearer one can follow. */
  function around(net, x, y, visit, enough) {
    const i0 = Math.floor(x / CELL), j0 = Math.floor(y / CELL), { squares, key } = net.pieces;
    let seen = 0;
    if (!squares.size) return;
    for (let ring = 0; ring < 2000; ring++) {
      for (let i = i0 - ring; i <= i0 + ring; i++) {
        const whole = i === i0 - ring || i === i0 + ring;
        for (let j = j0 - ring; j <= j0 + ring; j += whole || ring === 0 ? 1 : 2 * ring) {
          const list = squares.get(key(i, j));
          if (!list) continue;
          seen++;
          for (let n = 0; n < list.length; n += 2) visit(list[n], list[n + 1]);
        }
      }
      if (enough(ring * CELL) || seen >= squares.size) return;
    }
  }

  /* The foot of a point on an edge: metres from its start, and where that is. */
  function footOn(net, e, x, y) {
    let best = Infinity, at = 0, fx = 0, fy = 0;
    for (let k = net.off[e]; k < net.off[e + 1] - 1; k++) {
      const ax = net.xy[2 * k], ay = net.xy[2 * k + 1], bx = net.xy[2 * k + 2], by = net.xy[2 * k + 3];
      const dx = bx - ax, dy = by - ay, square = dx * dx + dy * dy;
      const t = square > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
      const px = t < 1 ? ax + t * dx : bx, py = t < 1 ? ay + t * dy : by;
      const far = (x - px) * (x - px) + (y - py) * (y - py);
      if (far < best) {
        best = far; fx = px; fy = py;
        at = t < 1 ? net.cum[k] + t * (net.cum[k + 1] - net.cum[k]) : net.cum[k + 1];
      }
    }
    return { edge: e, at, access: Math.hypot(x - fx, y - fy), x: fx, y: fy };
  }

  /* Where the nearest point of a public street lies at which a facility may stand (not inside a walled compound). */
  function snap(model, x, y) {
    const net = model.net;
    let best = Infinity, piece = -1;
    around(net, x, y, (e, k) => {
      if (net.closed[k]) return;
      const far = pieceDistance(net, k, x, y);
      if (far < best) { best = far; piece = k; }
    }, (radius) => best <= radius);
    if (piece < 0) return null;
    const ax = net.xy[2 * piece], ay = net.xy[2 * piece + 1], dx = net.xy[2 * piece + 2] - ax, dy = net.xy[2 * piece + 3] - ay;
    const square = dx * dx + dy * dy, t = square > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
    return [Math.round((ax + t * dx) * 100) / 100, Math.round((ay + t * dy) * 100) / 100];
  }

  const side = (ax, ay, bx, by, x, y) => Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));

  /* Whether a straight leg crosses a wall; beginning or ending on one is no crossing. */
  function crossesWall(walls, ax, ay, bx, by) {
    if (ax === bx && ay === by) return false;
    for (let w = 0; w < walls.off.length - 1; w++) {
      for (let k = walls.off[w]; k < walls.off[w + 1] - 1; k++) {
        const px = walls.xy[2 * k], py = walls.xy[2 * k + 1], qx = walls.xy[2 * k + 2], qy = walls.xy[2 * k + 3];
        if (Math.max(ax, bx) < Math.min(px, qx) || Math.max(px, qx) < Math.min(ax, bx)) continue;
        if (Math.max(ay, by) < Math.min(py, qy) || Math.max(py, qy) < Math.min(ay, by)) continue;
        const a = side(px, py, qx, qy, ax, ay), b = side(px, py, qx, qy, bx, by);
        const p = side(ax, ay, bx, by, px, py), q = side(ax, ay, bx, by, qx, qy);
        if (a * b < 0 && p * q <= 0) return true;
      }
    }
    return false;
  }

  /* The door of a place: the nearest public edge (of those that `may` takes) that its straight leg reaches without crossing a wall. */
  function attach(model, x, y, may = () => true) {
    const { net, walls } = model, nearest = new Map();
    const near = () => {
      let best = Infinity, edge = -1;
      for (const [e, far] of nearest) if (far < best || (far === best && e < edge)) { best = far; edge = e; }
      return [edge, best];
    };
    const visit = (e, k) => {
      if (!may(e)) return;
      const far = pieceDistance(net, k, x, y), old = nearest.get(e);
      if (old === undefined || far < old) nearest.set(e, far);
    };
    around(net, x, y, visit, (radius) => near()[1] <= radius);
    const [edge] = near();
    if (edge < 0) return null;
    const door = footOn(net, edge, x, y);
    if (!crossesWall(walls, x, y, door.x, door.y)) return door;
    nearest.clear();
    around(net, x, y, visit, () => false); // all of them: this happens where a street meets a wall, and seldom
    const order = Array.from(nearest.keys(), (e) => footOn(net, e, x, y));
    order.sort((a, b) => a.access - b.access || a.edge - b.edge);
    return order.find((d) => !crossesWall(walls, x, y, d.x, d.y)) || null;
  }

  /* The doors of a place: its own on the streets that were there before a plan, and one on every street the plan has added
     that is nearer. Who takes no stairs (`level`) is given no door on them. */
  function doorsAt(model, x, y, level) {
    const { net, walls } = model, usable = (e) => !(level && net.steps[e]), best = new Map();
    const own = attach(model, x, y, (e) => net.added[e] < 0 && usable(e)), reach = own ? own.access : Infinity;
    for (let e = 0; e < net.edges; e++) {
      if (net.added[e] < 0 || !usable(e)) continue;
      const door = footOn(net, e, x, y), old = best.get(net.added[e]);
      if (door.access < reach - 1e-6 && !(old && old.access <= door.access) && !crossesWall(walls, x, y, door.x, door.y)) best.set(net.added[e], door);
    }
    return own ? [own, ...best.values()] : [...best.values()];
  }

  /* --- searching ------------------------------------------------------------------------------------------------ */

  /* A heap of nodes by cost, on typed arrays that grow. */
  function makeHeap() {
    let cost = new Float64Array(1024), node = new Int32Array(1024), size = 0;
    return {
      clear() { size = 0; },
      get size() { return size; },
      push(c, n) {
        if (size === cost.length) {
          const wider = new Float64Array(2 * size), more = new Int32Array(2 * size);
          wider.set(cost); more.set(node); cost = wider; node = more;
        }
        let i = size++;
        while (i > 0) {
          const up = (i - 1) >> 1;
          if (cost[up] <= c) break;
          cost[i] = cost[up]; node[i] = node[up]; i = up;
        }
        cost[i] = c; node[i] = n;
      },
      topCost() { return cost[0]; },
      pop() {
        const top = node[0], c = cost[--size], n = node[size];
        let i = 0;
        for (;;) {
          let down = 2 * i + 1;
          if (down >= size) break;
          if (down + 1 < size && cost[down + 1] < cost[down]) down++;
          if (cost[down] >= c) break;
          cost[i] = cost[down]; node[i] = node[down]; i = down;
        }
        cost[i] = c; node[i] = n;
        return top;
      },
    };
  }

  const along = (rate, part) => (part !== 0 ? rate * part : 0); // a closed edge can be stood on but not walked

  /* Costs at the nodes from many doors at once, up to `bound`. `tree`: notes for every node the arc it was reached by, or the
     door on an edge of its own (~number). */
  function spread(model, weights, doors, bound, cost, tree) {
    cost.fill(Infinity);
    return further(model, weights, doors, bound, cost, null, tree);
  }

  /* Costs at the nodes that get less by more doors. `was`: takes each node that changes, and what its cost was. */
  function further(model, weights, doors, bound, cost, was, tree) {
    const { net, heap } = model, { first, edge, other } = net.arcs, unit = weights.unit;
    const take = (node, c, by) => {
      if (!(c <= bound && c < cost[node])) return;
      if (was) was.push(node, cost[node]);
      cost[node] = c; heap.push(c, node);
      if (tree) tree[node] = by;
    };
    heap.clear();
    doors.forEach((d, i) => {
      const rate = weights.rate[d.edge], leg = d.access * unit;
      take(net.u[d.edge], leg + along(rate, d.at), ~i); take(net.v[d.edge], leg + along(rate, net.length[d.edge] - d.at), ~i);
    });
    while (heap.size) {
      const base = heap.topCost(), here = heap.pop();
      if (base > cost[here]) continue; // a better way came in later
      for (let k = first[here]; k < first[here + 1]; k++) take(other[k], base + weights.edge[edge[k]], edge[k]);
    }
    return cost;
  }

  /* The least cost of every home point over its doors, to the nearest of `doors` and of the walks inside its own wall. */
  function costsOfPoints(model, weights, doors, bound, inside, out, field) {
    const { homes } = model, D = (weights.level && homes.level) || homes.doors, cost = spread(model, weights, doors, bound, field), at = waysFrom(model, weights, D, doors, cost);
    out.fill(Infinity);
    for (let i = 0; i < D.edge.length; i++) {
      const c = at(i);
      if (c < out[D.point[i]]) out[D.point[i]] = c;
    }
    at.done();
    for (const [point, metres] of inside) {
      const c = metres * weights.unit;
      if (c < out[point]) out[point] = c;
    }
    return out;
  }

  /* What it costs from a door of a home, by its row: by either end of its street, or along it to one of `doors`. */
  function waysFrom(model, weights, D, doors, cost) {
    const { net, head } = model, unit = weights.unit, next = new Int32Array(doors.length);
    doors.forEach((d, i) => { next[i] = head[d.edge]; head[d.edge] = i; });
    const at = (i) => {
      const e = D.edge[i], leg = D.access[i] * unit, rate = weights.rate[e], here = D.at[i];
      let best = Math.min(leg + (along(rate, here) + cost[net.u[e]]), leg + (along(rate, net.length[e] - here) + cost[net.v[e]]));
      for (let d = head[e]; d >= 0; d = next[d])
        best = Math.min(best, leg + (doors[d].access * unit + along(rate, Math.abs(here - doors[d].at))));
      return best;
    };
    at.done = () => { for (const d of doors) head[d.edge] = -1; };
    return at;
  }

  /* --- one facility dragged, all others as they were --------------------------------------------------------------- */

  /* Of each question the costs from the doors that it was asked with again and again are kept. What further doors improve is
     worked out on top of them, and put back before it is asked anew: the same additions, so the same bits as all at once. */
  const MOST_KEPT = 8, MOST_MORE = 24;
  function keptCosts(model, rule, weights, doors, bound, inside) {
    const asked = [...doors, ...inside], now = new Set(asked), like = (k) => k.rule === rule && k.weights === weights && k.bound === bound;
    const kept = model.kept.find(like) || { rule, weights, bound, of: [], field: new Float64Array(model.net.nodes), points: new Float64Array(model.cost.length), nodes: [], ways: [] };
    const shared = kept.of.filter((one) => now.has(one)), many = asked.length - shared.length > MOST_MORE;
    if (model.kept.includes(kept) && shared.length === kept.of.length && !many) putBack(kept);
    else {
      const stay = many || !model.kept.includes(kept) ? now : new Set(shared), stays = (one) => stay.has(one);
      kept.of = asked.filter(stays); kept.nodes.length = kept.ways.length = 0;
      costsOfPoints(model, weights, doors.filter(stays), bound, inside.filter(stays), kept.points, kept.field);
    }
    model.kept = [kept, ...model.kept.filter((k) => k !== kept)].slice(0, MOST_KEPT);
    const known = new Set(kept.of), more = (one) => !known.has(one);
    improve(model, kept, doors.filter(more), inside.filter(more));
    return kept.points;
  }

  function putBack({ nodes, ways, field, points }) {
    for (let i = nodes.length - 2; i >= 0; i -= 2) field[nodes[i]] = nodes[i + 1];
    for (let i = ways.length - 2; i >= 0; i -= 2) points[ways[i]] = ways[i + 1];
    nodes.length = ways.length = 0;
  }

  function improve(model, kept, doors, inside) {
    const { net, homes } = model, { weights, field, points, ways } = kept, D = (weights.level && homes.level) || homes.doors, rows = D.rows || (D.rows = rowsByEdge(D, net.edges));
    const put = (point, c) => { if (c < points[point]) { ways.push(point, points[point]); points[point] = c; } };
    further(model, weights, doors, kept.bound, field, kept.nodes);
    const at = waysFrom(model, weights, D, doors, field), edges = new Set(doors.map((d) => d.edge)), { first, edge } = net.arcs;
    for (let i = 0; i < kept.nodes.length; i += 2) for (let k = first[kept.nodes[i]]; k < first[kept.nodes[i] + 1]; k++) edges.add(edge[k]);
    for (const e of edges) for (let k = rows.first[e]; k < rows.first[e + 1]; k++) put(D.point[rows.row[k]], at(rows.row[k]));
    at.done();
    for (const [point, metres] of inside) put(point, metres * weights.unit);
  }

  function rowsByEdge(D, edges) {
    const first = new Int32Array(edges + 1), row = new Int32Array(D.edge.length);
    for (const e of D.edge) first[e + 1]++;
    for (let e = 0; e < edges; e++) first[e + 1] += first[e];
    const at = first.slice();
    D.edge.forEach((e, i) => { row[at[e]++] = i; });
    return { first, row };
  }

  /* --- the model ------------------------------------------------------------------------------------------------ */

  const readDoors = (raw) => ({
    point: unpack(raw.point, Int32Array), edge: unpack(raw.edge, Int32Array), at: unpack(raw.at, Float64Array), access: unpack(raw.access, Float64Array),
    gate: unpack(raw.gate, Int32Array), corners: new Map(raw.corners),
  });
  /* The doors of who takes no stairs: all of them, or the rows in which they differ. */
  function readLevel(raw, doors) {
    if (!raw.rows) return readDoors(raw);
    const own = Object.assign({}, doors), rows = unpack(raw.rows, Int32Array);
    for (const name of ["edge", "at", "access", "gate"]) {
      const value = unpack(raw[name], doors[name].constructor);
      own[name] = doors[name].slice();
      rows.forEach((row, i) => { own[name][row] = value[i]; });
    }
    return own;
  }

  /* Spots from the origin on, x and y apart. */
  function readSpots(raw, by, origin) {
    const [x, y] = raw.map((r) => unpack(r, Int32Array)), out = new Float64Array(2 * x.length);
    for (let p = 0; p < x.length; p++) { out[2 * p] = origin[0] + x[p] / by; out[2 * p + 1] = origin[1] + y[p] / by; }
    return out;
  }

  function readHomes(raw, origin) {
    const n = raw.id.length, points = raw.points, value = (raw) => (Array.isArray(raw) ? Float64Array.from(raw, (v) => (v === null ? NaN : v)) : unpack(raw, Float64Array).map((v) => (v < 0 ? NaN : v))), doors = readDoors(raw.doors);
    const homes = {
      count: n, id: raw.id, name: raw.name || raw.id, people: value(raw.people), people_60plus: value(raw.people_60plus),
      area_m2: value(raw.area), zone: Int32Array.from(raw.zone), community: Int32Array.from(raw.community), shape: raw.shape, disc: raw.disc,
      xy: Array.isArray(points.xy) ? readSpots(points.xy, points.by, origin) : unpack(points.xy, Float64Array), home: unpack(points.home, Int32Array), weight: unpack(points.weight, Float64Array),
      doors, level: raw.level ? readLevel(raw.level, doors) : null,
    };
    homes.blank = Object.fromEntries(["people", "people_60plus", "area_m2"].map((c) => [c, homes[c].reduce((sum, v) => sum + Number.isNaN(v), 0)]));
    return homes;
  }

  function readFacilities(raw, net) {
    const list = raw.id.map((id, i) => ({
      id, name: raw.name[i], kind: raw.kind[i], state: raw.state[i], community: raw.community[i], typed: raw.typed[i], books: raw.books[i],
      xy: null, spots: [], doors: [], inside: [], level: raw.level ? { doors: [], inside: [] } : null,
    }));
    const xy = unpack(raw.xy, Float64Array);
    list.forEach((f, i) => { f.xy = [xy[2 * i], xy[2 * i + 1]]; });
    readEntered(raw, net, list, true);
    if (raw.level) readEntered(raw.level, net, list.map((f) => f.level), false);
    return list;
  }

  function readEntered(raw, net, list, spots) {
    const D = raw.doors, place = unpack(D.place, Int32Array), edge = unpack(D.edge, Int32Array), at = unpack(D.at, Float64Array);
    const access = unpack(D.access, Float64Array), x = unpack(D.x, Float64Array), y = unpack(D.y, Float64Array), gate = unpack(D.gate, Int32Array);
    for (let i = 0; i < place.length; i++) {
      const own = list[place[i]];
      if (spots) own.spots.push([x[i], y[i]]);
      if (edge[i] >= 0) own.doors.push({ edge: edge[i], at: Math.min(at[i], net.length[edge[i]]), access: access[i], gate: gate[i], spot: [x[i], y[i]] });
    }
    const whose = unpack(raw.inside.place, Int32Array), point = unpack(raw.inside.point, Int32Array);
    const metres = unpack(raw.inside.metres, Float64Array);
    for (let i = 0; i < whose.length; i++) if (isFinite(metres[i])) list[whose[i]].inside.push([point[i], metres[i]]);
  }

  function read(data) {
    const net = readNetwork(data.net, data.origin), homes = readHomes(data.homes, data.origin);
    const model = {
      data, net, homes, heap: makeHeap(), field: new Float64Array(net.nodes), head: new Int32Array(net.edges).fill(-1),
      walls: { xy: unpack(data.walls.xy, Float64Array), off: offsets(unpack(data.walls.count, Uint32Array)), name: data.walls.name },
      gates: unpack(data.gates || "", Float64Array),
      facilities: readFacilities(data.facilities, net), byId: new Map(), rules: new Map(), profiles: new Map(),
      communities: data.community_areas.map((rings) => rings.map((r) => unpack(r, Float64Array))),
      cost: new Float64Array(homes.weight.length), placed: new Map(), kept: [],
    };
    model.facilities.forEach((f) => model.byId.set(f.id, f));
    data.rules.forEach((r) => model.rules.set(r.id, Object.assign({}, r, { kinds: r.kinds.map((k) => data.kinds.findIndex((x) => x.id === k)), kindIds: r.kinds })));
    data.profiles.forEach((p) => model.profiles.set(p.id, p));
    return model;
  }

  /* The first community (by id) that a point lies in or on, -1 for none. */
  function communityAt(model, x, y) {
    return model.communities.findIndex((rings) => {
      let inside = false;
      for (const r of rings) {
        for (let i = 0; i + 3 < r.length; i += 2) {
          const ax = r[i], ay = r[i + 1], bx = r[i + 2], by = r[i + 3];
          const turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
          if (turn === 0 && x >= Math.min(ax, bx) && x <= Math.max(ax, bx) && y >= Math.min(ay, by) && y <= Math.max(ay, by)) return true;
          if (ay > y !== by > y && (turn > 0) === (by > ay)) inside = !inside;
        }
      }
      return inside;
    });
  }

  /* --- plans ---------------------------------------------------------------------------------------------------- */

  const emptyPlan = (name) => ({ name: name || "", edits: {}, added: [] });
  const copyPlan = (plan) => JSON.parse(JSON.stringify(plan));

  /* One door and one spot at a position; positions come back while things are dragged about. */
  function placeAt(model, xy) {
    const key = xy[0] + "," + xy[1];
    if (!model.placed.has(key)) {
      if (model.placed.size > 500) model.placed.clear();
      const at = (level) => ({ doors: doorsAt(model, xy[0], xy[1], level), inside: [] });
      model.placed.set(key, { ...at(false), spots: [xy], level: model.data.net.stairs ? at(true) : null, community: communityAt(model, xy[0], xy[1]) });
    }
    return model.placed.get(key);
  }

  /* Whether a facility at a position is one this page can count: on a street as the page puts it, or outside every home. Inside
     one, residents reach it without the street and others through its gates, which is left to Python. Outlines are those that
     are drawn, so they are taken half a metre wider than the page has them. */
  const WIDER = 0.5, ON_STREET = 0.02, DRAWN_OFF = 0.5; // of a city's streets, which are drawn simplified
  function outlinesOf(model) {
    const homes = model.homes, [west, south] = model.data.origin;
    return homes.shape.filter((_, h) => !Number.isNaN(homes.area_m2[h])).map((parts) => parts.map((steps) => {
      const ring = [];
      for (let i = 0, x = 0, y = 0; i < steps.length; i += 2) { x += steps[i]; y += steps[i + 1]; ring.push([west + x / 100, south + y / 100]); }
      return ring;
    }));
  }
  function canStand(model, x, y) {
    const street = snap(model, x, y);
    if (street && Math.hypot(street[0] - x, street[1] - y) <= (model.homes.shape ? ON_STREET : DRAWN_OFF)) return true;
    if (!model.homes.shape) return model.homes.blank.area_m2 === model.homes.count; // of discs nobody sees what is inside
    model.outlines = model.outlines || outlinesOf(model);
    return !model.outlines.some((rings) => {
      let inside = false;
      for (const r of rings) {
        for (let i = 0; i < r.length; i++) {
          const [ax, ay] = r[i], [bx, by] = r[(i + 1) % r.length], dx = bx - ax, dy = by - ay, square = dx * dx + dy * dy;
          const t = square > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
          if (Math.hypot(x - ax - t * dx, y - ay - t * dy) <= WIDER) return true;
          if (ay > y !== by > y && (dx * (y - ay) - dy * (x - ax) > 0) === (by > ay)) inside = !inside;
        }
      }
      return inside;
    });
  }

  /* The facilities of some kinds as a plan has them: where they are, whether they serve, what was done to them. */
  function facilitiesOf(model, plan, kinds) {
    const out = [];
    for (const f of model.facilities) {
      if (kinds && !kinds.includes(f.kind)) continue;
      const e = plan.edits[f.id] || {};
      const own = { id: f.id, name: f.name, kind: f.kind, state: f.state, from: f.xy, xy: e.xy || f.xy, edit: plan.edits[f.id] || null, fresh: false };
      own.serves = (f.state === "open" || Boolean(e.open)) && !e.closed;
      const place = e.xy ? placeAt(model, e.xy) : f;
      own.doors = place.doors; own.spots = place.spots; own.inside = place.inside; own.level = place.level;
      own.community = e.xy && f.typed >= 0 ? f.typed : place.community;
      own.books = f.books;
      out.push(own);
    }
    for (const f of plan.added) {
      const kind = model.data.kinds.findIndex((k) => k.id === f.kind);
      if (kinds && !kinds.includes(kind)) continue;
      out.push(Object.assign({ id: f.id, name: f.name, kind, state: "open", from: null, xy: f.xy, edit: f, fresh: true, serves: true }, placeAt(model, f.xy)));
    }
    return out;
  }

  /* What is asked for: a rule, or a rule with another method or walker. */
  function ask(model, rule, method, profile) {
    const r = model.rules.get(rule);
    return Object.assign({}, r, { method: method || r.method, profile: profile || r.profile, metric: method && method !== r.method ? "reach" : r.metric });
  }

  function isSurveyed(model, plan, rule) {
    const now = (f) => plan.edits[f.id] && plan.edits[f.id].open && rule.kinds.includes(f.kind);
    return rule.kindIds.some((k) => model.data.surveyed.includes(k) || plan.added.some((f) => f.kind === k)) || model.facilities.some(now);
  }

  /* The communities that have a serving facility of the rule's kinds. */
  function presence(model, plan, rule, facilities) {
    const has = new Uint8Array(model.communities.length);
    for (const f of facilities || facilitiesOf(model, plan, rule.kinds)) {
      if (f.serves) for (const c of f.books && f.books.length ? f.books : [f.community]) if (c >= 0) has[c] = 1;
    }
    return has;
  }

  /* The served share of every home, NaN for 数据不足. */
  function served(model, plan, rule, facilities) {
    const homes = model.homes, share = new Float64Array(homes.count);
    if (!isSurveyed(model, plan, rule)) return share.fill(NaN);
    facilities = (facilities || facilitiesOf(model, plan, rule.kinds)).filter((f) => f.serves);
    if (rule.metric === "presence") {
      const has = presence(model, plan, rule, facilities);
      for (let h = 0; h < homes.count; h++) share[h] = homes.community[h] >= 0 && has.length ? has[homes.community[h]] : NaN;
      return share;
    }
    const cost = pointCosts(model, rule, facilities, true);
    const limit = rule.method === "walk_min" ? rule.minutes + model.data.tolerance.minutes : rule.metres + model.data.tolerance.metres;
    for (let p = 0; p < cost.length; p++) if (cost[p] <= limit) share[homes.home[p]] += homes.weight[p];
    for (let h = 0; h < homes.count; h++) if (!(share[h] < 1 - 1e-9)) share[h] = 1;
    return share;
  }

  /* Where a facility is entered: who takes no stairs has doors of their own, where there are some. */
  const enteredBy = (weights, f) => (weights.level && f.level) || f;

  /* Metres or minutes from every home point to the nearest serving facility; `near` stops at the rule's limit. */
  function pointCosts(model, rule, facilities, near) {
    if (rule.method === "buffer") return straight(model, facilities);
    const weights = weightsOf(model.net, rule.method === "walk_min" ? model.profiles.get(rule.profile) : null);
    const limit = rule.method === "walk_min" ? rule.minutes : rule.metres;
    const doors = [], inside = [];
    for (const f of facilities) { const at = enteredBy(weights, f); doors.push(...at.doors); inside.push(...at.inside); }
    if (near) return keptCosts(model, rule.id, weights, doors, limit * (1 + 1e-9) + 1e-3 * weights.unit, inside);
    return costsOfPoints(model, weights, doors, Infinity, inside, model.cost, model.field);
  }

  function straight(model, facilities) {
    const xy = model.homes.xy, out = model.cost, spots = [];
    for (const f of facilities) for (const s of f.spots) spots.push(s[0], s[1]);
    for (let p = 0; p < out.length; p++) {
      const x = xy[2 * p], y = xy[2 * p + 1];
      let best = Infinity;
      for (let s = 0; s < spots.length; s += 2) {
        const dx = x - spots[s], dy = y - spots[s + 1], square = dx * dx + dy * dy;
        if (square < best) best = square;
      }
      out[p] = Math.sqrt(best);
    }
    return out;
  }

  const COUNTED = ["people", "people_60plus", "area_m2", "homes"];

  /* Served and known totals of people, 60+, land and homes: of the whole, and zone by zone. */
  function totals(model, share) {
    const homes = model.homes, zones = model.data.zones.length;
    const blank = () => Object.fromEntries(COUNTED.map((c) => [c, { known: 0, served: 0, any: false }]));
    const whole = blank(), byZone = Array.from({ length: zones }, blank);
    for (const c of COUNTED) {
      const value = homes[c], all = whole[c];
      for (let h = 0; h < homes.count; h++) {
        const part = share[h], v = value ? value[h] : 1, z = homes.zone[h];
        if (part !== part || v !== v) continue; // NaN
        all.known += v; all.served += v * part; all.any = true;
        if (z < 0) continue;
        const own = byZone[z][c];
        own.known += v; own.served += v * part; own.any = true;
      }
    }
    return { whole, byZone };
  }

  /* Who gains and who loses: people and 60+ of homes that are served more, or less, than before. */
  function effects(model, before, after) {
    const homes = model.homes, out = { gain: { people: 0, people_60plus: 0, homes: [] }, lose: { people: 0, people_60plus: 0, homes: [] } };
    for (let h = 0; h < homes.count; h++) {
      const change = after[h] - before[h];
      if (!(Math.abs(change) > 1e-9)) continue; // NaN as well
      const side = change > 0 ? out.gain : out.lose, part = Math.abs(change);
      for (const c of ["people", "people_60plus"]) if (!Number.isNaN(homes[c][h])) side[c] += part * homes[c][h];
      side.homes.push({ home: h, part, people: part * homes.people[h] });
    }
    // unknown is not 0: of nobody, or of nobody who gains or loses, the number is known
    for (const side of [out.gain, out.lose]) for (const c of ["people", "people_60plus"]) {
      if (homes.blank[c] === homes.count || (side.homes.length && side.homes.every((v) => Number.isNaN(homes[c][v.home])))) side[c] = NaN;
    }
    for (const side of [out.gain, out.lose]) side.homes.sort((a, b) => (b.people || 0) - (a.people || 0) || a.home - b.home);
    return out;
  }

  function evaluate(model, plan, rule) {
    const facilities = facilitiesOf(model, plan, rule.kinds), share = served(model, plan, rule, facilities);
    return { facilities, share, totals: totals(model, share), has: presence(model, plan, rule, facilities) };
  }

  /* The denominator a rule can be counted in: its own, else people, residential land, number of homes. */
  function denominator(rule, whole) {
    const own = rule.denominator === "community" ? "people" : rule.denominator;
    return [own, "people", "area_m2", "homes"].find((d) => whole[d].any && whole[d].known > 0) || null;
  }

  /* --- the streets one facility reaches ----------------------------------------------------------------------------- */

  /* Street pieces within the rule's limit of a facility's doors, as [edge, from, to], cut exactly. */
  function reached(model, rule, facility) {
    const { net } = model, weights = weightsOf(net, rule.method === "walk_min" ? model.profiles.get(rule.profile) : null);
    const { doors } = enteredBy(weights, facility);
    const limit = rule.method === "walk_min" ? rule.minutes : rule.metres, out = [];
    const cost = spread(model, weights, doors, limit, new Float64Array(net.nodes));
    const own = new Map();
    for (const d of doors) own.set(d.edge, (own.get(d.edge) || []).concat(d));
    for (let e = 0; e < net.edges; e++) {
      const u = cost[net.u[e]], v = cost[net.v[e]], length = net.length[e], rate = weights.rate[e];
      if (u === Infinity && v === Infinity && !own.has(e)) continue;
      if (!(rate < Infinity)) continue;
      const far = (left) => (rate > 0 ? Math.max(0, left / rate) : length);
      const parts = [[0, Math.min(length, u < Infinity ? far(limit - u) : 0)], [Math.max(0, length - (v < Infinity ? far(limit - v) : 0)), length]];
      for (const d of own.get(e) || []) {
        const left = limit - d.access * weights.unit;
        if (left > 0) parts.push([Math.max(0, d.at - far(left)), Math.min(length, d.at + far(left))]);
      }
      parts.sort((a, b) => a[0] - b[0]);
      let from = parts[0][0], to = parts[0][1];
      for (const [a, b] of parts.slice(1)) {
        if (a <= to) to = Math.max(to, b);
        else { if (to > from) out.push([e, from, to]); from = a; to = b; }
      }
      if (to > from) out.push([e, from, to]);
    }
    return out;
  }

  /* --- the walk behind a home's minutes -------------------------------------------------------------------------- */

  /* The point of a home whose cost is the median of its points' (of equals the first); -1 where that one gets nowhere. */
  function medianPoint(model, cost, h) {
    const own = [];
    model.homes.home.forEach((home, p) => { if (home === h) own.push(p); });
    own.sort((a, b) => (cost[a] === cost[b] ? a - b : cost[a] - cost[b]));
    const middle = own[Math.floor((own.length - 1) / 2)];
    return middle === undefined || cost[middle] === Infinity ? -1 : middle;
  }

  /* The points of a part of an edge, in walking direction. */
  function course(net, e, from, to) {
    const last = net.cum[net.off[e + 1] - 1], low = Math.min(from, to, last), high = Math.min(Math.max(from, to), last), out = [];
    const put = (k, t) => out.push([net.xy[2 * k] + t * (net.xy[2 * k + 2] - net.xy[2 * k]), net.xy[2 * k + 1] + t * (net.xy[2 * k + 3] - net.xy[2 * k + 1])]);
    for (let k = net.off[e]; k < net.off[e + 1] - 1; k++) {
      const a = net.cum[k], b = net.cum[k + 1];
      if (b < low || a > high || !(b > a)) continue;
      if (!out.length) put(k, Math.max(0, (low - a) / (b - a)));
      put(k, Math.min(1, (high - a) / (b - a)));
    }
    if (!out.length) out.push([net.xy[2 * net.off[e]], net.xy[2 * net.off[e] + 1]]);
    return from <= to ? out : out.reverse();
  }

  /* What is walked of edges from a node of a search tree to its door: [edge, from, to], and the door's number. */
  function onward(net, tree, doors, node) {
    const pieces = [];
    while (tree[node] >= 0) {
      const e = tree[node], forth = net.u[e] === node;
      pieces.push(forth ? [e, 0, net.length[e]] : [e, net.length[e], 0]);
      node = forth ? net.v[e] : net.u[e];
    }
    const door = ~tree[node], d = doors[door], length = net.length[d.edge];
    const first = net.u[d.edge] === node && (net.v[d.edge] !== node || d.at <= length - d.at);
    return [[...pieces, [d.edge, first ? 0 : length, d.at]], door];
  }

  /* The legs along streets: what follows on one name is one leg; its wait, if any, comes before it. */
  function streetLegs(net, pieces, profile) {
    const legs = [], unit = 1 / profile.speed / 60;
    for (const [e, from, to] of pieces) {
      if (from === to) continue;
      const street = net.names[net.name[e]] || "", part = Math.abs(to - from), line = course(net, e, from, to);
      let leg = legs[legs.length - 1];
      if (!leg || leg.street !== street) legs.push((leg = { leg: "street", street, metres: 0, minutes: 0, wait: 0, line: [] }));
      leg.metres += part; leg.minutes += part * unit; leg.wait += net.length[e] > 0 ? (net.wait[e] * (profile.waits / 60) * part) / net.length[e] : 0;
      leg.line.push(...line);
    }
    return legs.flatMap((leg) => (leg.wait > 0 ? [{ leg: "wait", street: leg.street, metres: 0, minutes: leg.wait, line: [leg.line[0]] }, leg] : [leg]));
  }

  const lengthOf = (line) => line.reduce((sum, b, i) => (i ? sum + Math.hypot(b[0] - line[i - 1][0], b[1] - line[i - 1][1]) : 0), 0);

  /* The names of what a straight line crosses, each once. */
  function crossed(walls, a, b) {
    const one = (w) => ({ xy: walls.xy, off: walls.off.slice(w, w + 2) }), names = new Set();
    for (let w = 0; w < walls.off.length - 1; w++) if (crossesWall(one(w), a[0], a[1], b[0], b[1])) names.add(walls.name[w]);
    return Array.from(names);
  }

  /* The walk of a home to the nearest serving facility in the least time, from the point of its median minutes, as `route` of
     the package has it: legs (inside, access, street, wait, entrance) with metres and minutes. Null: there is none. */
  function walk(model, rule, facilities, h) {
    const { net, homes } = model, profile = model.profiles.get(rule.profile), weights = weightsOf(net, profile), unit = weights.unit;
    const open = facilities.filter((f) => f.serves), timed = Object.assign({}, rule, { method: "walk_min" });
    const p = medianPoint(model, pointCosts(model, timed, open, false), h);
    if (p < 0) return null;
    const D = (weights.level && homes.level) || homes.doors, doors = [], whose = [], tree = new Int32Array(net.nodes);
    for (const f of open) for (const d of enteredBy(weights, f).doors) { doors.push(d); whose.push(f); }
    const cost = spread(model, weights, doors, Infinity, model.field, tree);
    let best = { cost: Infinity };
    const take = (c, more) => { if (c < best.cost) best = Object.assign({ cost: c }, more); };
    for (let i = 0; i < D.edge.length; i++) {
      if (D.point[i] !== p) continue;
      const e = D.edge[i], at = D.at[i], leg = D.access[i] * unit, rate = weights.rate[e];
      for (const [node, end] of [[net.u[e], 0], [net.v[e], net.length[e]]]) take(leg + (along(rate, Math.abs(at - end)) + cost[node]), { row: i, node, end });
      doors.forEach((d, k) => { if (d.edge === e) take(leg + (d.access * unit + along(rate, Math.abs(at - d.at))), { row: i, door: k, end: d.at }); });
    }
    for (const f of open) for (const [point, metres] of enteredBy(weights, f).inside) if (point === p) take(metres * unit, { facility: f, metres });
    const start = [homes.xy[2 * p], homes.xy[2 * p + 1]], gateAt = (g) => [model.gates[2 * g], model.gates[2 * g + 1]], legs = [];
    const put = (leg, metres, line) => { if (metres > 0) legs.push({ leg, street: "", metres, minutes: metres * unit, line }); };
    let facility = best.facility, stop = facility ? facility.spots[0] || facility.xy : null;
    if (facility) put("inside", best.metres, [start, stop]);
    else {
      const i = best.row, e = D.edge[i], foot = course(net, e, D.at[i], D.at[i])[0], bends = D.corners.get(i) || [];
      if (D.gate[i] >= 0) {
        const gate = gateAt(D.gate[i]), rest = lengthOf([gate, foot]);
        put("inside", Math.max(0, D.access[i] - rest), [start, ...bends, gate]); put("access", rest, [gate, foot]);
      } else put(bends.length ? "inside" : "access", D.access[i], [start, ...bends, foot]);
      const [rest, last] = best.door === undefined ? onward(net, tree, doors, best.node) : [[], best.door];
      legs.push(...streetLegs(net, [[e, D.at[i], best.end], ...rest], profile));
      const d = doors[last];
      facility = whose[last]; stop = d.spot || facility.xy;
      put("entrance", d.access, [course(net, d.edge, d.at, d.at)[0], ...(d.gate >= 0 ? [gateAt(d.gate)] : []), stop]);
    }
    const sum = (key) => legs.reduce((total, leg) => total + leg[key], 0);
    return { home: h, point: p, facility, legs, start, stop, minutes: sum("minutes"), metres: sum("metres"), straight: lengthOf([start, stop]), crosses: crossed(model.walls, start, stop) };
  }

  /* --- out: TOML, CSV ---------------------------------------------------------------------------------------------- */

  function quoted(text) {
    const whole = String(text).replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
    return JSON.stringify(whole).replace(/\u007f/g, "\\u007f");
  }
  const metres = (xy) => "[" + xy[0].toFixed(2) + ", " + xy[1].toFixed(2) + "]";

  /* The plan as the scenario file that Python reads (positions in metres, whole centimetres). */
  function toml(model, plan, note) {
    const lines = ["name = " + quoted(plan.name), "label = " + quoted(plan.name), "year = " + model.data.year];
    if (model.data.planned) lines.push("planned = true");
    if (note) lines.push("note = " + quoted(note));
    const edit = (what, more) => lines.push("", "[[edit]]", "do = " + quoted(what), ...more);
    for (const f of model.facilities) {
      const e = plan.edits[f.id];
      if (!e) continue;
      const which = "facility = " + quoted(f.id);
      if (e.closed) { if (f.state === "open") edit("close_facility", [which]); continue; }
      if (e.open && f.state === "planned") edit("open_planned", [which]);
      if (e.xy) edit("move_facility", [which, "xy = " + metres(e.xy)]);
    }
    for (const f of plan.added)
      edit("open_facility", ["facility = " + quoted(f.id), "kind = " + quoted(f.kind), "name = " + quoted(f.name), "xy = " + metres(f.xy)]);
    return lines.join("\n") + "\n";
  }

  /* Reads a plan back from such a file: keys with texts, whole numbers, true or false and pairs of numbers. Steps that this
     page cannot carry out are an error, for leaving them out would change the numbers. */
  function readToml(text) {
    const can = ["open_facility", "move_facility", "close_facility", "open_planned"];
    for (const found of String(text).matchAll(/^\s*do\s*=\s*"([a-z_]+)"/gm))
      if (!can.includes(found[1])) throw new Error(`本页只能开、关、移动设施，做不了 ${found[1]}；请在桌面用 compare 命令比较这个方案`);
    const plan = emptyPlan(), steps = [];
    let into = {};
    const head = into;
    text.replace(/^\ufeff/, "").split(/\r?\n/).forEach((row, i) => {
      const line = row.trim(), wrong = () => { throw new Error(`第 ${i + 1} 行`); };
      if (!line || line.startsWith("#")) return;
      if (line === "[[edit]]") { into = {}; steps.push(into); return; }
      const pair = /^([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|\[[^\]"]*\]|true|false|[-+0-9.eE_]+)\s*(#.*)?$/.exec(line) || wrong();
      try { into[pair[1]] = JSON.parse(pair[2].replace(/^\[(.*),\s*\]$/, "[$1]")); } catch { wrong(); }
    });
    plan.name = head.label || head.name || "";
    for (const s of steps) {
      const edit = () => (plan.edits[s.facility] = plan.edits[s.facility] || {}), own = plan.added.find((f) => f.id === s.facility);
      if (s.do === "open_facility" && s.xy) plan.added.push({ id: s.facility, kind: s.kind, name: s.name || s.facility, xy: s.xy });
      else if (s.do === "move_facility" && s.xy) { if (own) own.xy = s.xy; else edit().xy = s.xy; }
      else if (s.do === "close_facility") { if (own) plan.added.splice(plan.added.indexOf(own), 1); else edit().closed = true; }
      else if (s.do === "open_planned") edit().open = true;
      else throw new Error(`本页做不了 ${s.do}（位置要写成 xy）`);
    }
    plan.year = head.year; plan.planned = head.planned === true;
    return plan;
  }

  /* A cell of a table; texts that a spreadsheet would take for a formula begin with an apostrophe. */
  function cell(value) {
    if (value === null || value === undefined || (typeof value === "number" && !isFinite(value))) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : String(value);
    return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  const csv = (rows) => "\ufeff" + rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

  function degrees(model, xy) {
    const d = model.data.degrees, u = (xy[0] - d.middle[0]) / d.half, v = (xy[1] - d.middle[1]) / d.half;
    let lon = 0, lat = 0;
    d.powers.forEach(([i, j], k) => { const term = Math.pow(u, i) * Math.pow(v, j); lon += d.lon[k] * term; lat += d.lat[k] * term; });
    return [lon, lat];
  }

  /* The correction table (订正表): facilities marked as dragged to their true place, which need not lie on a street. */
  function corrections(model, plan) {
    const rows = [["facility", "name", "kind", "x", "y", "lon", "lat", "note"]];
    for (const f of model.facilities) {
      const e = plan.edits[f.id];
      if (!e || !e.corrected || !e.raw) continue;
      const [lon, lat] = degrees(model, e.raw);
      rows.push([f.id, f.name, model.data.kinds[f.kind].id, +e.raw[0].toFixed(2), +e.raw[1].toFixed(2), +lon.toFixed(8), +lat.toFixed(8), e.note || ""]);
    }
    return rows;
  }

  xinhe.engine = {
    open,
    read, snap, attach, canStand, communityAt, emptyPlan, copyPlan, facilitiesOf, ask, served, evaluate, totals, effects, denominator,
    presence, pointCosts, medianPoint, reached, walk, toml, readToml, csv, degrees, corrections, unpack,
  };
})();
