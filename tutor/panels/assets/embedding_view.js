// Where a token starts: its vector, its position's vector, their sum; and its neighbours in the vocabulary.

import { h, hold, setAttr, setStyle, setText, setToken } from "./dom.js";
import { floats } from "./codec.js";
import { Derived } from "./derived.js";
import { full, plain, sig, visible } from "./format.js";
import { SignedBars } from "./signed_bars.js";

const VECTORS = ["token", "place", "sum"];
const TOLERANCE = 1e-5;

export class EmbeddingView {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.caption = h("p.caption");
    this.bars = VECTORS.map(() => new SignedBars(context, "resid", 44));
    this.titles = VECTORS.map(() => h("p.caption.vector", {}, h("b"), " ", h("span.quiet")));
    const strips = VECTORS.flatMap((_, i) => [this.titles[i], h("div.plotbox.low", {}, this.bars[i].element)]);
    this.sum = h("p.caption.sum");
    this.near = h("ol.bars.near");
    this.vectors = new Derived(context, "embedding", this.caption, ...strips, this.sum);
    this.neighbours = new Derived(context, "neighbours", this.near);
    this.element = h("div.pair", {}, this.vectors.element, this.neighbours.element);
  }

  /** @param {number} position */
  update(position) {
    const path = `embedding?position=${position}`;
    const data = this.vectors.load(path);
    this.neighbours.load(path);
    if (!data) return;
    const { t } = this.context;
    setText(this.caption, t("embedding_caption", { token: plain(data), id: data.id, position: data.position }));
    VECTORS.forEach((name, i) => {
      const [title, facts] = this.titles[i].children;
      setText(title, t(`embedding_${name}`));
      setText(facts, t("embedding_norm", { n: sig(data[name].norm) }));
      setAttr(facts, "title", full(data[name].norm));
      data[name].list ??= floats(data[name].values);
      this.bars[i].update(data[name].list, t("embedding_bars", { name: t(`embedding_${name}`), n: data[name].list.length }));
    });
    const key = data.gap === null ? "embedding_unread" : data.gap < TOLERANCE ? "embedding_holds" : "embedding_fails";
    setText(this.sum, `${t("embedding_cosine", { n: sig(data.cosine) })} ${t(key, { gap: sig(data.gap) })}`);
    setAttr(this.sum, "title", full(data.cosine));
    this.#neighbours(data.neighbours);
  }

  /** @param {any[]} list */
  #neighbours(list) {
    hold(this.near, list.length, () => h("li", {}, h("span.name"), h("span.bar.resid"), h("span.num"))).forEach(
      (item, i) => {
        const [name, bar, number] = item.children;
        setToken(name, visible(list[i]));
        setStyle(bar, "--size", `${100 * Math.max(0, list[i].cosine)}%`);
        setText(number, sig(list[i].cosine));
        setAttr(item, "title", this.context.t("neighbour", { id: list[i].id, cosine: full(list[i].cosine, true) }));
      },
    );
  }

  exports() {
    return [...this.vectors.exports(vectorTable), ...this.neighbours.exports(neighbourTable)];
  }
}

/** @param {any} data @returns {import("./export.js").Table} */
function vectorTable(data) {
  const lists = VECTORS.map((name) => floats(data[name].values));
  const rows = Array.from(lists[0], (_, i) => [data.position, data.id, data.text, i, ...lists.map((list) => list[i])]);
  return { columns: ["position", "token_id", "text", "component", "wte", "wpe", "sum"], rows };
}

/** @param {any} data @returns {import("./export.js").Table} */
function neighbourTable(data) {
  const rows = data.neighbours.map((/** @type {any} */ item, /** @type {number} */ i) => [
    data.id,
    data.text,
    i + 1,
    item.id,
    item.text,
    item.cosine,
  ]);
  return { columns: ["token_id", "text", "rank", "neighbour_id", "neighbour", "cosine"], rows };
}
