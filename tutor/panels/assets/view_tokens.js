// Tokens: every piece of the prompt and the reply, its number, its bytes, how surprising it was.

import { h, hold, setAttr, setStyle, setText, setToken } from "./dom.js";
import { full, percent, sig, surprise, visible } from "./format.js";
import { tokenBytes } from "./codec.js";
import { EmbeddingView } from "./embedding_view.js";
import { FigureBox, segments } from "./figure.js";
import { current, select, selection } from "./store.js";

const MODES = ["as_text", "as_piece", "as_id"];
const BITS = 12;

export class TokensView {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.mode = "as_text";
    /** @type {Element | null} */
    this.seen = null;
    this.modes = segments(context, "token_mode", MODES, (mode) => {
      this.mode = mode;
      this.update();
    });
    this.scale = h("div.scale", {}, h("span", { text: "0" }), h("i.ramp.surprise"), h("span"));
    this.list = h("div.tokens", { tabindex: 0, role: "group" });
    this.detail = h("dl.facts");
    this.figure = new FigureBox(
      context,
      "tokens",
      "measured",
      h("div.tools", {}, this.modes.element, this.scale),
      this.list,
      this.detail,
    );
    this.embedding = new EmbeddingView(context);
    this.element = h("div", {}, this.figure.element, this.embedding.element);
    this.list.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#click(event));
    this.list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
  }

  update() {
    const { draft } = current();
    if (!draft) return;
    const { t } = this.context;
    this.figure.update();
    this.modes.update(this.mode);
    setAttr(this.list, "aria-label", t("token_list"));
    setText(this.scale.lastElementChild, t("bits_scale", { n: BITS }));
    const sections = [...draft.prefill.parts, { part: "reply", from: draft.promptLength, to: draft.tokens.length }];
    hold(this.list, sections.length, () =>
      h("section", {}, h("h4", {}, h("b"), h("span.quiet")), h("div.flow")),
    ).forEach((node, i) => this.#section(node, draft, sections[i]));
    this.#follow();
    this.#facts(draft);
    this.embedding.update(this.#focus(draft));
  }

  /** The position that the details are about. @param {import("./store.js").Draft} draft */
  #focus(draft) {
    return selection.key ?? (selection.step >= 0 ? draft.promptLength + selection.step : draft.tokens.length - 1);
  }

  /** @param {any} node @param {import("./store.js").Draft} draft @param {import("./store.js").Part} part */
  #section(node, draft, part) {
    const { t } = this.context;
    node.dataset.part = part.part;
    const heading = node.firstElementChild;
    setText(heading.firstElementChild, t(`part_${part.part}`));
    setText(heading.lastElementChild, t("count_tokens", { n: part.to - part.from }));
    const replyAt = draft.promptLength + selection.step;
    const stamp = `${this.mode},${draft.prefill.draft},${part.from}`;
    const fresh = node.dataset.stamp !== stamp || node.draft !== draft;
    node.dataset.stamp = stamp;
    node.draft = draft;
    const flow = node.lastElementChild;
    const before = fresh ? 0 : flow.children.length;
    const chips = hold(flow, part.to - part.from, () => h("span.tok"));
    for (let i = before; i < chips.length; i++) this.#chip(chips[i], draft, part.from + i);
    const chosen = part.part === "reply" && selection.step >= 0 ? chips[replyAt - part.from] : null;
    const key = selection.key === null ? null : chips[selection.key - part.from];
    for (const [name, target] of [
      ["chosen", chosen],
      ["key", key],
    ]) {
      for (const old of flow.querySelectorAll(`.${name}`)) if (old !== target) old.classList.remove(name);
      target?.classList.add(name);
    }
  }

  /** @param {any} chip @param {import("./store.js").Draft} draft @param {number} position */
  #chip(chip, draft, position) {
    const token = draft.tokens[position];
    const text = this.mode === "as_id" ? String(token.id) : this.mode === "as_piece" ? token.piece : visible(token);
    setToken(chip, text);
    chip.dataset.position = String(position);
    chip.classList.toggle("special", Boolean(token.special));
    chip.classList.toggle("bytes", token.hex !== undefined);
    const bits = surprise(draft.logprobs[position]);
    setStyle(chip, "--tint", `${Math.round((100 * Math.min(BITS, bits ?? 0)) / BITS)}%`);
  }

  /** Keep the chosen reply token in sight when it changes. */
  #follow() {
    const chosen = /** @type {HTMLElement | null} */ (this.list.querySelector(".chosen"));
    if (!chosen || this.seen === chosen) return;
    this.seen = chosen;
    const top = chosen.offsetTop;
    if (top < this.list.scrollTop || top > this.list.scrollTop + this.list.clientHeight - 40)
      this.list.scrollTop = top - this.list.clientHeight / 2;
  }

  /** @param {import("./store.js").Draft} draft */
  #facts(draft) {
    const position = this.#focus(draft);
    const token = draft.tokens[position];
    if (!token) return;
    const { t } = this.context;
    const logprob = Number.isFinite(draft.logprobs[position]) ? draft.logprobs[position] : null;
    const single = position < draft.promptLength;
    const hex = Array.from(tokenBytes(token), (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
    const facts = [
      ["token", visible(token), token.piece],
      ["piece", token.piece, token.piece],
      ["id", String(token.id), ""],
      ["position", String(position), ""],
      ["part", t(`part_${draft.partOf(position)}`), ""],
      ["bytes", token.special ? t("control") : hex, ""],
      ["surprise", logprob === null ? "–" : t("bits", { n: sig(surprise(logprob)) }), full(surprise(logprob))],
      ["prob", logprob === null ? "–" : percent(Math.exp(logprob)), t("logprob_is", { n: full(logprob, single) })],
    ];
    hold(this.detail, facts.length, () => h("div", {}, h("dt"), h("dd"))).forEach((row, i) => {
      setText(row.firstElementChild, t(`fact_${facts[i][0]}`));
      setText(row.lastElementChild, facts[i][1]);
      setAttr(row.lastElementChild, "title", facts[i][2] || null);
    });
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const chip = /** @type {HTMLElement} */ (event.target).closest("[data-position]");
    if (chip instanceof HTMLElement) this.#choose(Number(chip.dataset.position));
  }

  /** @param {number} position */
  #choose(position) {
    const { draft } = current();
    if (!draft || position < 0 || position >= draft.tokens.length) return;
    const step = position - draft.promptLength;
    select(step >= 0 ? { step, key: null, follow: false } : { key: position });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { draft } = current();
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!draft || !move) return;
    event.preventDefault();
    this.#choose(this.#focus(draft) + move);
  }

  figures() {
    return [this.figure.export(() => tokenTable(current().draft)), ...this.embedding.exports()];
  }
}

/** @param {import("./store.js").Draft | null} draft @returns {import("./export.js").Table} */
export function tokenTable(draft) {
  const columns = ["position", "part", "token_id", "piece", "text", "bytes", "logprob_nats"];
  const rows = (draft?.tokens ?? []).map((token, i) => {
    const hex = Array.from(tokenBytes(token), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const logprob = draft?.logprobs[i];
    return [
      i,
      draft?.partOf(i) ?? "",
      token.id,
      token.piece,
      token.text,
      token.special ? "" : hex,
      Number.isFinite(logprob) ? /** @type {number} */ (logprob) : null,
    ];
  });
  return { columns, rows };
}
