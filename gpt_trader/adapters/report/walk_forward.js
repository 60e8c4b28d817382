/* The account of a walk-forward over its windows, and what each window chose. */
const account = data.account, windows = data.windows, xs = running(account.x);
const has = (name) => !!account[name];
spanOf(xs);
const date = (i, at = xs) => ["", moment(timeOf(at[i]))];
/** The window that trades at a place of the time axis. */
const windowAt = (x) => windows.findLast((one) => one.from <= x) || windows[0];
/** Where a window ends on the axis: where the next begins. */
const endOf = (i) => (i + 1 < windows.length ? windows[i + 1].from : windows[i].to);

/** Shades every second window; with `labels` writes its parameters at the top where they fit. */
function shade(u, c, labels) {
  const { top, height } = u.bbox, ratio = devicePixelRatio;
  c.font = `${11 * ratio}px system-ui, sans-serif`;
  c.textAlign = "center";
  c.textBaseline = "top";
  windows.forEach((one, i) => {
    const left = u.valToPos(one.from, "x", true), right = u.valToPos(endOf(i), "x", true);
    if (i % 2) { c.fillStyle = colour("muted", 0.08); c.fillRect(left, top, right - left, height); }
    if (labels && one.label && c.measureText(one.label).width < right - left - 6 * ratio) {
      c.fillStyle = colour("muted");
      c.fillText(one.label, (left + right) / 2, top + 4 * ratio);
    }
  });
}

let equityChart = null;
function drawEquity(log) {
  if (equityChart) { linked.delete(equityChart); equityChart.destroy(); }
  equityChart = chart("equity", xs, {
    log, y: axisCash, range: log ? (min, max) => [min * 0.94, max * 1.12] : (min, max) => { const room = (max - min) * 0.1 || 1; return [min - room, max + room]; },
    columns: [account.equity, ...(has("benchmark") ? [account.benchmark] : [])],
    series: [{ stroke: () => colour("strategy"), width: 2 }, ...(has("benchmark") ? [{ stroke: () => colour("benchmark"), dot: colour("benchmark") }] : [])],
    say: (row) => {
      const i = pick(row, xs), one = windowAt(xs[i]);
      return [date(i), ["Account", cash(account.equity[i])], has("benchmark") && ["Buy and hold", cash(account.benchmark[i])], ["Window", String(one.number)], one.point && ["", one.point]];
    },
    under: (u, c) => shade(u, c, true),
  });
}
drawEquity(false);
chart("drawdown", xs, {
  y: axisPercent, range: (min) => [Math.min(min * 1.08, -0.001), 0],
  columns: [account.drawdown, ...(has("benchmark_drawdown") ? [account.benchmark_drawdown] : [])],
  series: [{ stroke: () => colour("loss"), fill: () => colour("loss", 0.18), fillTo: 0, dot: colour("loss") }, ...(has("benchmark_drawdown") ? [{ stroke: () => colour("benchmark"), width: 1, dot: colour("benchmark") }] : [])],
  say: (row) => { const i = pick(row, xs); return [date(i), ["Drawdown", percent(account.drawdown[i])], has("benchmark_drawdown") && ["Buy and hold", percent(account.benchmark_drawdown[i])]]; },
  under: (u, c) => shade(u, c, false),
});
offerSpans(xs, data.bars, (i0, i1) => {
  const gain = (series) => signed(series[i1] / series[i0] - 1);
  return `account ${gain(account.equity)}` + (has("benchmark") ? `, buy and hold ${gain(account.benchmark)}` : "");
});
scaleSwitch("equity", [account.equity, account.benchmark || []].every((series) => series.every((v) => v === null || v > 0)), drawEquity);

// ---- one value for each window -------------------------------------------------------------------------------------
const middles = windows.map((one, i) => (one.from + endOf(i)) / 2);
const ratio2 = (v) => (known(v) ? grouped[2](v) : "–");
const about = (one) => ["", `Window ${one.number}`];
/** Fills a bar from 0 to `value` between two shares of the window's width. */
function bar(u, c, i, value, from, to, fill) {
  if (!known(value)) return;
  const left = u.valToPos(windows[i].from, "x", true), width = u.valToPos(endOf(i), "x", true) - left;
  const zero = u.valToPos(0, "y", true), y = u.valToPos(value, "y", true);
  c.fillStyle = fill;
  c.fillRect(left + width * from, Math.min(zero, y), Math.max(1, width * (to - from)), Math.max(1, Math.abs(y - zero)));
}
function zeroLine(u, c) {
  const y = u.valToPos(0, "y", true);
  c.strokeStyle = colour("muted"); c.lineWidth = devicePixelRatio;
  c.beginPath(); c.moveTo(u.bbox.left, y); c.lineTo(u.bbox.left + u.bbox.width, y); c.stroke();
}
const hidden = { stroke: "transparent", dot: "transparent" };
chart("inout", middles, {
  y: (v) => grouped[1](v), range: withZero, columns: [windows.map((one) => one.inside), windows.map((one) => one.outside)], series: [hidden, hidden],
  say: (row) => {
    const one = windows[pick(row, middles)];
    return [about(one), ["in sample", ratio2(one.inside)], ["out of sample", ratio2(one.outside)], ["gain", signed(one.gain)], known(one.benchmark) && ["buy and hold", signed(one.benchmark)], one.point && ["", one.point]];
  },
  draw: (u, c) => {
    windows.forEach((one, i) => { bar(u, c, i, one.inside, 0.12, 0.48, colour("candle", 0.75)); bar(u, c, i, one.outside, 0.52, 0.88, colour(one.outside > 0 ? "gain" : "loss")); });
    zeroLine(u, c);
  },
});
const edges = windows.flatMap((one, i) => [one.from, endOf(i) - 1e-6]);
data.axes.forEach((axis, k) => chart("axis-" + k, edges, {
  y: axis.labels ? (v) => (Number.isInteger(v) ? axis.labels[v] || "" : "") : (v, step) => (step < 1 ? String(Number(v.toPrecision(6))) : grouped[0](v)),
  range: () => { const room = (axis.high - axis.low) * 0.08 || 1; return [axis.low - room, axis.high + room]; },
  columns: [axis.values.flatMap((v) => [v, v])], series: [{ stroke: () => colour("strategy"), width: 2 }],
  say: (row) => { const i = pick(row, edges) >> 1, v = axis.values[i]; return [about(windows[i]), ["", axis.labels ? axis.labels[v] : amount(v)]]; },
}));
chart("correlation", middles, {
  y: (v) => grouped[1](v), range: (min) => [Math.min(-0.1, min * 1.1), 1.05], columns: [windows.map((one) => one.correlation)], series: [hidden],
  say: (row) => { const one = windows[pick(row, middles)]; return [about(one), ["with the one before", ratio2(one.correlation)]]; },
  draw: (u, c) => { windows.forEach((one, i) => bar(u, c, i, one.correlation, 0.2, 0.8, colour("strategy", 0.7))); zeroLine(u, c); },
});
