// One row of one head, word by word: what the model looked at when it chose the next token.

import { h, hold, setAttr, setStyle, setText, setToken, svg } from "./dom.js";
import { full, headName, percent, plain, visible } from "./format.js";
import { largest, withoutFirst } from "./pool.js";
import { select, selection } from "./store.js";

const STRONGEST = 8;
const ARC = 72;

export class WordRow {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.caption = h("p.caption");
    this.arcs = svg("svg.arcs", { role: "img", height: ARC + 20, width: "100%" });
    this.words = h("div.flow.words", { tabindex: 0, role: "group" });
    this.list = h("ol.bars");
    this.element = h("div", {}, this.caption, this.arcs, this.words);
    this.words.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const chip = /** @type {HTMLElement} */ (event.target).closest("[data-key]");
      if (chip instanceof HTMLElement) select({ key: Number(chip.dataset.key) });
    });
  }

  /**
   * @param {import("./store.js").Draft} draft @param {any} triangle @param {number} query @param {boolean} sinkless
   * @param {import("./store.js").Step | null} step
   */
  update(draft, triangle, query, sinkless, step) {
    const { t } = this.context;
    const values = {
      head: headName(selection.layer, selection.head),
      query: plain(draft.tokens[query]),
      position: query,
      token: step ? plain(step.token) : "…",
    };
    setText(this.caption, t("row_caption", values));
    setAttr(this.words, "aria-label", t("row_label"));
    const exact = triangle.row(query);
    const row = exact && (sinkless ? withoutFirst(exact) : exact);
    this.#tint(draft, row ?? new Float32Array(query + 1));
    const best = row ? largest(row, STRONGEST) : [];
    this.#bars(draft, row, best);
    this.#arcs(draft, row, best, query);
  }

  /** @param {import("./store.js").Draft} draft @param {Float32Array} row */
  #tint(draft, row) {
    hold(this.words, row.length, () => h("span.tok")).forEach((chip, k) => {
      setToken(chip, visible(draft.tokens[k]));
      chip.dataset.key = String(k);
      setStyle(chip, "--tint", `${Math.round(100 * Math.sqrt(row[k]))}%`);
      chip.title = full(row[k], true);
      chip.classList.toggle("key", selection.key === k);
      chip.classList.toggle("query", k === row.length - 1);
    });
  }

  /** @param {import("./store.js").Draft} draft @param {Float32Array | null} row @param {number[]} best */
  #bars(draft, row, best) {
    hold(this.list, STRONGEST, () => h("li", {}, h("span.name"), h("span.bar"), h("span.num"))).forEach((item, i) => {
      const k = best[i];
      const known = row !== null && k !== undefined && row[k] > 0;
      const [name, bar, number] = item.children;
      setToken(name, known ? visible(draft.tokens[k]) : "");
      setText(number, known ? percent(row[k]) : "");
      setStyle(bar, "--size", known ? `${100 * row[k]}%` : "0%");
      setAttr(item, "title", known ? this.context.t("position_weight", { k, weight: full(row[k], true) }) : null);
    });
  }

  /**
   * Arcs over all positions from the query to what it reads most.
   * @param {import("./store.js").Draft} draft @param {Float32Array | null} row @param {number[]} best
   * @param {number} query
   */
  #arcs(draft, row, best, query) {
    const width = this.arcs.clientWidth || 600;
    const unit = (width - 16) / Math.max(1, query);
    const x = (/** @type {number} */ k) => 8 + k * unit;
    setAttr(this.arcs, "viewBox", `0 0 ${width} ${ARC + 20}`);
    setAttr(this.arcs, "aria-label", this.context.t("arcs_label"));
    const sections = [...draft.prefill.parts, { part: "reply", from: draft.promptLength, to: query + 1 }];
    const parts = sections.filter((part) => part.from <= query);
    const read = row ? best.filter((k) => row[k] > 0) : [];
    this.arcs.replaceChildren(
      svg("line.axis", { x1: 8, x2: width - 8, y1: ARC + 2, y2: ARC + 2 }),
      ...parts.map((part) => svg("line.axis", { x1: x(part.from), x2: x(part.from), y1: ARC - 2, y2: ARC + 6 })),
      ...parts.map((part) => this.#partLabel(part, x)),
      ...read.reverse().map((k) => arc(x(k), x(query), /** @type {Float32Array} */ (row)[k])),
      ...read.map((k) => svg("circle.end", { cx: x(k), cy: ARC + 2, r: 2.5 })),
      svg("circle.query", { cx: x(query), cy: ARC + 2, r: 4 }),
    );
  }

  /** @param {import("./store.js").Part} part @param {(k: number) => number} x */
  #partLabel(part, x) {
    const wide = x(part.to) - x(part.from);
    const text = this.context.t(`part_${part.part}`);
    return svg("text.part", { x: x(part.from) + 3, y: ARC + 16, text: wide > text.length * 7 + 8 ? text : "" });
  }
}

/** @param {number} from @param {number} to @param {number} weight thickness and strength */
function arc(from, to, weight) {
  const top = ARC - 1.33 * Math.min(ARC - 4, 10 + (to - from) * 0.5);
  const look = { "stroke-width": (0.75 + 7 * weight).toFixed(2), opacity: (0.3 + 0.7 * Math.sqrt(weight)).toFixed(2) };
  return svg("path.arc", { d: `M${from} ${ARC}C${from} ${top} ${to} ${top} ${to} ${ARC}`, ...look });
}
