// One row a candidate: its logit, its probability at three stages as bars, the probability it was drawn with.

import { h, hold, setAttr, setStyle, setText, setToken } from "./dom.js";
import { full, percent, sig, visible } from "./format.js";

const ROWS = 12;
const STAGES = /** @type {const} */ (["raw", "tempered", "prob"]);

export class CandidateRows {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.legend = h("p.legend", {}, ...STAGES.map((stage) => h(`span.${stage}`)));
    this.rows = h("div.rows.candidates");
  }

  /** @param {import("./store.js").Candidate[]} list @param {number} drawn id of the token drawn @param {number} [came] id of the one that really came */
  update(list, drawn, came = drawn) {
    const { t } = this.context;
    STAGES.forEach((stage, i) => setText(this.legend.children[i], t(`stage_${stage}`)));
    const top = Math.max(...list.map((item) => Math.max(item.raw, item.tempered, item.prob)));
    const count = Math.max(ROWS, list.length);
    hold(this.rows, count, candidateRow).forEach((row, i) => {
      const item = list[i];
      row.classList.toggle("blank", !item);
      if (!item) return clear(row); // it only keeps the place: nothing of an earlier step may stay in it
      const dropped = item.prob === 0 && item.tempered > 0; // at temperature 0 nothing is filtered
      row.classList.toggle("drawn", item.id === drawn);
      row.classList.toggle("came", item.id === came && came !== drawn);
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
}

/** @param {Element} row */
function clear(row) {
  const [name, logit, bars, number] = row.children;
  row.classList.remove("drawn", "came", "dropped");
  setToken(name, "");
  for (const cell of [logit, number]) setText(cell, "");
  for (const cell of [row, name, logit]) setAttr(cell, "title", null);
  STAGES.forEach((stage, n) => setStyle(bars.children[n], "--size", "0%"));
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
