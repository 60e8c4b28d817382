/* The surface as a landscape: a small projection of its own, turned by dragging or with the arrow keys. */
let landscape = null;
const turn = { start: [0.72, 0.52], azimuth: 0.72, height: 0.52 };
let corners = [];

/** Where (x, y, z), each from -1 to 1, stands on the canvas, and how deep: deeper is further away. */
function project(figure, x, y, z) {
  const [ca, sa, ch, sh] = [Math.cos(turn.azimuth), Math.sin(turn.azimuth), Math.cos(turn.height), Math.sin(turn.height)];
  const right = x * ca - y * sa, back = x * sa + y * ca;
  const size = Math.min(figure.width * 0.34, (figure.height - 44) / (2 * (1.28 * sh + 0.62 * ch)));
  return { x: figure.width / 2 + right * size, y: figure.height / 2 - (back * sh * 0.9 + z * 0.62 * ch) * size, depth: back };
}
const spread = (i, n) => (n > 1 ? (2 * i) / (n - 1) - 1 : 0);
const lift = (value) => (cells.high > cells.low ? (2 * (value - cells.low)) / (cells.high - cells.low) - 1 : 0);

function drawLandscape(c, figure) {
  const { nx, ny, low, high } = cells;
  corners = [];
  const at = [];
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) {
    const value = cells.value(i, j);
    at.push(known(value) ? { i, j, value, ...project(figure, spread(i, nx), spread(j, ny), lift(value)) } : null);
  }
  corners = at.filter(Boolean);
  drawFloor(c, figure);
  if (low < 0 && high > 0) outline(c, figure, lift(0), true);
  const faces = [], lone = new Set(corners);
  for (let j = 0; j + 1 < ny; j++) for (let i = 0; i + 1 < nx; i++) {
    const face = [at[j * nx + i], at[j * nx + i + 1], at[(j + 1) * nx + i + 1], at[(j + 1) * nx + i]].filter(Boolean);
    if (face.length < 3) continue;
    for (const corner of face) lone.delete(corner);
    faces.push({ face, depth: face.reduce((sum, one) => sum + one.depth, 0) / face.length });
  }
  const stems = [...lone].map((one) => ({ stem: one, depth: one.depth }));
  for (const one of [...faces, ...stems].sort((a, b) => b.depth - a.depth)) one.face ? drawFace(c, one.face, faces.length) : drawStem(c, figure, one.stem);
  for (const [where, round] of [[cells.best, true], [cells.most_robust, false]]) if (where) markCorner(c, at[where[1] * nx + where[0]], round);
  if (view.at) markCorner(c, at[view.at[1] * nx + view.at[0]], true, "accent");
}
function drawFace(c, face, count) {
  const value = face.reduce((sum, one) => sum + one.value, 0) / face.length, rgb = shade(value);
  c.beginPath();
  face.forEach((one, k) => (k ? c.lineTo(one.x, one.y) : c.moveTo(one.x, one.y)));
  c.closePath();
  c.fillStyle = css(rgb);
  c.fill();
  c.strokeStyle = count > 1200 ? css(rgb) : colour("card", 0.75);
  c.lineWidth = 0.8;
  c.stroke();
}
function drawStem(c, figure, one) {
  const foot = project(figure, spread(one.i, cells.nx), spread(one.j, cells.ny), -1), rgb = shade(one.value);
  c.strokeStyle = colour("line");
  c.lineWidth = 1;
  c.beginPath(); c.moveTo(foot.x, foot.y); c.lineTo(one.x, one.y); c.stroke();
  c.fillStyle = css(rgb);
  c.strokeStyle = colour("muted");
  c.beginPath(); c.arc(one.x, one.y, 4.5, 0, 7); c.fill(); c.stroke();
}
function markCorner(c, one, round, tone = "text") {
  if (!one) return;
  for (const [name, width] of [["card", 4.5], [tone, 2.2]]) {
    c.strokeStyle = colour(name);
    c.lineWidth = width;
    c.beginPath();
    if (round) c.arc(one.x, one.y, 6, 0, 7);
    else { c.moveTo(one.x, one.y - 7); c.lineTo(one.x + 7, one.y); c.lineTo(one.x, one.y + 7); c.lineTo(one.x - 7, one.y); c.closePath(); }
    c.stroke();
  }
}
function outline(c, figure, z, dashed) {
  const around = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) => project(figure, x, y, z));
  c.beginPath();
  around.forEach((one, k) => (k ? c.lineTo(one.x, one.y) : c.moveTo(one.x, one.y)));
  c.closePath();
  c.strokeStyle = colour(dashed ? "muted" : "line");
  c.lineWidth = 1;
  c.setLineDash(dashed ? [4, 4] : []);
  c.stroke();
  c.setLineDash([]);
  return around;
}
/** The floor with the names and ends of the two axes, and the ends of the height. */
function drawFloor(c, figure) {
  const around = outline(c, figure, -1, false), { across, up } = cells;
  const front = [0, 1, 2, 3].reduce((best, k) => (around[k].depth < around[best].depth ? k : best), 0);
  const edges = [[0, 1, across], [1, 2, up], [3, 2, across], [0, 3, up]];
  const middle = project(figure, 0, 0, -1);
  const write = (x, y, text, tone) => {
    const half = c.measureText(text).width / 2;
    c.fillStyle = colour(tone);
    c.fillText(text, Math.max(half + 2, Math.min(figure.width - half - 2, x)), Math.max(8, Math.min(figure.height - 8, y)));
  };
  c.textAlign = "center";
  c.textBaseline = "middle";
  for (const [a, b, axis] of edges) {
    if (a !== front && b !== front) continue;
    const away = (p, far) => { const dx = p.x - middle.x, dy = p.y - middle.y, n = Math.hypot(dx, dy) || 1; return [p.x + (dx / n) * far, p.y + (dy / n) * far]; };
    const half = { x: (around[a].x + around[b].x) / 2, y: (around[a].y + around[b].y) / 2 };
    write(...away(half, 30), axis.name, "text");
    const first = { x: around[a].x * 0.9 + around[b].x * 0.1, y: around[a].y * 0.9 + around[b].y * 0.1 }, last = { x: around[a].x * 0.1 + around[b].x * 0.9, y: around[a].y * 0.1 + around[b].y * 0.9 };
    write(...away(first, 16), axis.labels[0], "muted");
    write(...away(last, 16), axis.labels[axis.labels.length - 1], "muted");
  }
  const left = around.reduce((best, one) => (one.x < best.x ? one : best)), k = around.indexOf(left), [x, y] = [[-1, -1], [1, -1], [1, 1], [-1, 1]][k];
  const top = project(figure, x, y, 1);
  c.strokeStyle = colour("line");
  c.beginPath(); c.moveTo(left.x, left.y); c.lineTo(top.x, top.y); c.stroke();
  write(top.x, top.y - 9, say(view.metric, cells.high), "muted");
  write(left.x - 4, left.y - 10, say(view.metric, cells.low), "muted");
}

function startLandscape() {
  landscape = canvasOf("landscape", drawLandscape);
  const el = landscape.el;
  let held = null;
  const rotate = (right, upward) => {
    turn.azimuth += right;
    turn.height = Math.max(0.12, Math.min(1.45, turn.height + upward));
    landscape.redraw();
  };
  el.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; el.setPointerCapture(event.pointerId); el.classList.add("turning"); landscape.tip(""); });
  el.addEventListener("pointermove", (event) => {
    if (held) {
      rotate((held[0] - event.clientX) * 0.01, (event.clientY - held[1]) * 0.01);
      held = [event.clientX, event.clientY];
      return;
    }
    const box = el.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const near = corners.reduce((best, one) => { const d = Math.hypot(one.x - x, one.y - y); return d < best.d ? { d, one } : best; }, { d: 14, one: null }).one;
    const told = near ? tell(near.i, near.j) : [];
    landscape.tip(near ? asText(told) : "", x, y);
    readOut("landscape", told);
  });
  for (const type of ["pointerup", "pointercancel"]) el.addEventListener(type, () => { held = null; el.classList.remove("turning"); });
  el.addEventListener("pointerleave", () => landscape.tip(""));
  el.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.08], ArrowDown: [0, -0.08] }[event.key];
    if ((!step && event.key !== "0") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.key === "0") [turn.azimuth, turn.height] = turn.start;
    rotate(...(step || [0, 0]));
  });
}
