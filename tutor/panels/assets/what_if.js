// What if: other settings on the recorded scores, without running the model again.

import { h, setAttr, setText } from "./dom.js";
import { CandidateRows } from "./candidate_rows.js";
import { Derived } from "./derived.js";
import { DrawStrip } from "./draw_strip.js";
import { full, percent, plain, sig } from "./format.js";

/** @type {Record<string, {min: number, max: number, step: number, fact: string}>} */
const SLIDERS = {
  temperature: { min: 0, max: 2, step: 0.05, fact: "set_temperature" },
  top_k: { min: 0, max: 100, step: 1, fact: "set_top_k" },
  top_p: { min: 0.05, max: 1, step: 0.05, fact: "set_top_p" },
  repetition_penalty: { min: 1, max: 2, step: 0.05, fact: "set_penalty" },
  draw: { min: 0, max: 0.999, step: 0.001, fact: "set_draw" },
};
const NO_DRAW = 0.5;

export class WhatIf {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    /** What the student has moved; the rest is as it was. @type {Record<string, number>} */
    this.moved = {};
    this.knobs = Object.entries(SLIDERS).map(([name, range]) => this.#knob(name, range));
    this.reset = h("button.more", { type: "button", onclick: () => this.#change({}) });
    this.verdict = h("p.verdict", { role: "status" });
    this.strip = new DrawStrip(context);
    this.facts = h("p.quiet.counts");
    this.list = new CandidateRows(context);
    const knobs = h("div.knobs", {}, ...this.knobs.map((knob) => knob.element), this.reset);
    const content = [knobs, this.verdict, this.strip.element, this.facts, this.list.legend, this.list.rows];
    this.figure = new Derived(context, "what_if", ...content);
    this.element = this.figure.element;
  }

  /** @param {string} name @param {{min: number, max: number, step: number}} range */
  #knob(name, range) {
    const input = h("input", { type: "range", min: range.min, max: range.max, step: range.step });
    input.addEventListener("input", () => this.#change({ ...this.moved, [name]: Number(input.value) }));
    const [label, value] = [h("span.what"), h("output.num")];
    return { name, input, label, value, element: h("label.knob", {}, label, value, input) };
  }

  /** @param {Record<string, number>} moved */
  #change(moved) {
    this.moved = moved;
    if (this.last) this.update(...this.last);
  }

  /** @param {import("./store.js").Draft} draft @param {import("./store.js").Step | null} step */
  update(draft, step) {
    this.last = /** @type {[import("./store.js").Draft, import("./store.js").Step | null]} */ ([draft, step]);
    const was = { ...draft.prefill.sampling, top_k: draft.prefill.sampling.top_k ?? 0, draw: step?.draw ?? NO_DRAW };
    const now = /** @type {Record<string, number>} */ ({ ...was, ...this.moved });
    this.#knobs(now, step);
    const query = Object.entries(this.moved).map(([name, value]) => `&${name}=${value}`);
    const data = this.figure.load(`whatif?step=${step?.i ?? 0}${query.join("")}`, step ? null : "no_step");
    if (!data) return;
    const { t } = this.context;
    const values = { draw: sig(data.draw, 4), token: plain({ text: data.chosen_text }), came: plain({ text: data.came_text }) };
    const same = data.chosen === data.came;
    const key = data.draw === null ? (same ? "what_greedy_same" : "what_greedy") : same ? "what_same" : "what_other";
    setText(this.verdict, t(key, values));
    this.verdict.classList.toggle("other", !same);
    setAttr(this.verdict, "title", data.draw === null ? null : full(data.draw));
    this.strip.update(lay(data), data.chosen, data.draw, this.verdict.textContent);
    const counts = { kept: data.kept, all: draft.prefill.model.n_vocab, entropy: sig(data.entropy) };
    setText(this.facts, t("what_counts", { ...counts, discarded: percent(data.discarded) }));
    setAttr(this.facts, "title", `${full(data.entropy)} / ${full(data.discarded)}`);
    this.list.update(data.candidates, data.chosen, data.came);
  }

  /** @param {Record<string, number>} now @param {import("./store.js").Step | null} step */
  #knobs(now, step) {
    const { t } = this.context;
    for (const knob of this.knobs) {
      const value = now[knob.name];
      if (value > Number(knob.input.max)) knob.input.max = String(value);
      setText(knob.label, t(SLIDERS[knob.name].fact));
      setText(knob.value, shown(knob.name, value, t));
      setAttr(knob.value, "title", full(value));
      if (Number(knob.input.value) !== value) knob.input.value = String(value);
      setAttr(knob.input, "aria-valuetext", knob.value.textContent);
      knob.element.classList.toggle("moved", knob.name in this.moved);
      knob.input.disabled = !step || (knob.name === "draw" && now.temperature === 0);
    }
    this.reset.disabled = Object.keys(this.moved).length === 0;
    setText(this.reset, t("what_reset"));
  }

  exports() {
    return this.figure.exports(whatTable);
  }
}

/** @param {string} name @param {number} value @param {(key: string) => string} t @returns {string} */
function shown(name, value, t) {
  if (name === "temperature" && value === 0) return t("greedy_short");
  const off = { top_k: 0, top_p: 1, repetition_penalty: 1 }[name];
  return value === off ? t("off") : String(Number(value.toFixed(3)));
}

/**
 * The kept candidates end to end; the drawn one's place is known even where others are not listed.
 * @param {any} data @returns {import("./draw_line.js").Line}
 */
function lay(data) {
  const pieces = [];
  let from = 0;
  for (const item of data.candidates.slice(0, 12)) {
    if (item.prob === 0) break;
    pieces.push({ item, from, to: from + item.prob });
    from += item.prob;
  }
  const found = pieces.some((piece) => piece.item.id === data.chosen);
  const drawn = data.candidates.find((/** @type {any} */ item) => item.id === data.chosen);
  if (!found && drawn) pieces.push({ item: drawn, from: data.place[0], to: data.place[1] });
  return { pieces, end: data.kept <= 12 ? 1 : from, found: true };
}

/** @param {any} data @returns {import("./export.js").Table} */
function whatTable(data) {
  const columns = ["step", "rank", "token_id", "text", "logit", "prob_raw", "prob_tempered", "prob"];
  const rows = data.candidates.map((/** @type {any} */ item, /** @type {number} */ i) => [
    data.step,
    i < 12 ? i + 1 : null,
    item.id,
    item.text,
    item.logit,
    item.raw,
    item.tempered,
    item.prob,
    item.id === data.chosen ? 1 : 0,
    item.id === data.came ? 1 : 0,
    data.draw,
    data.entropy,
    data.discarded,
  ]);
  return { columns: [...columns, "drawn_now", "came", "draw", "entropy_nats", "discarded_mass"], rows };
}
