// The lens of one layer in full: twenty words, and the place of the token that came in every layer.

import { h, hold, setAttr, setStyle, setText, setToken } from "./dom.js";
import { Derived } from "./derived.js";
import { full, percent, plain, sig, visible } from "./format.js";
import { select, selection } from "./store.js";

export class LensWords {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.caption = h("p.caption");
    this.places = h("div.places", { role: "group" });
    this.list = h("ol.bars.full");
    this.figure = new Derived(context, "lens_words", this.caption, this.places, this.list);
    this.element = this.figure.element;
  }

  /** @param {import("./store.js").Draft} draft @param {number} position @param {string | null} absent key of why it cannot be */
  update(draft, position, absent) {
    const data = this.figure.load(`lens?position=${position}&layer=${selection.layer}`, absent);
    if (!data) return;
    const { t } = this.context;
    const { layer } = data;
    const came = plain(draft.tokens[data.position + 1]);
    const values = { layer, token: came, rank: data.ranks[layer], all: data.n_vocab, prob: percent(data.probs[layer]) };
    setText(this.caption, t("lens_words_caption", { ...values, entropy: sig(data.entropy[layer]) }));
    setAttr(this.caption, "title", full(data.probs[layer]));
    this.#places(data, came);
    const top = data.words[0].prob;
    hold(this.list, data.words.length, () => h("li", {}, h("span.name"), h("span.bar.resid"), h("span.num"))).forEach(
      (item, i) => {
        const word = data.words[i];
        const [name, bar, number] = item.children;
        setToken(name, visible(word));
        setStyle(bar, "--size", `${(100 * word.prob) / top}%`);
        setText(number, percent(word.prob));
        item.classList.toggle("drawn", word.id === data.token_id);
        const exact = { rank: i + 1, id: word.id, prob: full(word.prob), logit: full(word.logit, true) };
        setAttr(item, "title", t("lens_word", exact));
      },
    );
  }

  /** @param {any} data @param {string} token */
  #places(data, token) {
    const { t } = this.context;
    setAttr(this.places, "aria-label", t("lens_places", { token }));
    const make = (/** @type {number} */ i) =>
      h("button.place", { type: "button", onclick: () => select({ layer: i }) }, h("span"), h("b"));
    hold(this.places, data.ranks.length, make).forEach((button, i) => {
      setText(button.firstChild, `L${i}`);
      setText(button.lastChild, String(data.ranks[i]));
      const strength = 1 - Math.log(data.ranks[i]) / Math.log(data.n_vocab);
      setStyle(button, "--tint", `${Math.round(100 * strength)}%`);
      button.classList.toggle("chosen", i === data.layer);
      setAttr(button, "title", t("lens_place", { layer: i, rank: data.ranks[i], prob: full(data.probs[i]) }));
    });
  }

  exports() {
    return this.figure.exports(wordTable);
  }
}

/** @param {any} data @returns {import("./export.js").Table} */
function wordTable(data) {
  const place = [data.layer, data.position];
  const words = data.words.map((/** @type {any} */ word, /** @type {number} */ i) => [
    ...place,
    i + 1,
    word.id,
    word.text,
    word.logit,
    word.prob,
  ]);
  const came = data.ranks.map((/** @type {number} */ rank, /** @type {number} */ layer) => [
    layer,
    data.position,
    rank,
    data.token_id,
    data.token,
    null,
    data.probs[layer],
  ]);
  return { columns: ["layer", "position", "rank", "token_id", "text", "logit", "prob"], rows: [...words, ...came] };
}
