// Sampling: from scores to one token, each stage of the way, and the random number that decided.

import { h, hold, setAttr, setStyle, setText, setToken, svg } from "./dom.js";
import { full, percent, plain, sig, visible } from "./format.js";
import { FigureBox } from "./figure.js";
import { linePieces } from "./draw_line.js";
import { once } from "./fetching.js";
import { current } from "./store.js";

const ROWS = 12;
const STAGES = /** @type {const} */ (["raw", "tempered", "prob"]);

export class SamplingView {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.settings = h("dl.facts");
    this.legend = h("p.legend", {}, ...STAGES.map((stage) => h(`span.${stage}`)));
    this.rows = h("div.rows.candidates");
    this.line = svg("svg.draw", { role: "img", width: "100%", height: 76 });
    this.drawn = h("p.caption");
    this.more = h("button.more", { type: "button", onclick: () => this.#toggle() });
    this.all = false;
    this.stages = new FigureBox(context, "candidates", "measured", this.legend, this.rows, this.more);
    this.draw = new FigureBox(context, "draw", "measured", this.drawn, this.line);
    this.element = h("div", {}, this.settings, this.stages.element, this.draw.element);
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
    if (!step) return;
    const lost = !job.live && step.more > 0 && !this.#laid(draft, step, step.candidates).found;
    const whole = this.all || lost ? once(job, draft, `step/${step.i}`) : null;
    const list = whole?.candidates ?? step.candidates;
    this.#candidates(this.all ? list : step.candidates, step);
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

  /** @param {import("./store.js").Candidate[]} list @param {import("./store.js").Step} step */
  #candidates(list, step) {
    const { t } = this.context;
    STAGES.forEach((stage, i) => setText(this.legend.children[i], t(`stage_${stage}`)));
    const top = Math.max(...list.map((item) => Math.max(item.raw, item.tempered, item.prob)));
    const count = Math.max(ROWS, list.length);
    hold(this.rows, count, candidateRow).forEach((row, i) => {
      const item = list[i];
      row.classList.toggle("blank", !item);
      if (!item) return;
      const dropped = item.prob === 0 && item.tempered > 0; // at temperature 0 nothing is filtered
      row.classList.toggle("drawn", item.id === step.token.id);
      row.classList.toggle("dropped", dropped);
      const [name, logit, bars, number] = row.children;
      setToken(name, visible(item));
      setAttr(name, "title", `id ${item.id}`);
      setText(logit, sig(item.logit));
      setAttr(logit, "title", t("logit_is", { n: full(item.logit) }));
      STAGES.forEach((stage, n) => setStyle(bars.children[n], "--size", `${(100 * item[stage]) / top}%`));
      setText(number, dropped ? t("dropped") : percent(item.prob));
      setAttr(row, "title", t("stages", { raw: full(item.raw), tempered: full(item.tempered), prob: full(item.prob) }));
    });
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
    const width = this.line.clientWidth || 600;
    const x = (/** @type {number} */ p) => 1 + p * (width - 2);
    const nodes = [];
    if (laid.end < 0.9999)
      nodes.push(
        svg(
          "rect.rest",
          { x: x(laid.end), y: 22, width: x(1) - x(laid.end), height: 28 },
          svg("title", { text: t("line_rest") }),
        ),
      );
    laid.pieces.forEach(({ item, from, to }, i) => {
      const wide = x(to) - x(from);
      const kind = item.id === step.token.id ? ".drawn" : i % 2 ? ".odd" : "";
      nodes.push(
        svg(
          `rect.piece${kind}`,
          { x: x(from), y: 22, width: Math.max(0.5, wide), height: 28 },
          svg("title", { text: `${item.text} ${full(item.prob)}` }),
        ),
      );
      const text = plain(item);
      if (wide > 12 + text.length * 13)
        nodes.push(svg(`text.label${kind}`, { x: x(from) + wide / 2, y: 41, "text-anchor": "middle", text }));
    });
    for (const p of [0, 0.25, 0.5, 0.75, 1])
      nodes.push(
        svg("text.tickmark", {
          x: x(p),
          y: 68,
          "text-anchor": p === 0 ? "start" : p === 1 ? "end" : "middle",
          text: String(p),
        }),
      );
    if (step.draw !== null) {
      nodes.push(svg("path.needle", { d: `M${x(step.draw)} 54V20l-5 -8h10l-5 8` }));
    }
    setAttr(this.line, "viewBox", `0 0 ${width} 76`);
    this.line.replaceChildren(...nodes);
    const values = { draw: sig(step.draw, 4), token: plain(step.token), exact: full(step.draw) };
    setText(this.drawn, t(step.draw === null ? "draw_greedy" : "draw_is", values));
    setAttr(this.drawn, "title", step.draw === null ? null : full(step.draw));
    setAttr(this.line, "aria-label", this.drawn.textContent);
  }

  figures() {
    const { job, draft, step } = current();
    if (!job || !draft || !step) return [];
    const table = () =>
      candidateTable(step, (this.all && once(job, draft, `step/${step.i}`)?.candidates) || step.candidates);
    return [this.stages.export(table), this.draw.export(table)];
  }
}

function candidateRow() {
  return h(
    "div.row",
    {},
    h("span.name"),
    h("span.num.logit"),
    h("span.triple", {}, ...STAGES.map((stage) => h(`span.bar.${stage}`))),
    h("span.num"),
  );
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
