// One LayerNorm from what it received to what it handed on: three distributions, its gain and its bias.

import { h, hold, setAttr, setText } from "./dom.js";
import { floats } from "./codec.js";
import { Derived } from "./derived.js";
import { segments } from "./figure.js";
import { full, plain, sig } from "./format.js";
import { SpreadPlot } from "./spread_plot.js";
import { selection } from "./store.js";

const NORMS = ["ln_1", "ln_2", "ln_f"];
const STAGES = ["before", "standard", "after"];
const WEIGHTS = ["gain", "bias"];

export class NormSteps {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.norm = "ln_1";
    this.choice = segments(context, "norm_choice", NORMS, (name) => {
      this.norm = name;
      if (this.last) this.update(...this.last);
    });
    this.caption = h("p.caption");
    this.facts = h("dl.facts.five");
    this.plots = Object.fromEntries(
      [...STAGES, ...WEIGHTS].map((part) => [part, new SpreadPlot(context, STAGES.includes(part) ? "resid" : "weight")]),
    );
    const plots = (/** @type {string[]} */ parts) => parts.map((part) => this.plots[part].element);
    this.figure = new Derived(
      context,
      "norm_steps",
      h("div.tools", {}, this.choice.element),
      this.caption,
      this.facts,
      h("div.trio", {}, ...plots(STAGES)),
      h("div.trio.two", {}, ...plots(WEIGHTS)),
    );
    this.element = this.figure.element;
  }

  /** @param {import("./store.js").Draft} draft @param {number} position @param {string | null} absent key of why it cannot be */
  update(draft, position, absent) {
    this.last = /** @type {[import("./store.js").Draft, number, string | null]} */ ([draft, position, absent]);
    this.choice.update(this.norm);
    const data = this.figure.load(`layernorm?position=${position}&layer=${selection.layer}&name=${this.norm}`, absent);
    if (!data) return;
    const { t } = this.context;
    const values = { name: data.name, layer: data.layer, position: data.position };
    const key = data.name === "ln_f" ? "norm_caption_final" : "norm_caption";
    setText(this.caption, t(key, { ...values, token: plain(draft.tokens[data.position]) }));
    this.#facts(data);
    for (const part of [...STAGES, ...WEIGHTS]) this.plots[part].update(t(`norm_${part}`), data[part]);
  }

  /** @param {any} data */
  #facts(data) {
    const { t } = this.context;
    const gap = data.recorded
      ? Math.max(Math.abs(data.recorded[0] - data.mean), Math.abs(data.recorded[1] - data.variance))
      : null;
    /** @type {[string, number | null][]} */
    const facts = [
      ["mean", data.mean],
      ["variance", data.variance],
      ["root", Math.sqrt(data.variance + data.eps)],
      ["eps", data.eps],
      ["gap", gap],
    ];
    hold(this.facts, facts.length, () => h("div", {}, h("dt"), h("dd"))).forEach((row, i) => {
      setText(row.firstElementChild, t(`norm_fact_${facts[i][0]}`));
      setText(row.lastElementChild, sig(facts[i][1]));
      setAttr(row.lastElementChild, "title", full(facts[i][1]));
    });
  }

  exports() {
    return this.figure.exports(normTable);
  }
}

/** @param {any} data @returns {import("./export.js").Table} a component a row */
function normTable(data) {
  const parts = ["before", "standard", "gain", "bias", "after"];
  const lists = parts.map((part) => floats(data[part].values));
  const rows = Array.from(lists[0], (_, i) => [data.name, data.layer, data.position, i, ...lists.map((list) => list[i])]);
  return { columns: ["layernorm", "layer", "position", "component", ...parts], rows };
}
