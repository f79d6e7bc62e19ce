// The strongest neurons of the layer's MLP, and the words whose scores each of them raises.

import { h, hold, setAttr, setStyle, setText, setToken } from "./dom.js";
import { Derived } from "./derived.js";
import { segments } from "./figure.js";
import { full, plain, sig, visible } from "./format.js";
import { selection } from "./store.js";

const ORDERS = ["activation", "length", "token"];
const TOLERANCE = 1e-4;

export class NeuronRows {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.by = "activation";
    this.orders = segments(
      context,
      "neurons_order",
      ORDERS.map((order) => `neurons_by_${order}`),
      (key) => {
        this.by = key.replace("neurons_by_", "");
        if (this.last) this.update(...this.last);
      },
    );
    this.caption = h("p.caption");
    this.rows = h("div.rows.neurons");
    this.sum = h("p.caption.sum");
    const tools = h("div.tools", {}, this.orders.element);
    this.figure = new Derived(context, "neurons", tools, this.caption, this.rows, this.sum);
    this.element = this.figure.element;
  }

  /** @param {import("./store.js").Draft} draft @param {number} position @param {string | null} absent key of why it cannot be */
  update(draft, position, absent) {
    this.last = /** @type {[import("./store.js").Draft, number, string | null]} */ ([draft, position, absent]);
    this.orders.update(`neurons_by_${this.by}`);
    const data = this.figure.load(`neurons?position=${position}&layer=${selection.layer}&by=${this.by}`, absent);
    if (!data) return;
    const { t } = this.context;
    const came = plain(draft.tokens[data.position + 1]);
    const values = { layer: data.layer, position: data.position, token: plain(draft.tokens[data.position]) };
    setText(this.caption, t("neurons_caption", { ...values, active: data.active, all: data.n_neurons }));
    const [head, ...rows] = hold(this.rows, data.neurons.length + 1, (i) => (i === 0 ? headline() : neuronRow()));
    ["", t("neurons_activation"), "", t("neurons_length"), t("neurons_words"), t("neurons_effect", { token: came })].forEach(
      (text, i) => setText(head.children[i], text),
    );
    const top = Math.max(...data.neurons.map((/** @type {any} */ item) => Math.abs(item.act)));
    rows.forEach((row, i) => this.#row(row, data.neurons[i], top));
    const key = data.gap < TOLERANCE ? "neurons_hold" : "neurons_fail";
    setText(this.sum, t(key, { gap: sig(data.gap), length: sig(data.out_length) }));
    setAttr(this.sum, "title", full(data.gap));
  }

  /** @param {any} row @param {any} item @param {number} top */
  #row(row, item, top) {
    const { t } = this.context;
    const [name, bar, act, length, words, effect] = row.children;
    setText(name, t("neuron_n", { n: item.index }));
    setStyle(bar, "--size", `${(100 * Math.abs(item.act)) / top}%`);
    bar.classList.toggle("negative", item.act < 0);
    put(act, sig(item.act), t("neurons_pre", { pre: full(item.pre), act: full(item.act) }));
    put(length, sig(item.length), full(item.length));
    put(effect, signed(item.token), full(item.token));
    hold(words, item.words.length, () => h("span.promoted", {}, h("b"), h("i"))).forEach((chip, n) => {
      const word = item.words[n];
      setToken(chip.firstChild, visible(word));
      setText(chip.lastChild, signed(word.logit));
      setAttr(chip, "title", `id ${word.id}: ${full(word.logit, true)}`);
    });
  }

  exports() {
    return this.figure.exports(neuronTable);
  }
}

/** @param {number} value @returns {string} three figures with their sign */
function signed(value) {
  return value > 0 ? `+${sig(value)}` : sig(value);
}

/** @param {any} node @param {string} text @param {string} title */
function put(node, text, title) {
  setText(node, text);
  setAttr(node, "title", title);
}

function headline() {
  return h("div.row.headline", {}, ...["", "", ".num", ".num.length", "", ".num"].map((kind) => h(`span${kind}`)));
}

function neuronRow() {
  return h(
    "div.row",
    {},
    h("span.name"),
    h("span.bar.mlp"),
    h("span.num"),
    h("span.num.length"),
    h("span.promotes"),
    h("span.num"),
  );
}

/** @param {any} data @returns {import("./export.js").Table} a word a row */
function neuronTable(data) {
  const columns = ["layer", "position", "neuron", "pre", "activation", "length", "effect_on_token", "token_id"];
  const rows = data.neurons.flatMap((/** @type {any} */ item) =>
    item.words.map((/** @type {any} */ word) => [
      data.layer,
      data.position,
      item.index,
      item.pre,
      item.act,
      item.length,
      item.token,
      data.token_id,
      word.id,
      word.text,
      word.logit,
    ]),
  );
  return { columns: [...columns, "word_id", "word", "effect_on_word"], rows };
}
