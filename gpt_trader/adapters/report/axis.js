/* Numbers, times, colours and the shared time axis of the report. The scripts of a page run as one function, in order. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const phone = matchMedia("(max-width: 640px)");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const DAY = 86400;

// ---- numbers, times, colours -------------------------------------------------------------------------------------
const grouped = [0, 1, 2, 4].reduce((all, digits) => {
  const format = new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return { ...all, [digits]: (v) => format.format(v).replace("-", "−").replace(/^−(?=[0.,]*$)/, "") };
}, {});
const known = (v) => v !== null && v !== undefined && Number.isFinite(v);
const cash = (v) => (known(v) ? grouped[Math.abs(v) >= 1000 ? 0 : 2](v) : "–");
const price = (v) => (known(v) ? grouped[Math.abs(v) < 10 ? 4 : 2](v) : "–");
const amount = (v) => (known(v) ? (Number.isInteger(v) ? grouped[0](v) : String(v).replace("-", "−")) : "–");
const percent = (v, digits = 1) => (known(v) ? grouped[digits](v * 100) + "\u202f%" : "–");
const signed = (v, digits = 1) => (v > 0 ? "+" : "") + percent(v, digits);
const two = (n) => String(n).padStart(2, "0");
const running = (steps) => { let sum = 0; return steps.map((step) => (sum += step)); };
const day = (t) => { const d = new Date(t * 1000); return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`; };
const moment = (t) => { const d = new Date(t * 1000); return data.intraday ? `${day(t)} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}` : day(t); };

const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);
let colours = {};
const colour = (name, alpha = 1) => {
  if (!colours[name]) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(" ");
  }
  return `rgb(${colours[name]} / ${alpha})`;
};

// ---- the shared time axis: x is a day number, or a bar number for intraday bars --------------------------------------
const clock = data.clock && { x: running(data.clock.x), t: running(data.clock.t) };
const between = (from, to, v) => {
  let low = 0, high = from.length - 1;
  if (high < 1 || v <= from[0]) return to[0];
  if (v >= from[high]) return to[high];
  while (high - low > 1) { const mid = (low + high) >> 1; if (from[mid] <= v) low = mid; else high = mid; }
  return to[low] + ((v - from[low]) / (from[high] - from[low])) * (to[high] - to[low]);
};
const timeOf = (x) => (clock ? between(clock.x, clock.t, x) : x * DAY);
const placeOf = (t) => (clock ? between(clock.t, clock.x, t) : t / DAY);

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 240, 360].map((n) => ["minute", n, n * 60]).concat(
  [1, 2, 7].map((n) => ["day", n, n * DAY]), [1, 2, 3, 6].map((n) => ["month", n, n * 30.4 * DAY]),
  [1, 2, 5, 10, 20, 50].map((n) => ["year", n, n * 365.25 * DAY]));

/** Times of a step inside [from, to] with the rank of the boundary they stand on: 3 year, 2 month, 1 day, 0 minute. */
function boundaries(from, to, [unit, n]) {
  const out = [], start = new Date(from * 1000);
  const push = (ms) => {
    const t = ms / 1000, d = new Date(ms);
    if (t < from || t > to) return;
    const midnight = ms % (DAY * 1000) === 0, first = midnight && d.getUTCDate() === 1;
    const rank = first ? (d.getUTCMonth() === 0 ? 3 : 2) : midnight ? 1 : 0;
    const text = [`${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`, `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`, MONTHS[d.getUTCMonth()], String(d.getUTCFullYear())][rank];
    out.push({ t, rank, text });
  };
  const year = start.getUTCFullYear();
  if (unit === "year") for (let y = Math.floor(year / n) * n; Date.UTC(y) <= to * 1000; y += n) push(Date.UTC(y));
  if (unit === "month") for (let m = 0; Date.UTC(year, m) <= to * 1000; m += n) push(Date.UTC(year, m));
  if (unit === "day") for (let ms = Math.floor(from / DAY) * DAY * 1000; ms <= to * 1000; ms += DAY * 1000) {
    const date = new Date(ms).getUTCDate();
    if (n === 1 || (n === 2 && date % 2 && date < 31) || (n === 7 && date % 7 === 1 && date < 29)) push(ms);
  }
  if (unit === "minute") for (let ms = Math.floor(from / (n * 60)) * n * 60000; ms <= to * 1000; ms += n * 60000) push(ms);
  return out;
}

/** Ticks of the time axis: the finest step whose labels mostly fit, coarser boundaries first when two collide. */
function ticks(u, min, max) {
  const from = timeOf(min), to = timeOf(max), width = u.bbox.width / devicePixelRatio;
  let best = [];
  for (const step of STEPS) {
    if ((to - from) / step[2] > 400) continue;
    const seen = new Map(), room = { year: 42, month: 46, day: 58, minute: 54 }[step[0]];
    for (const tick of boundaries(from, to, step)) {
      const px = Math.round(((placeOf(tick.t) - min) / (max - min)) * width);
      if (!seen.has(px) || seen.get(px).rank < tick.rank) seen.set(px, { ...tick, px, x: placeOf(tick.t) });
    }
    const kept = [];
    for (const tick of [...seen.values()].sort((a, b) => b.rank - a.rank || a.px - b.px))
      if (kept.every((other) => Math.abs(other.px - tick.px) >= room)) kept.push(tick);
    best = kept.sort((a, b) => a.px - b.px);
    if (kept.length >= 0.7 * seen.size) break;
  }
  if (best.length && !best.some((tick) => tick.rank === 3)) {
    const d = new Date(best[0].t * 1000), date = `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`;
    best[0].text = best[0].rank ? `${best[0].text} ${d.getUTCFullYear()}` : phone.matches ? date : `${date} ${best[0].text}`;
  }
  u.ticks = new Map(best.map((tick) => [tick.x, tick.text]));
  return best.map((tick) => tick.x);
}

/** Round values between min and max, by 1, 2 or 5 x 10^k; by 1, 2, 5 of each decade when a log axis spans several. */
function rounds(min, max, count, log) {
  const out = [];
  if (log && max / min > 8) {
    for (let decade = 10 ** Math.floor(Math.log10(min)); decade <= max; decade *= 10)
      for (const n of max / min > 1000 ? [1] : [1, 2, 5]) if (n * decade >= min && n * decade <= max) out.push(n * decade);
    return out;
  }
  const rough = (max - min) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((n) => n * power >= rough) * power;
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) out.push(i * step);
  return out;
}
