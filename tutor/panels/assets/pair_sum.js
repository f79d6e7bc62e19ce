// The attention sum itself: q · k component by component, scaled, masked, exponentiated, normalised.

import { h, setAttr, setText } from "./dom.js";
import { Derived } from "./derived.js";
import { full, plain, sig } from "./format.js";
import { SignedBars } from "./signed_bars.js";
import { selection } from "./store.js";

const STAGES = ["dot", "scale", "mask", "exp", "norm", "check"];

export class PairSum {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.caption = h("p.caption");
    this.bars = new SignedBars(context, "attn", 72);
    this.axis = h("p.quiet");
    this.stages = h("ol.stages", {}, ...STAGES.map(stageRow));
    const picture = h("div.plotbox", {}, this.bars.element);
    this.figure = new Derived(context, "pair", this.caption, picture, this.axis, this.stages);
    this.element = this.figure.element;
  }

  /** @param {import("./store.js").Draft} draft @param {number} query */
  update(draft, query) {
    const { layer, head, key } = selection;
    const asked = key === null || key > query ? "" : `&key=${key}`;
    const path = `pair?position=${query}&layer=${layer}&head=${head}${asked}`;
    const data = this.figure.load(path, head < 0 ? "pair_needs_head" : null);
    if (!data) return;
    const { t } = this.context;
    setText(this.caption, t("pair_caption", names(draft, data)));
    const name = (/** @type {number} */ i) =>
      t("pair_product", { i, q: full(data.q[i]), k: full(data.k[i]), product: full(data.products[i]) });
    this.bars.update(data.products, t("pair_bars", { n: data.products.length }), name);
    setText(this.axis, t("pair_axis", { n: data.products.length }));
    this.#stages(data);
  }

  /** @param {any} data */
  #stages(data) {
    const { t } = this.context;
    const divisor = [data.by_root && `√${data.d_head}`, data.by_layer && String(data.layer + 1)].filter(Boolean);
    const shown = (/** @type {number} */ value) => sig(value, 4);
    const dot = shown(data.dot);
    const [score, top, exp, total] = [data.score, data.top, data.exp, data.total].map(shown);
    const known = data.recorded !== null;
    /** @type {[string, number | null][]} */
    const rows = [
      [t("pair_dot", { n: data.q.length }), data.dot],
      [divisor.length ? `${dot} ÷ ${divisor.join(" ÷ ")}` : t("pair_unscaled"), data.score],
      [t(data.masked ? "pair_masked" : "pair_visible", { n: data.visible }), data.masked ? null : data.score],
      [data.masked ? "exp(−∞)" : `exp(${score} − ${top.startsWith("−") ? `(${top})` : top})`, data.exp],
      [`${exp} ÷ ${total}`, data.weight],
      [known ? t("pair_difference", { gap: sig(data.difference) }) : t("pair_unrecorded"), data.recorded],
    ];
    Array.from(this.stages.children).forEach((row, i) => {
      const [name, formula, value] = row.children;
      const [how, exact] = rows[i];
      setText(name, t(`pair_stage_${STAGES[i]}`));
      setText(formula, how);
      setText(value, exact === null ? (i === 2 ? "−∞" : "–") : sig(exact, 5));
      setAttr(value, "title", exact === null ? null : full(exact));
      setAttr(formula, "title", i === 5 && known ? full(data.difference) : null);
    });
  }

  exports() {
    return this.figure.exports(pairTable);
  }
}

/** @param {string} name */
function stageRow(name) {
  return h(`li.${name}`, {}, h("b"), h("span.formula"), h("span.num"));
}

/** @param {import("./store.js").Draft} draft @param {any} data */
function names(draft, data) {
  const { layer, head, query, key } = data;
  const text = (/** @type {number} */ p) => plain(draft.tokens[p]);
  return { head: `L${layer} H${head}`, q: query, query: text(query), k: key, key: text(key) };
}

/** @param {any} data @returns {import("./export.js").Table} */
function pairTable(data) {
  const place = [data.layer, data.head, data.query, data.key];
  const stages = ["dot", "scale", "score", "top", "exp", "total", "weight", "recorded", "difference"];
  const parts = data.products.map((/** @type {number} */ product, /** @type {number} */ i) => [
    ...place,
    "product",
    i,
    data.q[i],
    data.k[i],
    product,
  ]);
  const ends = stages.map((name) => [...place, name, null, null, null, data[name]]);
  return {
    columns: ["layer", "head", "query_position", "key_position", "stage", "component", "q", "k", "value"],
    rows: [...parts, ...ends],
  };
}
