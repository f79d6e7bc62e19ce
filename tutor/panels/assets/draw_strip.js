// The line from 0 to 1 with the candidates laid end to end on it, and where the random number fell.

import { setAttr, svg } from "./dom.js";
import { full, plain } from "./format.js";

const HEIGHT = 76;

export class DrawStrip {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.element = svg("svg.draw", { role: "img", width: "100%", height: HEIGHT });
  }

  /**
   * @param {import("./draw_line.js").Line} laid @param {number} drawn id of the drawn token
   * @param {number | null} draw the random number @param {string} label what it says, in a sentence
   */
  update(laid, drawn, draw, label) {
    const width = this.element.clientWidth || 600;
    const x = (/** @type {number} */ p) => 1 + p * (width - 2);
    const nodes = [];
    if (laid.end < 0.9999) {
      const title = svg("title", { text: this.context.t("line_rest") });
      nodes.push(svg("rect.rest", { x: x(laid.end), y: 22, width: x(1) - x(laid.end), height: 28 }, title));
    }
    laid.pieces.forEach(({ item, from, to }, i) => {
      const wide = x(to) - x(from);
      const kind = item.id === drawn ? ".drawn" : i % 2 ? ".odd" : "";
      const title = svg("title", { text: `${item.text} ${full(item.prob)}` });
      nodes.push(svg(`rect.piece${kind}`, { x: x(from), y: 22, width: Math.max(0.5, wide), height: 28 }, title));
      const text = plain(item);
      if (wide > 12 + text.length * 13)
        nodes.push(svg(`text.label${kind}`, { x: x(from) + wide / 2, y: 41, "text-anchor": "middle", text }));
    });
    for (const p of [0, 0.25, 0.5, 0.75, 1]) {
      const anchor = p === 0 ? "start" : p === 1 ? "end" : "middle";
      nodes.push(svg("text.tickmark", { x: x(p), y: 68, "text-anchor": anchor, text: String(p) }));
    }
    if (draw !== null) nodes.push(svg("path.needle", { d: `M${x(draw)} 54V20l-5 -8h10l-5 8` }));
    setAttr(this.element, "viewBox", `0 0 ${width} ${HEIGHT}`);
    setAttr(this.element, "aria-label", label);
    this.element.replaceChildren(...nodes);
  }
}
