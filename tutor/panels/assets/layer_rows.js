// Three lists with one row a layer: what was added, what LayerNorm received, what could be read.

import { h, hold, setAttr, setStyle, setText, setToken } from "./dom.js";
import { full, percent, plain, sig, visible } from "./format.js";
import { selection } from "./store.js";

/** @typedef {import("./instruments.js").Context} Context @typedef {ReturnType<typeof import("./layer_data.js").readLayers>} Stats */

/** Set a figure with its full precision behind it. @param {any} node @param {number | null | undefined} value @param {boolean} [single] */
function number(node, value, single = true) {
  setText(node, value === null || value === undefined ? "" : sig(value));
  setAttr(node, "title", value === null || value === undefined ? null : full(value, single));
}

/** @param {number} layer @param {...Element} cells */
function layerRow(layer, ...cells) {
  return h("div.row", { "data-layer": layer }, h("button.name", { type: "button", text: `L${layer}` }), ...cells);
}

/** Mark the chosen layer and name the row. @param {any} row @param {number} layer @param {Context} context */
function mark(row, layer, context) {
  row.classList.toggle("chosen", layer === selection.layer);
  setAttr(row.firstChild, "aria-label", context.t("layer_n", { n: layer }));
}

/** What attention and MLP added, and the stream after the layer. */
export class LedgerRows {
  /** @param {Context} context */
  constructor(context) {
    this.context = context;
    this.rows = h("div.rows.ledger");
    this.sum = h("p.caption.sum");
    this.element = h("div", {}, this.rows, this.sum);
  }

  /** @param {Stats} stats @param {Float32Array | null} cosine between the stream before and after each layer */
  update(stats, cosine) {
    const { t } = this.context;
    const top = Math.max(...stats.attn, ...stats.mlp);
    const high = Math.max(...stats.resid);
    const [head, ...rows] = hold(this.rows, stats.attn.length + 1, (i) => (i === 0 ? this.#head() : ledgerRow(i - 1)));
    setText(head.children[1], `${t("added_attn")} · ${t("added_mlp")}`);
    setText(head.children[3], t("stream_after"));
    setText(head.children[5], t("cosine"));
    rows.forEach((row, l) => {
      mark(row, l, this.context);
      const values = [stats.attn[l], stats.mlp[l], stats.resid[l * 3 + 2]];
      const [bars, numbers] = [row.querySelectorAll(".bar"), row.querySelectorAll(".num")];
      values.forEach((value, n) => {
        setStyle(bars[n], "--size", `${(100 * value) / (n < 2 ? top : high)}%`);
        number(numbers[n], value);
      });
      number(numbers[3], cosine ? cosine[l] : null);
    });
  }

  /** Whether the stream adds up. @param {number | null | undefined} gap undefined while it is not known */
  check(gap) {
    const { t } = this.context;
    const known = gap !== null && gap !== undefined;
    setText(this.sum, known ? t(gap < 1e-5 ? "sum_holds" : "sum_fails", { gap: sig(gap) }) : "\u00a0");
    setAttr(this.sum, "title", known ? full(gap) : null);
  }

  #head() {
    return h("div.row.headline", {}, ...Array.from({ length: 6 }, (_, i) => h(i === 5 ? "span.num.cos" : "span")));
  }
}

/** @param {number} layer */
function ledgerRow(layer) {
  const bars = h("span.double", {}, h("span.bar.attn"), h("span.bar.mlp"));
  const numbers = h("span.double.nums", {}, h("span.num"), h("span.num"));
  return layerRow(layer, bars, numbers, h("span.bar.resid"), h("span.num"), h("span.num.cos"));
}

/** What each layer would say next. */
export class LensRows {
  /** @param {Context} context */
  constructor(context) {
    this.context = context;
    this.element = h("div.rows.lens");
  }

  /** @param {import("./store.js").Step} step @param {ReturnType<typeof import("./layer_data.js").readLens>} lens */
  update(step, lens) {
    const { t } = this.context;
    const make = (/** @type {number} */ i) =>
      i === 0
        ? h("div.row.headline", {}, h("span"), h("span"), h("span.num"), h("span.num"))
        : layerRow(i - 1, h("span.words"), h("span.num"), h("span.num"));
    const [head, ...rows] = hold(this.element, lens.layers + 1, make);
    const titles = ["", t("lens_words"), t("lens_chosen", { token: plain(step.token) }), t("lens_entropy")];
    titles.forEach((text, n) => setText(head.children[n], text));
    rows.forEach((row, l) => {
      mark(row, l, this.context);
      this.#words(row.children[1], step, lens, l);
      setText(row.children[2], percent(lens.chosen[l]));
      setAttr(row.children[2], "title", full(lens.chosen[l], true));
      number(row.children[3], lens.entropy[l]);
    });
  }

  /** @param {Element} parent @param {import("./store.js").Step} step @param {ReturnType<typeof import("./layer_data.js").readLens>} lens @param {number} l */
  #words(parent, step, lens, l) {
    hold(parent, lens.k, () => h("span.word", {}, h("b"), h("i"))).forEach((word, n) => {
      const prob = lens.probs[l * lens.k + n];
      setToken(word.firstChild, visible({ text: lens.texts[l][n] }));
      setText(word.lastChild, percent(prob));
      setStyle(word, "--tint", `${Math.round(100 * prob)}%`);
      word.classList.toggle("drawn", lens.ids[l][n] === step.token.id);
      word.title = full(prob, true);
    });
  }
}

/** Mean and variance that each LayerNorm received. */
export class NormTable {
  /** @param {Context} context */
  constructor(context) {
    this.context = context;
    this.head = h("tr");
    this.body = h("tbody");
    this.element = h("div.wide", {}, h("table.norms", {}, h("thead", {}, this.head), this.body));
  }

  /** @param {Stats} stats */
  update(stats) {
    const { t } = this.context;
    const titles = ["layer", "ln1_mean", "ln1_var", "ln2_mean", "ln2_var"];
    const cells = hold(this.head, titles.length, () => h("th", { scope: "col" }));
    cells.forEach((cell, i) => setText(cell, t(`col_${titles[i]}`)));
    const layers = stats.attn.length;
    const make = () => h("tr", {}, h("th", { scope: "row" }), ...titles.slice(1).map(() => h("td.num")));
    hold(this.body, layers + 1, make).forEach((row, l) => {
      const last = l === layers;
      row.classList.toggle("chosen", l === selection.layer);
      setText(row.children[0], last ? "ln_f" : `L${l}`);
      const [m, v] = [stats.mean, stats.variance];
      const values = last ? [...stats.lnF, null, null] : [m[l * 2], v[l * 2], m[l * 2 + 1], v[l * 2 + 1]];
      values.forEach((value, i) => number(row.children[i + 1], value, !last));
    });
  }
}
