/* One chart: uPlot with the report's axes, linked zoom and cursor, keys and touches. */
// ---- one chart ---------------------------------------------------------------------------------------------------
const linked = new Set();
const span = { low: 0, high: 1, min: 0, max: 1 };
const font = () => `${phone.matches ? 11 : 12}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
/** Fewest digits that write `step` exactly, at most two. */
const digitsOf = (step) => [0, 1].find((n) => Math.abs(step * 10 ** n - Math.round(step * 10 ** n)) < 1e-6 * step * 10 ** n) ?? 2;
const axisCash = (v, step) => (Math.abs(v) >= 1e6 && step >= 1e4 ? grouped[digitsOf(step / 1e6)](v / 1e6) + "M" : grouped[digitsOf(step)](v));
const axisPercent = (v, step) => grouped[digitsOf(step * 100)](v * 100) + "%";

/** Options: columns (arrays beside x), series, y formatter, range(min, max), say(row) -> [[label, text]], draw(u, c) over the
    lines, under(u, c) below them, log; xText formats an x that is no time (default: per cent). */
function chart(name, x, options) {
  const el = $("chart-" + name), readout = $("readout-" + name);
  if (!el) return null;
  const time = options.time !== false;
  const height = () => Math.round(el.dataset.height * (phone.matches ? 0.8 : 1));
  const show = (row) => {
    if (!readout) return;
    readout.replaceChildren(...options.say(row).filter(Boolean).map(([label, text], i) => {
      const part = document.createElement("span"), strong = document.createElement("b");
      strong.textContent = text;
      part.append(...(label ? [label + " "] : []), strong);
      return part;
    }));
  };
  const axis = { stroke: () => colour("muted"), font: font(), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false } };
  const u = new uPlot({
    width: el.clientWidth, height: height(), padding: [8, 20, 0, 0], legend: { show: false },
    scales: {
      x: { time: false, range: options.xRange || ((_, min, max) => [min, max]) },
      y: { distr: options.log ? 3 : 1, range: (_, min, max) => (min === null ? [options.log ? 1 : 0, options.log ? 10 : 1] : (options.range || padded)(min, max)) },
    },
    axes: [
      time ? { ...axis, size: 26, gap: 4, splits: (self, _, min, max) => ticks(self, min, max), values: (self, at) => at.map((v) => self.ticks.get(v) || "") }
        : { ...axis, size: 26, gap: 4, splits: (self, _, min, max) => rounds(min, max, phone.matches ? 4 : 7), values: (_, at) => at.map((v) => (options.xText || axisPercent)(v, at.length > 1 ? at[1] - at[0] : 1)) },
      { ...axis, size: phone.matches ? 52 : 62, gap: 4, filter: (_, at) => at,
        splits: (self, _, min, max) => rounds(min, max, Math.max(3, self.height / 46), options.log),
        values: (_, at) => at.map((v) => options.y(v, at.length > 1 ? at[1] - at[0] : 1)) },
    ],
    series: [{}, ...options.series.map((one) => ({ width: 1.5, points: { show: false }, ...one }))],
    bands: options.bands,
    cursor: {
      y: false, points: { size: 6, width: 0, fill: (self, i) => options.series[i - 1].dot || colour("strategy") },
      drag: { x: time, y: false, dist: 6, setScale: time },
      bind: { dblclick: () => () => { if (time) zoom(span.low, span.high); return null; } },
      sync: time ? { key: "time", scales: ["x", null], filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } } : undefined,
    },
    hooks: {
      // uPlot is still inside its first commit here: a scale set now would be forgotten.
      ready: [(self) => queueMicrotask(() => { self.linked = time; if (time) self.setScale("x", { min: span.min, max: span.max }); show(null); })],
      setCursor: [(self) => show(self.cursor.left >= 0 ? self.cursor.idx : null)],
      setScale: [(self, key) => {
        const { min, max } = self.scales.x;
        if (key !== "x" || !self.linked) return;
        if (min !== span.min || max !== span.max) zoom(min, max);
        else if (!(self.cursor.left >= 0)) show(null);
      }],
      drawClear: clipped(options.under),
      draw: clipped(options.draw),
    },
  }, [x, ...options.columns], el);
  u.resize = () => u.setSize({ width: el.clientWidth, height: height() });
  u.box = el;
  linked.add(u);
  handle(u, el, readout, time);
  return u;
}
/** A hook that paints inside the axes only. */
const clipped = (paint) => (paint ? [(u) => { const c = u.ctx, b = u.bbox; c.save(); c.beginPath(); c.rect(b.left, b.top, b.width, b.height); c.clip(); paint(u, c); c.restore(); }] : []);
const padded = (min, max) => { const room = (max - min) * 0.06 || Math.abs(max) * 0.02 || 1; return [min - room, max + room]; };
const withZero = (min, max) => (min === 0 && max === 0 ? [0, 1] : padded(Math.min(min, 0), Math.max(max, 0)));

/** Shows [min, max] of the time axis in every linked chart. */
function zoom(min, max) {
  const least = (span.high - span.low) / 2000, middle = (min + max) / 2;
  if (max - min < least) { min = middle - least / 2; max = middle + least / 2; }
  span.min = Math.max(span.low, min);
  span.max = Math.min(span.high, max);
  if (!(span.max > span.min)) { span.min = span.low; span.max = span.high; }
  for (const u of linked) if (u.linked) u.setScale("x", { min: span.min, max: span.max });
  noteSpan();
}

/** Keys and fingers. uPlot itself knows the mouse only. */
function handle(u, el, readout, time) {
  if (el.dataset.handled) { el.plot = u; touches(u, time); return; }
  el.dataset.handled = "yes";
  el.plot = u;
  el.addEventListener("keydown", (event) => {
    const plot = el.plot, xs = plot.data[0], { min, max } = plot.scales.x, width = max - min;
    const at = plot.cursor.left >= 0 && plot.cursor.idx !== null ? plot.cursor.idx : plot.valToIdx(max);
    const go = (i) => plot.setCursor({ left: plot.valToPos(xs[Math.max(0, Math.min(xs.length - 1, i))], "x"), top: plot.over.clientHeight / 2 }, true, true);
    const jump = event.shiftKey ? 20 : 1, keys = { ArrowLeft: () => go(at - jump), ArrowRight: () => go(at + jump), Home: () => go(plot.valToIdx(min)), End: () => go(plot.valToIdx(max)) };
    if (time) Object.assign(keys, {
      "+": () => zoom(xs[at] - width / 4, xs[at] + width / 4), "=": () => zoom(xs[at] - width / 4, xs[at] + width / 4),
      "-": () => zoom(min - width / 2, max + width / 2), 0: () => zoom(span.low, span.high),
    });
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (readout) readout.setAttribute("aria-live", "polite");
    keys[event.key]();
  });
  touches(u, time);
}
function touches(u, time) {
  const fingers = new Map();
  let start = null;
  const left = (event) => event.clientX - u.over.getBoundingClientRect().left;
  u.over.style.touchAction = "pan-y";
  u.over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, left(event));
    if (fingers.size === 2 && time) start = [...fingers.values()].map((px) => u.posToVal(px, "x"));
  });
  u.over.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, left(event));
    if (fingers.size === 1) u.setCursor({ left: left(event), top: 10 }, true, true);
    if (fingers.size === 2 && start) {
      const [a, b] = fingers.values();
      if (Math.abs(b - a) < 20) return;
      const scale = (start[1] - start[0]) / (b - a), min = start[0] - a * scale;
      if (scale > 0) zoom(min, min + u.over.clientWidth * scale);
    }
  });
  for (const type of ["pointerup", "pointercancel"]) u.over.addEventListener(type, (event) => { fingers.delete(event.pointerId); start = null; });
}

// ---- span buttons, log switch ------------------------------------------------------------------------------------
let noteSpan = () => {};

/** Lets the time axis run from the first to the last of `xs`, with a little room. */
function spanOf(xs) {
  const last = xs.length - 1, edge = Math.max(0.5, (xs[last] - xs[0]) * 0.003);
  span.low = span.min = xs[0] - edge;
  span.high = span.max = xs[last] + edge;
}

/** Buttons for the last month, year and so on of `bars` bars; `gain(row, row)` says what the part that is shown brought. */
function offerSpans(xs, bars, gain) {
  const last = xs.length - 1, first = timeOf(xs[0]), final = timeOf(xs[last]), bar = (final - first) / Math.max(1, bars - 1);
  const choices = [[1, "1D"], [7, "1W"], [30.4, "1M"], [91, "3M"], [182.6, "6M"], [365.25, "1Y"], [1096, "3Y"], [1826, "5Y"], [3652, "10Y"]]
    .filter(([days]) => days * DAY < 0.8 * (final - first) && days * DAY > 15 * bar).slice(phone.matches ? -3 : -5);
  for (const [days, text] of [...choices, [null, "All"]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => (days ? zoom(placeOf(final - days * DAY), span.high) : zoom(span.low, span.high)));
    button.from = () => (days ? Math.max(span.low, placeOf(final - days * DAY)) : span.low);
    $("spans").append(button);
  }
  noteSpan = () => {
    for (const button of $("spans").children) button.setAttribute("aria-pressed", String(span.max === span.high && Math.abs(button.from() - span.min) < 1e-6));
    const whole = span.min === span.low && span.max === span.high;
    let i0 = xs.findIndex((x) => x >= span.min), i1 = last;
    while (i1 > i0 && xs[i1] > span.max) i1--;
    $("span-note").textContent = whole || i0 < 0 || i1 <= i0 ? "" : `Shown, ${moment(timeOf(xs[i0]))} to ${moment(timeOf(xs[i1]))}: ${gain(i0, i1)}`;
  };
  noteSpan();
}

/** Makes the two buttons of a chart's scale work; `possible` is false when the values are not all above zero. */
function scaleSwitch(name, possible, draw) {
  const buttons = [...document.querySelectorAll(`[data-chart="${name}"] [data-scale]`)];
  for (const button of buttons) {
    if (button.dataset.scale === "log" && !possible) { button.disabled = true; button.title = "Not possible: the equity is not always above zero"; }
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      draw(button.dataset.scale === "log");
    });
  }
}

/** The row under the cursor, or the last one that is shown. */
function pick(row, at) {
  if (row !== null) return row;
  let i = at.length - 1;
  while (i > 0 && at[i] > span.max) i--;
  return i;
}
