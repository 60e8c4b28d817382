/* What the report draws and how its table sorts. Text reaches the page as textContent only. */
// ---- the account ----------------------------------------------------------------------------------------------------
const account = data.account, xs = running(account.x);
const has = (name) => !!account[name];
spanOf(xs);
const date = (i, at = xs) => ["", moment(timeOf(at[i]))];

let equityChart = null;
function drawEquity(log) {
  if (equityChart) { linked.delete(equityChart); equityChart.destroy(); }
  equityChart = chart("equity", xs, {
    log, y: axisCash, range: log ? (min, max) => [min * 0.97, max * 1.03] : undefined,
    columns: [account.equity, ...(has("benchmark") ? [account.benchmark] : [])],
    series: [{ stroke: () => colour("strategy"), width: 2, fill: log ? undefined : () => colour("strategy", 0.06) }, ...(has("benchmark") ? [{ stroke: () => colour("benchmark"), dot: colour("benchmark") }] : [])],
    say: (row) => { const i = pick(row, xs); return [date(i), ["Equity", cash(account.equity[i])], ["Gain", signed(account.equity[i] / data.capital - 1)], has("benchmark") && ["Buy and hold", cash(account.benchmark[i])]]; },
  });
}
drawEquity(false);
chart("drawdown", xs, {
  y: axisPercent, range: (min) => [Math.min(min * 1.08, -0.001), 0],
  columns: [account.drawdown, ...(has("benchmark_drawdown") ? [account.benchmark_drawdown] : [])],
  series: [{ stroke: () => colour("loss"), fill: () => colour("loss", 0.18), fillTo: 0, dot: colour("loss") }, ...(has("benchmark_drawdown") ? [{ stroke: () => colour("benchmark"), width: 1, dot: colour("benchmark") }] : [])],
  say: (row) => { const i = pick(row, xs); return [date(i), ["Drawdown", percent(account.drawdown[i])], has("benchmark_drawdown") && ["Buy and hold", percent(account.benchmark_drawdown[i])]]; },
});
chart("exposure", xs, {
  y: axisPercent, range: withZero, columns: [account.gross, ...(has("net") ? [account.net] : [])],
  series: [{ stroke: () => colour("strategy"), width: 1, fill: () => colour("strategy", 0.16), fillTo: 0 }, ...(has("net") ? [{ stroke: () => colour("loss"), width: 1.4, dot: colour("loss") }] : [])],
  say: (row) => { const i = pick(row, xs); return [date(i), ["Gross", percent(account.gross[i])], has("net") && ["Net", percent(account.net[i])]]; },
});
if (data.rolling) {
  const at = running(data.rolling.x);
  const rolling = (name, y, text) => chart(name, at, {
    y, range: withZero, columns: [data.rolling[name]], series: [{ stroke: () => colour("strategy"), width: 1.6 }],
    say: (row) => { const i = pick(row, at); return [date(i, at), ["", text(data.rolling[name][i])]]; },
    draw: (u, c) => { const y0 = u.valToPos(0, "y", true); c.strokeStyle = colour("benchmark"); c.setLineDash([4, 4]); c.beginPath(); c.moveTo(u.bbox.left, y0); c.lineTo(u.bbox.left + u.bbox.width, y0); c.stroke(); },
  });
  rolling("sharpe", (v) => grouped[1](v), (v) => (known(v) ? grouped[2](v) : "–"));
  rolling("volatility", axisPercent, percent);
}

offerSpans(xs, data.bars, (i0, i1) => {
  const gain = (series) => signed(series[i1] / series[i0] - 1);
  return `strategy ${gain(account.equity)}` + (has("benchmark") ? `, buy and hold ${gain(account.benchmark)}` : "");
});
scaleSwitch("equity", [account.equity, account.benchmark || []].every((series) => series.every((v) => v === null || v > 0)), drawEquity);

// ---- trades on the price chart ---------------------------------------------------------------------------------------
let priceChart = null, chosen = 0, priceLog = false;
function drawPrices(index) {
  chosen = index;
  const one = data.prices[index], at = running(one.x), { fills, trips } = one;
  if (priceChart) { linked.delete(priceChart); priceChart.destroy(); }
  const dense = (u) => { const i0 = u.valToIdx(u.scales.x.min), i1 = u.valToIdx(u.scales.x.max); return u.bbox.width / devicePixelRatio / Math.max(1, i1 - i0) < 4; };
  const near = (u) => {
    const left = u.cursor.left, found = [];
    if (left < 0) return found;
    for (let i = 0; i < fills.x.length && found.length < 3; i++)
      if (Math.abs(u.valToPos(fills.x[i], "x") - left) < 5) found.push(i);
    return found;
  };
  priceChart = chart("price", at, {
    log: priceLog, range: priceLog ? (min, max) => [min * 0.97, max * 1.03] : undefined,
    y: (v, step) => grouped[step < 0.01 ? 4 : digitsOf(step)](v),
    columns: [one.close, one.high, one.low],
    series: [{ stroke: (u) => (dense(u) ? colour("candle") : "transparent"), width: 1.4, dot: colour("muted") }, { stroke: "transparent", points: { show: false }, dot: "transparent" }, { stroke: "transparent", dot: "transparent" }],
    bands: [{ series: [2, 3], fill: (u) => (dense(u) ? colour("candle", 0.22) : "transparent") }],
    say: (row) => {
      const i = pick(row, at), hits = row === null || !priceChart ? [] : near(priceChart);
      return [date(i, at), ["O", price(one.open[i])], ["H", price(one.high[i])], ["L", price(one.low[i])], ["C", price(one.close[i])],
        ...hits.map((k) => [fills.side[k] > 0 ? "▲ bought" : "▼ sold", `${amount(fills.quantity[k])} at ${price(fills.price[k])}${fills.reason[k] ? ", " + fills.reason[k] : ""}`])];
    },
    draw: (u, c) => { if (!dense(u)) candles(u, c, at, one); trades(u, c, trips, fills); },
  });
  $("price-note").textContent = (fills.x.length < one.fill_count ? `${one.symbol}: the last ${grouped[0](fills.x.length)} of ${grouped[0](one.fill_count)} fills are marked. ` : "") + (one.fill_count ? "" : `${one.symbol} was not traded.`);
}
function candles(u, c, at, one) {
  const i0 = u.valToIdx(u.scales.x.min), i1 = u.valToIdx(u.scales.x.max), body = Math.max(2, Math.min(14 * devicePixelRatio, (u.bbox.width / Math.max(1, i1 - i0)) * 0.62));
  c.lineWidth = devicePixelRatio;
  c.strokeStyle = c.fillStyle = colour("candle");
  for (let i = i0; i <= i1; i++) {
    if (one.close[i] === null) continue;
    const x = Math.round(u.valToPos(at[i], "x", true)), [o, h, l, k] = [one.open, one.high, one.low, one.close].map((column) => u.valToPos(column[i], "y", true));
    const top = Math.min(o, k), tall = Math.max(1, Math.abs(o - k));
    c.beginPath(); c.moveTo(x, h); c.lineTo(x, top); c.moveTo(x, top + tall); c.lineTo(x, l); c.stroke();
    if (k <= o) c.strokeRect(x - body / 2, top, body, tall); else c.fillRect(x - body / 2, top, body, tall);
  }
}
function trades(u, c, trips, fills) {
  const { min, max } = u.scales.x, ratio = devicePixelRatio, at = (x, y) => [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
  c.lineWidth = 2 * ratio;
  c.lineCap = "round";
  trips.x0.forEach((x0, i) => {
    if (trips.x1[i] < min || x0 > max) return;
    c.strokeStyle = colour(trips.pnl[i] > 0 ? "gain" : "loss", 0.75);
    c.beginPath(); c.moveTo(...at(x0, trips.y0[i])); c.lineTo(...at(trips.x1[i], trips.y1[i])); c.stroke();
  });
  const seen = fills.x.reduce((all, x, i) => (x >= min && x <= max && all.push(i), all), []), size = (seen.length > 250 ? 3.5 : seen.length > 100 ? 4.5 : 6) * ratio;
  for (const i of seen) {
    const [x, y] = at(fills.x[i], fills.price[i]), way = fills.side[i];
    c.fillStyle = colour(way > 0 ? "gain" : "loss");
    c.strokeStyle = colour("card");
    c.lineWidth = ratio;
    c.beginPath(); c.moveTo(x, y); c.lineTo(x - size, y + way * size * 1.7); c.lineTo(x + size, y + way * size * 1.7); c.closePath(); c.fill(); c.stroke();
  }
}
if (data.prices.length) {
  drawPrices(0);
  $("symbol").addEventListener("change", (event) => drawPrices(Number(event.target.value)));
  scaleSwitch("price", true, (log) => { priceLog = log; drawPrices(chosen); });
}

// ---- histograms ---------------------------------------------------------------------------------------------------
function drawHistogram(name, found, tones) {
  if (!found) return;
  const { edges, counts, benchmark } = found, all = benchmark ? counts.concat(benchmark) : counts;
  const step = edges[1] - edges[0], digits = step < 0.001 ? 2 : 1, total = counts.reduce((a, b) => a + b, 0) + found.below + found.above;
  chart(name, counts.map((_, i) => (edges[i] + edges[i + 1]) / 2), {
    time: false, columns: [counts], series: [{ stroke: "transparent", dot: "transparent" }],
    xRange: () => [edges[0], edges[edges.length - 1]], range: () => [0, Math.max(...all) * 1.06 || 1], y: (v) => (Number.isInteger(v) ? grouped[0](v) : ""),
    say: (row) => (row === null ? [["", `${grouped[0](total)} returns`], found.below + found.above > 0 && ["beyond the edges", `${found.below} below, ${found.above} above`]]
      : [["", `${percent(edges[row], digits)} to ${percent(edges[row + 1], digits)}`], [tones ? "round trips" : "bars", grouped[0](counts[row])], benchmark && ["buy and hold", grouped[0](benchmark[row])]]),
    draw: (u, c) => {
      const px = (x) => u.valToPos(x, "x", true), py = (y) => u.valToPos(y, "y", true);
      counts.forEach((count, i) => {
        c.fillStyle = tones ? colour(edges[i] + step / 2 > 0 ? "gain" : "loss", 0.85) : colour("strategy", 0.75);
        c.fillRect(px(edges[i]) + 0.5, py(count), Math.max(1, px(edges[i + 1]) - px(edges[i]) - 1), py(0) - py(count));
      });
      if (benchmark) {
        c.strokeStyle = colour("benchmark"); c.lineWidth = 1.5 * devicePixelRatio; c.beginPath(); c.moveTo(px(edges[0]), py(0));
        benchmark.forEach((count, i) => { c.lineTo(px(edges[i]), py(count)); c.lineTo(px(edges[i + 1]), py(count)); });
        c.lineTo(px(edges[edges.length - 1]), py(0)); c.stroke();
      }
      c.strokeStyle = colour("muted"); c.lineWidth = devicePixelRatio; c.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
      c.beginPath(); c.moveTo(px(0), py(0)); c.lineTo(px(0), u.bbox.top); c.stroke();
    },
  });
}
drawHistogram("bars", data.bar_returns, false);
drawHistogram("trips", data.trip_returns, true);

// ---- the trade table -------------------------------------------------------------------------------------------------
if (data.trades) {
  const columns = data.trades, size = data.page, count = columns.symbol.length, table = $("trade-table"), body = table.tBodies[0];
  const heads = [...table.querySelectorAll("[data-sort]")], state = { key: "exit_time", down: true, page: 0, find: "" };
  const write = { quantity: amount, entry_price: price, exit_price: price, bars: grouped[0], pnl: cash, costs: cash, return_: (v) => signed(v, 2), mae: (v) => percent(v), mfe: (v) => percent(v), entry_time: moment, exit_time: moment };
  const charted = new Map(data.prices.map((one, i) => [one.symbol, i]));
  const order = (a, b) => {
    const [p, q] = [columns[state.key][a], columns[state.key][b]];
    if (p === null || q === null) return (p === null) - (q === null) || a - b;
    return (p < q ? -1 : p > q ? 1 : 0) * (state.down ? -1 : 1) || a - b;
  };
  const fill = () => {
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = Array.from({ length: count }, (_, i) => i)
      .filter((i) => words.every((word) => `${columns.symbol[i]} ${columns.side[i]} ${columns.exit_reason[i]}`.toLowerCase().includes(word))).sort(order);
    const pages = Math.max(1, Math.ceil(rows.length / size));
    state.page = Math.min(state.page, pages - 1);
    const shown = rows.slice(state.page * size, (state.page + 1) * size);
    body.replaceChildren(...shown.map((i) => {
      const tr = document.createElement("tr");
      for (const head of heads) {
        const key = head.dataset.sort, td = document.createElement("td"), value = columns[key][i];
        td.textContent = write[key] ? write[key](value) : value;
        td.className = (head.parentElement.classList.contains("n") ? "n " : "") + (key === "pnl" || key === "return_" ? (value > 0 ? "gain" : value < 0 ? "loss" : "") : "");
        tr.append(td);
      }
      const td = document.createElement("td"), button = document.createElement("button");
      td.className = "act";
      button.type = "button"; button.className = "link"; button.textContent = "show";
      button.setAttribute("aria-label", `Show the ${columns.side[i]} trade of ${columns.symbol[i]} on the chart`);
      button.addEventListener("click", () => {
        const here = charted.get(columns.symbol[i]);
        if (here !== undefined && chosen !== here) { $("symbol").value = String(here); drawPrices(here); }
        reveal(columns.entry_time_x[i], columns.exit_time_x[i], here === undefined ? "equity" : "prices");
      });
      td.append(button);
      tr.append(td);
      return tr;
    }));
    heads.forEach((head) => head.parentElement[head.dataset.sort === state.key ? "setAttribute" : "removeAttribute"]("aria-sort", state.down ? "descending" : "ascending"));
    $("page-note").textContent = rows.length ? `${grouped[0](state.page * size + 1)} to ${grouped[0](state.page * size + shown.length)} of ${grouped[0](rows.length)}` : "nothing found";
    $("page-back").disabled = state.page === 0;
    $("page-next").disabled = state.page >= pages - 1;
  };
  heads.forEach((head) => head.addEventListener("click", () => {
    const key = head.dataset.sort;
    state.down = state.key === key ? !state.down : !["symbol", "side", "exit_reason"].includes(key);
    state.key = key; state.page = 0; fill();
  }));
  $("page-back").addEventListener("click", () => { state.page--; fill(); });
  $("page-next").addEventListener("click", () => { state.page++; fill(); });
  $("trade-find").addEventListener("input", (event) => { state.find = event.target.value; state.page = 0; fill(); });
  fill();
}
