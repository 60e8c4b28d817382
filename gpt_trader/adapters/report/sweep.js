/* The other charts of a sweep: effects, front, plateau, overfitting, equity; the controls of the surface; sorting. */
// ---- the surface and its controls --------------------------------------------------------------------------------------
function scaleBar() {
  const box = $("scale"), bar = box.querySelector("i"), { low, high } = cells, stops = [];
  const written = (v) => say(view.metric, v);
  for (let k = 0; k <= 20; k++) stops.push(css(shade(low + ((high - low) * k) / 20)));
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  bar.replaceChildren();
  box.hidden = !known(low);
  box.querySelector(".low").textContent = written(low);
  box.querySelector(".high").textContent = written(high);
  if (low < 0 && high > 0) {
    const zero = document.createElement("b"), text = document.createElement("small");
    zero.style.left = text.style.left = `${(100 * -low) / (high - low)}%`;
    text.textContent = "0";
    bar.append(zero, text);
  }
}
function showSurface() {
  chooseCells();
  const others = surface.axes.length > 2 ? `Each cell joins all values of the other parameters: ${view.pick === "best" ? `the point with the best ${data.metrics[0].label}` : "the median"}.` : "";
  $("surface-note").textContent = others;
  scaleBar();
  pointAt(null);
}
if (surface) {
  const fill = (id, options, chosen, change) => {
    $(id).replaceChildren(...options.map(([value, text]) => new Option(text, value, false, String(value) === String(chosen))));
    $(id).addEventListener("change", (event) => { change(event.target.value); showSurface(); });
  };
  [view.x, view.y] = surface.start;
  const names = surface.axes.map((axis, i) => [i, axis.name]);
  const swap = (own, other) => (value) => { if (Number(value) === view[other]) { view[other] = view[own]; $("axis-" + other).value = view[own]; } view[own] = Number(value); };
  fill("axis-x", names, view.x, swap("x", "y"));
  fill("axis-y", names, view.y, swap("y", "x"));
  fill("shown", data.metrics.map((one) => [one.key, one.label]), view.metric, (value) => { view.metric = value; });
  const picks = [...document.querySelectorAll("[data-pick]")];
  for (const button of picks) button.addEventListener("click", () => {
    view.pick = button.dataset.pick;
    for (const other of picks) other.setAttribute("aria-pressed", String(other === button));
    showSurface();
  });
  if (surface.axes.length < 3) picks[0].parentElement.hidden = true;
  startMap();
  startLandscape();
  showSurface();
  linked.add({ box: $("scale"), redraw: scaleBar, resize() {}, linked: false, get width() { return this.box.clientWidth; } });
}

// ---- small charts in SVG: their colours follow the theme by themselves ---------------------------------------------------
const svg = (tag, attributes = {}, text = null) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
};
/** Options: x, y ranges; xTicks, yTicks [[value, text]]; names [x, y]; draw(add, px, py); dots [{x, y, told}] to point at. */
function plot(name, options) {
  const el = $("chart-" + name), tip = tipOf(el);
  let dots = [], at = -1;
  const figure = { el, box: el, width: 0, linked: false, redraw() {}, resize() { this.render(); } };
  figure.render = () => {
    figure.width = el.clientWidth;
    const height = Math.round(el.dataset.height * (phone.matches ? 0.85 : 1));
    const yTexts = options.yTicks.map(([, text]) => text.length), left = Math.max(30, 10 + 7.2 * Math.max(...yTexts, 1)), top = 10, bottom = options.names && options.names[0] ? 40 : 24, right = 14;
    const px = (v) => left + ((v - options.x[0]) / (options.x[1] - options.x[0] || 1)) * (figure.width - left - right);
    const py = (v) => top + (1 - (v - options.y[0]) / (options.y[1] - options.y[0] || 1)) * (height - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${figure.width} ${height}`, height, "aria-hidden": "true" });
    const add = (tag, attributes, text) => picture.appendChild(svg(tag, attributes, text));
    for (const [v, text] of options.yTicks) {
      add("line", { x1: left, x2: figure.width - right, y1: py(v), y2: py(v), class: v === 0 ? "zero" : "grid" });
      add("text", { x: left - 6, y: py(v) + 4, "text-anchor": "end" }, text);
    }
    let free = -Infinity;
    for (const [v, text] of options.xTicks) {
      const half = 3.6 * text.length, x = Math.min(px(v), figure.width - half);
      if (x - half < free) continue;
      free = x + half + 8;
      add("text", { x, y: height - bottom + 17, "text-anchor": "middle" }, text);
    }
    if (options.names) add("text", { x: figure.width - right, y: height - 4, "text-anchor": "end", class: "name" }, options.names[0] ? `${options.names[0]} →` : "");
    if (options.names && options.names[1]) add("text", { x: 2, y: height - 4, class: "name" }, `↑ ${options.names[1]}`);
    options.draw(add, px, py, { left, right: figure.width - right, top, bottom: height - bottom });
    dots = (options.dots || []).map((one) => ({ ...one, px: px(one.x), py: py(one.y) }));
    figure.cursor = add("circle", { r: 6, class: "cursor", fill: "none", visibility: "hidden" });
    const old = el.querySelector("svg");
    if (old) old.replaceWith(picture); else el.prepend(picture);
    show(-1);
  };
  const show = (k, x, y) => {
    at = k;
    const dot = dots[k];
    figure.cursor.setAttribute("visibility", dot ? "visible" : "hidden");
    if (dot) { figure.cursor.setAttribute("cx", dot.px); figure.cursor.setAttribute("cy", dot.py); }
    readOut(name, dot ? dot.told : options.resting || []);
    tip(dot && x !== undefined ? asText(dot.told) : "", x, y);
  };
  for (const type of ["pointermove", "pointerdown"]) el.addEventListener(type, (event) => {
    const box = el.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const far = (one) => (options.byColumn ? Math.abs(one.px - x) : Math.hypot(one.px - x, one.py - y));
    let best = -1;
    dots.forEach((one, k) => { if (far(one) < (best < 0 ? (options.byColumn ? 40 : 24) : far(dots[best]))) best = k; });
    show(best, x, y);
  });
  for (const type of ["pointerleave", "blur"]) el.addEventListener(type, () => show(-1));
  el.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !dots.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    $("readout-" + name).setAttribute("aria-live", "polite");
    const order = dots.map((_, k) => k).sort((a, b) => dots[a].px - dots[b].px);
    show(order[Math.max(0, Math.min(order.length - 1, at < 0 ? 0 : order.indexOf(at) + step))]);
  });
  linked.add(figure);
  figure.render();
}
const reach = (values) => { const seen = values.filter(known), low = Math.min(...seen), high = Math.max(...seen), room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1; return [low - room, high + room]; };
const ticksOf = (key, [low, high], count = 5) => rounds(low, high, count, false).map((v) => [v, say(key, v)]);
const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
const main = data.metrics[0];

// ---- what each parameter does ------------------------------------------------------------------------------------------
data.effects.forEach((one, k) => {
  const y = reach([...one.best, ...one.low, ...one.high]), n = one.labels.length, rows = one.labels.map((_, i) => i).filter((i) => known(one.middle[i]));
  plot(`effect-${k}`, {
    x: [-0.5, n - 0.5], y, xTicks: one.labels.map((text, i) => [i, text]), yTicks: ticksOf(main.key, y), byColumn: true,
    dots: rows.map((i) => ({ x: i, y: one.middle[i], told: [[one.name, one.labels[i]], ["median", say(main.key, one.middle[i])], ["middle half", `${say(main.key, one.low[i])} to ${say(main.key, one.high[i])}`], ["best", say(main.key, one.best[i])], ["points", grouped[0](one.count[i])]] })),
    draw: (add, px, py) => {
      const line = (values) => rows.map((i) => [px(i), py(values[i])]);
      if (one.ordered) {
        add("path", { d: path([...line(one.low), ...line(one.high).reverse()]) + "Z", fill: "var(--strategy)", "fill-opacity": 0.18 });
        add("path", { d: path(line(one.best)), fill: "none", stroke: "var(--gain)", "stroke-width": 1.6 });
        add("path", { d: path(line(one.middle)), fill: "none", stroke: "var(--strategy)", "stroke-width": 2.2 });
      } else for (const i of rows) add("rect", { x: px(i) - 14, width: 28, y: py(Math.max(one.low[i], one.high[i])), height: Math.max(2, Math.abs(py(one.low[i]) - py(one.high[i]))), fill: "var(--strategy)", "fill-opacity": 0.18, rx: 4 });
      if (rows.length <= 40) for (const i of rows) {
        add("circle", { cx: px(i), cy: py(one.best[i]), r: 3, fill: "var(--gain)" });
        add("circle", { cx: px(i), cy: py(one.middle[i]), r: 3.4, fill: "var(--strategy)" });
      }
    },
  });
});

// ---- front, plateau, overfitting ---------------------------------------------------------------------------------------
const dot = (add, x, y, tone, r = 3.2, opacity = 0.6) => add("circle", { cx: x, cy: y, r, fill: `var(--${tone})`, "fill-opacity": opacity });
const ring = (add, x, y, text, tone = "text") => {
  add("circle", { cx: x, cy: y, r: 6, fill: "none", stroke: `var(--${tone})`, "stroke-width": 2.4 });
  add("text", { x: x - 10, y: y - 9, "text-anchor": "end", class: "name" }, text);
};
if (data.front) {
  const { x, y, rows, front } = data.front, [a, b] = data.metrics, on = new Set(front), line = [...front].sort((p, q) => x[p] - x[q]), xRange = reach(x), yRange = reach(y);
  plot("front", {
    x: xRange, y: yRange, xTicks: ticksOf(a.key, xRange, 7), yTicks: ticksOf(b.key, yRange), names: [a.label, b.label],
    dots: rows.map((text, k) => ({ x: x[k], y: y[k], told: [["", text], [a.label, say(a.key, x[k])], [b.label, say(b.key, y[k])], on.has(k) && ["", "on the front"]].filter(Boolean) })),
    draw: (add, px, py) => {
      rows.forEach((_, k) => { if (!on.has(k)) dot(add, px(x[k]), py(y[k]), "candle", 2.8, 0.55); });
      if (data.objectives === 2) add("path", { d: path(line.map((k) => [px(x[k]), py(y[k])])), fill: "none", stroke: "var(--strategy)", "stroke-width": 1.6 });
      for (const k of line) dot(add, px(x[k]), py(y[k]), "strategy", 4.4, 1);
    },
  });
}
if (data.plateau) {
  const { value, score, rows, peak, most_robust } = data.plateau, x = reach(value), y = reach(score);
  plot("plateau", {
    x, y, xTicks: ticksOf(main.key, x, 7), yTicks: ticksOf(main.key, y), names: [main.label, "around it"],
    dots: rows.map((text, k) => ({ x: value[k], y: score[k], told: [["", text], [main.label, say(main.key, value[k])], ["around it", say(main.key, score[k])]] })),
    draw: (add, px, py) => {
      const low = Math.max(x[0], y[0]), high = Math.min(x[1], y[1]);
      if (high > low) add("line", { x1: px(low), y1: py(low), x2: px(high), y2: py(high), class: "zero" });
      rows.forEach((_, k) => dot(add, px(value[k]), py(score[k]), "strategy", 3, 0.45));
      if (peak !== most_robust) ring(add, px(value[peak]), py(score[peak]), "peak");
      ring(add, px(value[most_robust]), py(score[most_robust]), peak === most_robust ? "peak and most robust" : "most robust");
    },
  });
}
if (data.overfitting) {
  const { edges, counts, inside, outside, slope, intercept } = data.overfitting, most = Math.max(...counts, 1), total = counts.reduce((a, b) => a + b, 0);
  const marks = rounds(edges[0], edges[edges.length - 1], 7, false);
  plot("logits", {
    x: [edges[0], edges[edges.length - 1]], y: [0, most * 1.05], xTicks: marks.map((v) => [v, grouped[digitsOf(marks[1] - marks[0])](v)]), byColumn: true,
    yTicks: rounds(0, most, 4, false).filter(Number.isInteger).map((v) => [v, grouped[0](v)]),
    dots: counts.map((count, i) => ({ x: (edges[i] + edges[i + 1]) / 2, y: count, told: [["logit", `${grouped[1](edges[i])} to ${grouped[1](edges[i + 1])}`], ["splits", `${grouped[0](count)}, ${percent(count / total)}`], ["", edges[i] < 0 ? "worse than the median" : "better than the median"]] })),
    draw: (add, px, py, box) => {
      counts.forEach((count, i) => add("rect", { x: px(edges[i]) + 0.5, width: Math.max(1, px(edges[i + 1]) - px(edges[i]) - 1), y: py(count), height: box.bottom - py(count), fill: `var(--${(edges[i] + edges[i + 1]) / 2 < 0 ? "loss" : "gain"})`, "fill-opacity": 0.8 }));
      add("line", { x1: px(0), x2: px(0), y1: box.top, y2: box.bottom, class: "zero" });
      add("text", { x: px(0) - 8, y: box.top + 8, "text-anchor": "end" }, "worse than the median");
      add("text", { x: px(0) + 8, y: box.top + 8 }, "better");
    },
  });
  const ratio = (v) => grouped[2](v), x = reach(inside), y = reach([...outside, 0]);
  plot("degradation", {
    x, y, xTicks: rounds(...x, 6, false).map((v) => [v, ratio(v)]), yTicks: rounds(...y, 5, false).map((v) => [v, ratio(v)]), names: ["where it was chosen", "in the other half"],
    dots: inside.map((v, k) => ({ x: v, y: outside[k], told: [["chosen with", ratio(v)], ["in the other half", ratio(outside[k])]] })),
    draw: (add, px, py) => {
      inside.forEach((v, k) => dot(add, px(v), py(outside[k]), outside[k] < 0 ? "loss" : "strategy", 2.6, 0.4));
      if (slope !== null) add("line", { x1: px(x[0]), y1: py(intercept + slope * x[0]), x2: px(x[1]), y2: py(intercept + slope * x[1]), stroke: "var(--muted)", "stroke-width": 1.6 });
    },
  });
}

// ---- the equity of the best point ------------------------------------------------------------------------------------
if (data.account) {
  const account = data.account, xs = running(account.x), benchmark = account.benchmark, date = (i) => ["", moment(timeOf(xs[i]))];
  spanOf(xs);
  chart("equity", xs, {
    y: axisCash, columns: [account.equity, ...(benchmark ? [benchmark] : [])],
    series: [{ stroke: () => colour("strategy"), width: 2 }, ...(benchmark ? [{ stroke: () => colour("benchmark"), dot: colour("benchmark") }] : [])],
    say: (at) => { const i = pick(at, xs); return [date(i), ["Best point", cash(account.equity[i])], ["Gain", signed(account.equity[i] / data.capital - 1)], benchmark && ["Buy and hold", cash(benchmark[i])]]; },
  });
  chart("drawdown", xs, {
    y: axisPercent, range: (min) => [Math.min(min * 1.08, -0.001), 0], columns: [account.drawdown, ...(account.benchmark_drawdown ? [account.benchmark_drawdown] : [])],
    series: [{ stroke: () => colour("loss"), fill: () => colour("loss", 0.18), fillTo: 0, dot: colour("loss") }, ...(account.benchmark_drawdown ? [{ stroke: () => colour("benchmark"), width: 1, dot: colour("benchmark") }] : [])],
    say: (at) => { const i = pick(at, xs); return [date(i), ["Drawdown", percent(account.drawdown[i])], account.benchmark_drawdown && ["Buy and hold", percent(account.benchmark_drawdown[i])]]; },
  });
}

// ---- sorting -----------------------------------------------------------------------------------------------------------
for (const table of document.querySelectorAll("table.points")) for (const button of table.querySelectorAll("[data-column]")) button.addEventListener("click", () => {
  const head = button.parentElement, column = Number(button.dataset.column), down = head.ariaSort !== "descending", body = table.tBodies[0];
  for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (tr) => { const text = tr.cells[column].dataset.key, number = Number(text); return text === "nan" ? null : Number.isNaN(number) ? text : number; };
  body.append(...[...body.rows].sort((a, b) => {
    const [p, q] = [key(a), key(b)];
    if (p === null || q === null) return (p === null) - (q === null);
    return (p < q ? -1 : p > q ? 1 : 0) * (down ? -1 : 1);
  }));
});
