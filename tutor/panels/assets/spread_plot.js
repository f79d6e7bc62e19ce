// How the components of one vector are spread: a histogram with its own axis, mean and deviation.

import { h, setAttr, setText, svg } from "./dom.js";
import { full, sig } from "./format.js";

/** @typedef {{low: number, high: number, mean: number, std: number, counts: number[]}} Spread */

const HEIGHT = 116;
const FLOOR = 94;

export class SpreadPlot {
  /** @param {import("./instruments.js").Context} context @param {string} kind "resid" for the stream, "weight" for what was learnt */
  constructor(context, kind) {
    this.context = context;
    this.title = h("b");
    this.numbers = h("span.quiet");
    this.svg = svg(`svg.spread.${kind}`, { role: "img", width: "100%", height: HEIGHT });
    this.element = h("div.spreadbox", {}, h("p.caption", {}, this.title, " ", this.numbers), this.svg);
  }

  /** @param {string} title @param {Spread} spread */
  update(title, spread) {
    const { t } = this.context;
    setText(this.title, title);
    const mean = Math.abs(spread.mean) < 1e-9 * spread.std ? 0 : spread.mean; // what rounding leaves of 0
    setText(this.numbers, t("spread_short", { mean: sig(mean), std: sig(spread.std) }));
    const label = t("spread_label", { mean: full(spread.mean), std: full(spread.std) });
    setAttr(this.numbers, "title", label);
    const width = this.svg.clientWidth || 320;
    if (this.drawn === spread && this.width === width) return;
    [this.drawn, this.width] = [spread, width];
    setAttr(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    setAttr(this.svg, "aria-label", `${title}: ${label}`);
    const x = (/** @type {number} */ value) => 12 + ((value - spread.low) / (spread.high - spread.low)) * (width - 24);
    this.svg.replaceChildren(
      ...bars(spread, x),
      svg("line.floor", { x1: 8, x2: width - 8, y1: FLOOR, y2: FLOOR }),
      ...axis(x, ticks(spread.low, spread.high, width < 240 ? 3 : 5)),
      svg("line.mean", { x1: x(spread.mean), x2: x(spread.mean), y1: 4, y2: FLOOR }),
    );
  }
}

/** @param {Spread} spread @param {(value: number) => number} x */
function bars({ low, high, counts }, x) {
  const most = Math.max(...counts);
  const bin = (high - low) / counts.length;
  return counts.map((count, i) => {
    const tall = (count / most) * (FLOOR - 8);
    const [from, to] = [x(low + i * bin), x(low + (i + 1) * bin)];
    const title = svg("title", { text: `${sig(low + i * bin)} … ${sig(low + (i + 1) * bin)}: ${count}` });
    return svg(
      "rect.bin",
      { x: from + 0.5, y: FLOOR - tall, width: Math.max(0.5, to - from - 1), height: tall },
      title,
    );
  });
}

/** @param {(value: number) => number} x @param {number[]} marks */
function axis(x, marks) {
  return marks.flatMap((mark) => [
    svg("line.tickline", { x1: x(mark), x2: x(mark), y1: FLOOR, y2: FLOOR + 4 }),
    svg("text.ticktext", { x: x(mark), y: FLOOR + 16, "text-anchor": "middle", text: String(mark).replace("-", "−") }),
  ]);
}

/**
 * About `wanted` round numbers between two ends.
 * @param {number} low @param {number} high @param {number} [wanted] @returns {number[]}
 */
export function ticks(low, high, wanted = 5) {
  const rough = (high - low) / wanted;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough) ?? rough;
  const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) =>
    Number(((Math.ceil(low / step) + i) * step).toPrecision(6)),
  );
}
