// Sampling: from scores to one token, each stage of the way, and the random number that decided.

import { h, hold, setAttr, setText } from "./dom.js";
import { CandidateRows } from "./candidate_rows.js";
import { linePieces } from "./draw_line.js";
import { DrawStrip } from "./draw_strip.js";
import { once } from "./fetching.js";
import { FigureBox } from "./figure.js";
import { full, percent, plain, sig } from "./format.js";
import { current } from "./store.js";
import { WhatIf } from "./what_if.js";

export class SamplingView {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.settings = h("dl.facts");
    this.list = new CandidateRows(context);
    this.strip = new DrawStrip(context);
    this.drawn = h("p.caption");
    this.more = h("button.more", { type: "button", onclick: () => this.#toggle() });
    this.all = false;
    this.stages = new FigureBox(context, "candidates", "measured", this.list.legend, this.list.rows, this.more);
    this.draw = new FigureBox(context, "draw", "measured", this.drawn, this.strip.element);
    this.whatIf = new WhatIf(context);
    this.element = h("div", {}, this.settings, this.stages.element, this.draw.element, this.whatIf.element);
  }

  #toggle() {
    this.all = !this.all;
    this.update();
  }

  update() {
    const { job, draft, step } = current();
    if (!job || !draft) return;
    const none = step ? null : "no_step";
    this.stages.update(none);
    this.draw.update(none);
    this.#settings(draft, step);
    this.whatIf.update(draft, step);
    if (!step) return;
    const lost = !job.live && step.more > 0 && !this.#laid(draft, step, step.candidates).found;
    const whole = this.all || lost ? once(job, draft, `step/${step.i}`) : null;
    const list = whole?.candidates ?? step.candidates;
    this.list.update(this.all ? list : step.candidates, step.token.id);
    this.more.hidden = !this.all && step.more === 0;
    setText(this.more, this.context.t(this.all ? "fewer" : "more", { n: step.more }));
    this.#line(step, this.#laid(draft, step, list));
  }

  /** @param {import("./store.js").Draft} draft @param {import("./store.js").Step | null} step */
  #settings(draft, step) {
    const { t } = this.context;
    const s = draft.prefill.sampling;
    const facts = [
      ["temperature", s.temperature === 0 ? t("greedy_short") : String(s.temperature)],
      ["top_k", s.top_k === null ? t("off") : String(s.top_k)],
      ["top_p", s.top_p === 1 ? t("off") : String(s.top_p)],
      ["penalty", s.repetition_penalty === 1 ? t("off") : String(s.repetition_penalty)],
      ["seed", String(s.seed)],
      ["entropy", step ? t("nats", { n: sig(step.entropy) }) : "–"],
      ["discarded", step ? percent(step.discarded) : "–"],
    ];
    hold(this.settings, facts.length, () => h("div", {}, h("dt"), h("dd"))).forEach((row, i) => {
      setText(row.firstElementChild, t(`set_${facts[i][0]}`));
      setText(row.lastElementChild, facts[i][1]);
    });
    const exact = step ? [full(step.entropy), full(step.discarded)] : ["", ""];
    setAttr(this.settings.children[5].lastElementChild, "title", exact[0]);
    setAttr(this.settings.children[6].lastElementChild, "title", exact[1]);
  }

  /** @param {import("./store.js").Draft} draft @param {import("./store.js").Step} step @param {import("./store.js").Candidate[]} list */
  #laid(draft, step, list) {
    const penalised =
      draft.prefill.sampling.repetition_penalty === 1 ? [] : draft.steps.slice(0, step.i).map((item) => item.token.id);
    return linePieces(list, step.token.id, step.draw, new Set(penalised));
  }

  /**
   * The kept probabilities laid end to end from 0 to 1, and where the random number fell.
   * @param {import("./store.js").Step} step @param {import("./draw_line.js").Line} laid
   */
  #line(step, laid) {
    const { t } = this.context;
    const values = { draw: sig(step.draw, 4), token: plain(step.token), exact: full(step.draw) };
    setText(this.drawn, t(step.draw === null ? "draw_greedy" : "draw_is", values));
    setAttr(this.drawn, "title", step.draw === null ? null : full(step.draw));
    this.strip.update(laid, step.token.id, step.draw, this.drawn.textContent ?? "");
  }

  figures() {
    const { job, draft, step } = current();
    if (!job || !draft || !step) return [];
    const table = () =>
      candidateTable(step, (this.all && once(job, draft, `step/${step.i}`)?.candidates) || step.candidates);
    return [this.stages.export(table), this.draw.export(table), ...this.whatIf.exports()];
  }
}

/** @param {import("./store.js").Step} step @param {import("./store.js").Candidate[]} list @returns {import("./export.js").Table} */
function candidateTable(step, list) {
  const rows = list.map((item, i) => [
    step.i,
    i,
    item.id,
    item.text,
    item.logit,
    item.raw,
    item.tempered,
    item.prob,
    item.id === step.token.id ? 1 : 0,
    step.draw,
    step.entropy,
    step.discarded,
  ]);
  return {
    columns: [
      "step",
      "rank",
      "token_id",
      "text",
      "logit",
      "prob_raw",
      "prob_tempered",
      "prob",
      "drawn",
      "draw",
      "entropy_nats",
      "discarded_mass",
    ],
    rows,
  };
}
