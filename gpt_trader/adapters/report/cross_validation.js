/* The paths of a cross-validation as a fan, their Sharpe ratios, and every split in and out of sample. */
const fan = data.fan, xs = running(fan.x);
spanOf(xs);
const ratio2 = (v) => (known(v) ? grouped[2](v) : "–");

/** Shades every second fold. */
function shade(u, c) {
  fan.folds.forEach((from, i) => {
    if (i % 2 === 0) return;
    const left = u.valToPos(from, "x", true), right = u.valToPos(i + 1 < fan.folds.length ? fan.folds[i + 1] : fan.end, "x", true);
    c.fillStyle = colour("muted", 0.08);
    c.fillRect(left, u.bbox.top, right - left, u.bbox.height);
  });
}
let fanChart = null;
function drawFan(log) {
  if (fanChart) { linked.delete(fanChart); fanChart.destroy(); }
  const half = fan.paths.length / 2;
  fanChart = chart("fan", xs, {
    log, y: (v, step) => grouped[digitsOf(step)](v), range: log ? (min, max) => [min * 0.96, max * 1.04] : undefined,
    columns: [...fan.paths, fan.median],
    series: [...fan.paths.map((_, i) => ({ stroke: () => colour(i < half ? "loss" : "gain", 0.45), width: 1, dot: "transparent" })), { stroke: () => colour("strategy"), width: 2.4 }],
    say: (row) => {
      const i = pick(row, xs), all = fan.paths.map((path) => path[i]);
      return [["", moment(timeOf(xs[i]))], ["Median", ratio2(fan.median[i])], ["lowest", ratio2(Math.min(...all))], ["highest", ratio2(Math.max(...all))]];
    },
    under: shade,
  });
}
drawFan(false);
offerSpans(xs, data.bars, (i0, i1) => `median path ${signed(fan.median[i1] / fan.median[i0] - 1)}`);
scaleSwitch("fan", fan.paths.every((path) => path.every((v) => v === null || v > 0)), drawFan);

// ---- charts without a time axis ------------------------------------------------------------------------------------
const hidden = { stroke: "transparent", dot: "transparent" };
const bars = data.sharpe.map((_, i) => i);
chart("sharpe", bars, {
  time: false, xText: () => "", xRange: () => [-0.6, bars.length - 0.4], y: (v) => grouped[1](v), range: withZero, columns: [data.sharpe], series: [hidden],
  say: (row) => (row === null ? [["", `${grouped[0](bars.length)} paths`]] : [["", `${row + 1}.`], ["Sharpe", ratio2(data.sharpe[row])]]),
  draw: (u, c) => {
    const zero = u.valToPos(0, "y", true);
    data.sharpe.forEach((v, i) => {
      const left = u.valToPos(i - 0.38, "x", true), right = u.valToPos(i + 0.38, "x", true), y = u.valToPos(v, "y", true);
      c.fillStyle = colour(v > 0 ? "gain" : "loss", 0.85);
      c.fillRect(left, Math.min(zero, y), Math.max(1, right - left), Math.max(1, Math.abs(y - zero)));
    });
    c.strokeStyle = colour("muted"); c.lineWidth = devicePixelRatio;
    c.beginPath(); c.moveTo(u.bbox.left, zero); c.lineTo(u.bbox.left + u.bbox.width, zero); c.stroke();
  },
});
const { splits } = data, order = splits.inside.map((_, i) => i).sort((a, b) => splits.inside[a] - splits.inside[b]);
const inside = order.map((i) => splits.inside[i]), outside = order.map((i) => splits.outside[i]);
const reach = [Math.min(0, ...inside), Math.max(0, ...inside)], room = (reach[1] - reach[0]) * 0.05 || 1;
chart("splits", inside, {
  time: false, xText: (v, step) => grouped[digitsOf(step)](v), xRange: () => [reach[0] - room, reach[1] + room], y: (v) => grouped[1](v), range: withZero, columns: [outside], series: [hidden],
  say: (row) => (row === null ? [["", `${grouped[0](order.length)} splits`]] : [["folds", splits.folds[order[row]]], ["in sample", ratio2(inside[row])], ["out of sample", ratio2(outside[row])], splits.points[order[row]] && ["", splits.points[order[row]]]]),
  draw: (u, c) => {
    const at = (x, y) => [u.valToPos(x, "x", true), u.valToPos(y, "y", true)], ratio = devicePixelRatio;
    c.strokeStyle = colour("muted"); c.lineWidth = ratio;
    c.beginPath(); c.moveTo(...at(reach[0] - room, 0)); c.lineTo(...at(reach[1] + room, 0)); c.stroke();
    c.setLineDash([4 * ratio, 4 * ratio]);
    c.beginPath(); c.moveTo(...at(reach[0] - room, reach[0] - room)); c.lineTo(...at(reach[1] + room, reach[1] + room)); c.stroke();
    inside.forEach((x, i) => {
      if (!known(x) || !known(outside[i])) return;
      c.fillStyle = colour(outside[i] > 0 ? "gain" : "loss", i === u.cursor.idx ? 1 : 0.6);
      c.beginPath(); c.arc(...at(x, outside[i]), 4.5 * ratio, 0, 2 * Math.PI); c.fill();
    });
  },
});
