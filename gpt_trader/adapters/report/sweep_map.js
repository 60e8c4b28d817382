/* The surface of a sweep: which cells are shown, their colours, and the heat map. Text reaches the page as textContent only. */
const metrics = new Map(data.metrics.map((one) => [one.key, one]));
const WRITE = {
  signed, percent, cash, ratio: (v) => (known(v) ? grouped[2](v) : "–"), count: (v) => (known(v) ? grouped[0](v) : "–"),
  days: (v) => (known(v) ? `${grouped[0](v)} days` : "–"), bars: (v) => (known(v) ? grouped[1](v) : "–"), times: (v) => (known(v) ? grouped[1](v) + "×" : "–"),
};
const say = (key, v) => (WRITE[metrics.get(key).kind] || WRITE.ratio)(v);

/** A line of [label, text] under a chart. */
function readOut(name, parts) {
  $("readout-" + name).replaceChildren(...parts.filter(Boolean).map(([label, text]) => {
    const part = document.createElement("span"), strong = document.createElement("b");
    strong.textContent = text;
    part.append(...(label ? [label + " "] : []), strong);
    return part;
  }));
}

/** The small box beside the pointer. */
function tipOf(el) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.ariaHidden = "true";
  el.append(tip);
  return (text, x, y) => {
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = `${Math.max(0, Math.min(x + 14, el.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${y + 16 + tip.offsetHeight > el.clientHeight ? y - tip.offsetHeight - 8 : y + 16}px`;
  };
}

/** A canvas that fills the place of a chart and is drawn again when the size or the theme changes. */
function canvasOf(name, draw) {
  const el = $("chart-" + name), canvas = document.createElement("canvas"), tip = tipOf(el);
  el.prepend(canvas);
  const figure = {
    el, tip, box: el, width: 0, height: 0, linked: false,
    redraw() {
      const c = canvas.getContext("2d"), ratio = devicePixelRatio || 1;
      this.width = el.clientWidth;
      this.height = Math.round(el.dataset.height * (phone.matches ? 0.8 : 1));
      canvas.width = this.width * ratio;
      canvas.height = this.height * ratio;
      canvas.style.width = `${this.width}px`;
      canvas.style.height = `${this.height}px`;
      c.scale(ratio, ratio);
      c.font = font();
      draw(c, this);
    },
    resize() { this.redraw(); },
  };
  linked.add(figure);
  return figure;
}

// ---- what is shown ---------------------------------------------------------------------------------------------------
const surface = data.surface;
const view = { x: 0, y: 1, metric: data.metrics[0].key, pick: "best", at: null };
let cells = null;

/** The cells of the chosen axes and metric: value(i, j), what is there, and the range of all values. */
function chooseCells() {
  const turned = view.x > view.y;
  const pair = surface.pairs.find((one) => one.x === Math.min(view.x, view.y) && one.y === Math.max(view.x, view.y));
  const across = surface.axes[view.x], up = surface.axes[view.y], nx = across.labels.length, ny = up.labels.length;
  const index = (i, j) => (turned ? i * ny + j : j * nx + i);
  const values = pair[view.pick][view.metric], seen = values.filter(known);
  cells = {
    across, up, nx, ny, low: Math.min(...seen), high: Math.max(...seen),
    value: (i, j) => values[index(i, j)],
    count: (i, j) => pair.count[index(i, j)], failed: (i, j) => pair.failed[index(i, j)], stopped: (i, j) => pair.stopped[index(i, j)], number: (i, j) => pair.number[index(i, j)],
    best: surface.best && [surface.best[view.x], surface.best[view.y]],
    most_robust: surface.most_robust && [surface.most_robust[view.x], surface.most_robust[view.y]],
  };
}

const parts = (name) => colour(name).match(/[\d.]+/g).slice(0, 3).map(Number);
/** Colour of a value: blue above 0, orange below, darker the further from it; values of one sign use the whole ramp. */
function shade(value) {
  const { low, high } = cells, side = value < 0 ? "down" : "up", far = Math.max(Math.abs(low), Math.abs(high));
  const near = low < 0 && high > 0 ? 0 : Math.min(Math.abs(low), Math.abs(high));
  const t = far > near ? (Math.abs(value) - near) / (far - near) : 0.5, at = Math.min(2.999, Math.max(0, t * 3)), k = Math.floor(at);
  const [a, b] = [parts(`${side}-${k}`), parts(`${side}-${k + 1}`)];
  return a.map((from, i) => Math.round(from + (b[i] - from) * (at - k)));
}
const css = (rgb, alpha = 1) => `rgb(${rgb.join(" ")} / ${alpha})`;
/** Black or white, whichever can be read on a colour. */
const ink = ([r, g, b]) => (0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2 > 0.3 ? "#10151d" : "#fff");

/** The cell as text: its values, what it has, and its points. */
function tell(i, j) {
  const value = cells.value(i, j), count = cells.count(i, j), failed = cells.failed(i, j), stopped = cells.stopped(i, j), parted = [];
  if (known(value)) parted.push([metrics.get(view.metric).label, say(view.metric, value)]);
  if (count > 1) parted.push(["points", `${grouped[0](count)}, ${view.pick === "best" ? "the best of them" : "their median"}`]);
  if (known(value) && view.pick === "best") parted.push(["point", `no. ${cells.number(i, j)}`]);
  if (failed) parted.push(["failed", grouped[0](failed)]);
  if (stopped) parted.push(["given up early", grouped[0](stopped)]);
  if (!count && !failed && !stopped) parted.push(["", "not run"]);
  else if (!known(value) && count) parted.push(["", "not defined: no trade, or no spread"]);
  return [[cells.across.name, cells.across.labels[i]], [cells.up.name, cells.up.labels[j]], ...parted];
}
const asText = (told) => told.map(([label, text]) => (label ? `${label} ${text}` : text)).join(" · ");

// ---- the heat map ----------------------------------------------------------------------------------------------------
let map = null;
const place = { left: 0, top: 6, width: 0, height: 0 };

function drawMap(c, figure) {
  const { nx, ny, across, up } = cells;
  place.left = Math.min(0.3 * figure.width, Math.max(...up.labels.map((text) => c.measureText(text).width)) + 14);
  place.width = figure.width - place.left - 6;
  place.height = figure.height - 46;
  const w = place.width / nx, h = place.height / ny, gap = w > 10 && h > 10 ? 1 : 0;
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) drawCell(c, i, j, place.left + i * w, place.top + place.height - (j + 1) * h, w - gap, h - gap);
  c.fillStyle = colour("muted");
  c.textBaseline = "middle";
  c.textAlign = "right";
  const rows = Math.ceil(16 / h), columns = Math.ceil((Math.max(...across.labels.map((text) => c.measureText(text).width)) + 10) / w);
  up.labels.forEach((text, j) => { if (j % rows === 0) c.fillText(text, place.left - 8, place.top + place.height - (j + 0.5) * h, place.left - 10); });
  c.textAlign = "center";
  c.textBaseline = "top";
  across.labels.forEach((text, i) => { if (i % columns === 0) c.fillText(text, Math.min(place.left + (i + 0.5) * w, figure.width - c.measureText(text).width / 2), place.top + place.height + 6); });
  c.fillStyle = colour("text");
  c.textAlign = "right";
  c.fillText(`${across.name} →`, figure.width - 4, figure.height - 16);
  c.textAlign = "left";
  c.fillText(`↑ ${up.name}`, 2, figure.height - 16);
  for (const [where, round] of [[cells.best, true], [cells.most_robust, false]]) if (where) drawMark(c, where, round, w, h);
  if (view.at) {
    c.strokeStyle = colour("accent");
    c.lineWidth = 2;
    c.strokeRect(place.left + view.at[0] * w - 1, place.top + place.height - (view.at[1] + 1) * h - 1, w + 2 - gap, h + 2 - gap);
  }
}
function drawCell(c, i, j, x, y, w, h) {
  const value = cells.value(i, j);
  if (known(value)) {
    const rgb = shade(value), text = say(view.metric, value);
    c.fillStyle = css(rgb);
    c.fillRect(x, y, Math.max(w, 1), Math.max(h, 1));
    const marked = [cells.best, cells.most_robust].some((one) => one && one[0] === i && one[1] === j);
    if (!marked && h > 15 && w > c.measureText(text).width + 6) { c.fillStyle = ink(rgb); c.textAlign = "center"; c.textBaseline = "middle"; c.fillText(text, x + w / 2, y + h / 2 + 0.5); }
    return;
  }
  c.save();
  c.beginPath();
  c.rect(x, y, w, h);
  c.clip();
  c.strokeStyle = colour("line");
  c.lineWidth = 1;
  c.beginPath();
  for (let k = Math.floor((x - y - h) / 5) * 5; k < x - y + w; k += 5) { c.moveTo(y + k, y); c.lineTo(y + h + k, y + h); }
  c.stroke();
  c.restore();
  if (cells.failed(i, j)) {
    const r = Math.max(2, Math.min(5, w / 3, h / 3)), [mx, my] = [x + w / 2, y + h / 2];
    c.strokeStyle = colour("loss");
    c.lineWidth = 2;
    c.beginPath(); c.moveTo(mx - r, my - r); c.lineTo(mx + r, my + r); c.moveTo(mx + r, my - r); c.lineTo(mx - r, my + r); c.stroke();
  }
}
function drawMark(c, [i, j], round, w, h) {
  const x = place.left + (i + 0.5) * w, y = place.top + place.height - (j + 0.5) * h, r = Math.max(5, Math.min(w, h) / 2 - 2, 5);
  for (const [tone, width] of [["card", 5], ["text", 2.5]]) {
    c.strokeStyle = colour(tone);
    c.lineWidth = width;
    c.beginPath();
    if (round) c.arc(x, y, Math.min(r, 12), 0, 7);
    else { const d = Math.min(r, 12); c.moveTo(x, y - d); c.lineTo(x + d, y); c.lineTo(x, y + d); c.lineTo(x - d, y); c.closePath(); }
    c.stroke();
  }
}

/** Shows the chosen cell in both charts and says what it is. */
function pointAt(cell, x = null, y = null) {
  view.at = cell;
  map.redraw();
  landscape.redraw();
  const where = cell || cells.best, told = where ? tell(...where) : [];
  readOut("map", cell || !where ? told : [["", "best:"], ...told]);
  map.tip(cell && x !== null ? asText(told) : "", x, y);
}
function startMap() {
  map = canvasOf("map", drawMap);
  const cellAt = (event) => {
    const box = map.el.getBoundingClientRect(), i = Math.floor(((event.clientX - box.left - place.left) / place.width) * cells.nx);
    const j = Math.floor(((place.top + place.height - (event.clientY - box.top)) / place.height) * cells.ny);
    return i >= 0 && j >= 0 && i < cells.nx && j < cells.ny ? [i, j] : null;
  };
  for (const type of ["pointermove", "pointerdown"]) map.el.addEventListener(type, (event) => {
    const box = map.el.getBoundingClientRect();
    pointAt(cellAt(event), event.clientX - box.left, event.clientY - box.top);
  });
  map.el.addEventListener("pointerleave", () => pointAt(null));
  map.el.addEventListener("blur", () => pointAt(null));
  map.el.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key], jump = { Home: cells.best, End: cells.most_robust }[event.key];
    if ((!step && !jump) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    $("readout-map").setAttribute("aria-live", "polite");
    const [i, j] = view.at || cells.best || [0, 0];
    const within = (v, n) => Math.max(0, Math.min(n - 1, v));
    pointAt(jump || (view.at ? [within(i + step[0], cells.nx), within(j + step[1], cells.ny)] : [i, j]));
  });
}
