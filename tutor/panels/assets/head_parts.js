// What each head of the layer adds to the stream: its mixed values through its own rows of W_O.

import { h, hold, setAttr, setStyle, setText } from "./dom.js";
import { Derived } from "./derived.js";
import { full, plain, sig } from "./format.js";
import { select, selection } from "./store.js";

const TOLERANCE = 1e-4;

export class HeadParts {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.caption = h("p.caption");
    this.rows = h("div.rows.headparts");
    this.sum = h("p.caption.sum");
    this.figure = new Derived(context, "head_parts", this.caption, this.rows, this.sum);
    this.element = this.figure.element;
    this.rows.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const row = /** @type {HTMLElement} */ (event.target).closest("[data-head]");
      if (row instanceof HTMLElement) select({ head: Number(row.dataset.head) });
    });
  }

  /** @param {import("./store.js").Draft} draft @param {number} query */
  update(draft, query) {
    const data = this.figure.load(`heads?position=${query}&layer=${selection.layer}`);
    if (!data) return;
    const { t } = this.context;
    const token = plain(draft.tokens[data.position]);
    setText(this.caption, t("heads_caption", { layer: data.layer, position: data.position, token }));
    const heads = data.norms.length;
    const top = Math.max(...data.norms, data.bias_norm);
    const items = hold(this.rows, heads + 2, (i) => (i === 0 ? headline() : partRow(i - 1, heads)));
    for (const [i, key] of [
      [1, "heads_length"],
      [3, "heads_share"],
    ])
      setText(items[0].children[i], t(/** @type {string} */ (key)));
    items.slice(1).forEach((row, i) => {
      const bias = i === heads;
      row.classList.toggle("chosen", i === selection.head);
      setText(row.children[0], bias ? t("heads_bias") : `H${i}`);
      if (!bias) setAttr(row.children[0], "aria-label", t("head_n", { n: i }));
      const [length, share] = bias ? [data.bias_norm, data.bias_share] : [data.norms[i], data.shares[i]];
      setStyle(row.children[1], "--size", `${(100 * length) / top}%`);
      put(row.children[2], sig(length), length);
      put(row.children[3], `${sig(100 * share)}%`, share);
    });
    const key = data.gap < TOLERANCE ? "heads_hold" : "heads_fail";
    setText(this.sum, t(key, { gap: sig(data.gap), length: sig(data.out_norm) }));
    setAttr(this.sum, "title", full(data.gap));
  }

  exports() {
    return this.figure.exports(headTable);
  }
}

/** @param {any} node @param {string} text @param {number} exact */
function put(node, text, exact) {
  setText(node, text);
  setAttr(node, "title", full(exact));
}

function headline() {
  return h("div.row.headline", {}, h("span"), h("span"), h("span"), h("span.num"));
}

/** @param {number} index @param {number} heads */
function partRow(index, heads) {
  const bias = index === heads;
  const name = bias ? h("span.name") : h("button.name", { type: "button" });
  return h("div.row", { "data-head": bias ? null : index }, name, h("span.bar"), h("span.num"), h("span.num"));
}

/** @param {any} data @returns {import("./export.js").Table} */
function headTable(data) {
  const place = [data.layer, data.position];
  const heads = data.norms.map((/** @type {number} */ norm, /** @type {number} */ i) => [
    ...place,
    `head ${i}`,
    norm,
    data.shares[i],
  ]);
  const rest = [
    [...place, "bias", data.bias_norm, data.bias_share],
    [...place, "attn_out", data.out_norm, 1],
    [...place, "relative gap", data.gap, null],
  ];
  return { columns: ["layer", "position", "part", "norm", "share_of_attn_out"], rows: [...heads, ...rest] };
}
