// How the components of one position are spread before a LayerNorm: one picture, two axes. Normalising
// shifts and stretches the axis; the shape stays.

import { h, setAttr, setText, svg } from "./dom.js";
import { full, sig } from "./format.js";

/** @typedef {{low: number, high: number, mean: number, std: number, counts: number[]}} Spread */

const HEIGHT = 132;
const FLOOR = 92;

export class SpreadPlot {
  /** @param {import("./instruments.js").Context} context @param {string} name of the LayerNorm, e.g. "ln_1" */
  constructor(context, name) {
    this.context = context;
    this.name = name;
    this.caption = h("p.caption");
    this.svg = svg("svg.spread", { role: "img", width: "100%", height: HEIGHT });
    this.element = h("div", {}, this.caption, this.svg);
  }

  /** @param {number} layer @param {Spread | null} spread null while it is on its way */
  update(layer, spread) {
    const { t } = this.context;
    setText(this.caption, t("spread_caption", { layer, name: this.name }));
    if (!spread) return this.svg.replaceChildren();
    const width = this.svg.clientWidth || 320;
    setAttr(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    const label = t("spread_label", { mean: full(spread.mean), std: full(spread.std) });
    setAttr(this.svg, "aria-label", label);
    const x = (/** @type {number} */ value) => 8 + ((value - spread.low) / (spread.high - spread.low)) * (width - 16);
    const { mean, std } = spread;
    this.svg.replaceChildren(
      svg("title", { text: label }),
      ...bars(spread, x),
      ...axis(x, FLOOR, "", ticks(spread.low, spread.high), (value) => value),
      ...axis(
        x,
        FLOOR + 22,
        ".after",
        ticks((spread.low - mean) / std, (spread.high - mean) / std),
        (z) => mean + z * std,
      ),
      svg("line.mean", { x1: x(mean), x2: x(mean), y1: 4, y2: FLOOR + 22 }),
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

/**
 * @param {(value: number) => number} x @param {number} y @param {string} kind @param {number[]} marks
 * @param {(mark: number) => number} place where a mark of this axis lies on the raw axis
 */
function axis(x, y, kind, marks, place) {
  return marks.flatMap((mark) => [
    svg(`line.tickline${kind}`, { x1: x(place(mark)), x2: x(place(mark)), y1: y, y2: y + 4 }),
    svg(`text.ticktext${kind}`, {
      x: x(place(mark)),
      y: y + 15,
      "text-anchor": "middle",
      text: String(mark).replace("-", "−"),
    }),
  ]);
}

/**
 * About five round numbers between two ends.
 * @param {number} low @param {number} high @returns {number[]}
 */
export function ticks(low, high) {
  const rough = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough) ?? rough;
  const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) =>
    Number(((Math.ceil(low / step) + i) * step).toPrecision(6)),
  );
}
