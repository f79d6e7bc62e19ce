// Attention: every head as a thumbnail, one head large, one row word by word.

import { h, hold, setAttr, setText } from "./dom.js";
import { headName } from "./format.js";
import { FigureBox, tick } from "./figure.js";
import { current, select, selection } from "./store.js";
import { pattern, promptThumbnails } from "./fetching.js";
import { HeadGrid } from "./attention_grid.js";
import { HeadMap } from "./attention_map.js";
import { WordRow } from "./attention_row.js";
import { HeadParts } from "./head_parts.js";
import { PairSum } from "./pair_sum.js";

export class AttentionView {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.sinkless = false;
    this.grid = new HeadGrid(context);
    this.map = new HeadMap(context);
    this.row = new WordRow(context);
    this.layer = h("select.pace", { onchange: () => select({ layer: Number(this.layer.value) }) });
    this.head = h("select.pace", { onchange: () => select({ head: Number(this.head.value) }) });
    this.sink = tick(context, "without_first", (on) => {
      this.sinkless = on;
      this.update();
    });
    this.bright = tick(context, "brighter", (on) => {
      this.power = on ? 0.25 : 0.5;
      this.update();
    });
    this.power = 0.5;
    this.heads = new FigureBox(context, "heads", "measured", this.grid.element);
    this.large = new FigureBox(context, "head_map", "measured", this.map.element);
    this.words = new FigureBox(context, "head_row", "measured", this.row.element);
    this.strong = new FigureBox(context, "strongest", "measured", this.row.list);
    this.sum = new PairSum(context);
    this.parts = new HeadParts(context);
    const tools = h("div.tools", {}, this.layer, this.head, this.sink.element, this.bright.element);
    const pair = h("div.pair", {}, h("div", {}, this.heads.element, this.strong.element), this.large.element);
    const worked = h("div.pair", {}, this.sum.element, this.parts.element);
    this.element = h("div.attention", {}, tools, pair, this.words.element, worked);
  }

  update() {
    const { job, draft, step } = current();
    if (!job || !draft) return;
    const { n_layer, n_head } = draft.prefill.model;
    if (selection.layer >= n_layer || selection.head >= n_head) select({ layer: 0, head: 0 });
    const recorded = draft.prefill.has_attention || draft.steps.some((item) => item.pooled);
    const absent = recorded ? null : "left_out_attention";
    this.heads.update(absent);
    const kind = selection.head < 0 || this.sinkless ? "computed" : "measured";
    for (const figure of [this.large, this.words, this.strong]) figure.update(absent, kind);
    this.#tools(n_layer, n_head);
    this.sum.update(draft, this.#query(draft));
    this.parts.update(draft, this.#query(draft));
    if (absent) return;
    promptThumbnails(job, draft);
    this.grid.update(draft, this.#query(draft), this.power);
    const query = this.#query(draft);
    const triangle = pattern(job, draft, selection.layer, selection.head, Math.max(query, this.#newest(draft)));
    this.map.update(draft, triangle, query, { sinkless: this.sinkless, power: this.power });
    this.row.update(draft, triangle, query, this.sinkless, step);
  }

  /** The query position of the chosen step. @param {import("./store.js").Draft} draft */
  #query(draft) {
    return draft.promptLength + Math.max(0, selection.step) - 1;
  }

  /** The last query position known. @param {import("./store.js").Draft} draft */
  #newest(draft) {
    return draft.promptLength + Math.max(1, draft.steps.length) - 2;
  }

  /** @param {number} layers @param {number} heads */
  #tools(layers, heads) {
    const { t } = this.context;
    setAttr(this.layer, "aria-label", t("layer"));
    setAttr(this.head, "aria-label", t("head"));
    hold(this.layer, layers, (i) => h("option", { value: i })).forEach((option, i) =>
      setText(option, t("layer_n", { n: i })),
    );
    hold(this.head, heads + 1, (i) => h("option", { value: i < heads ? i : -1 })).forEach((option, i) => {
      setText(option, i < heads ? t("head_n", { n: i }) : t("head_mean"));
      option.value = String(i < heads ? i : -1);
    });
    this.layer.value = String(selection.layer);
    this.head.value = String(selection.head);
    this.sink.update();
    this.bright.update();
  }

  figures() {
    const { job, draft } = current();
    if (!job || !draft) return [];
    const name = headName(selection.layer, selection.head);
    const triangle = draft.triangles.get(`${selection.layer},${selection.head}`);
    return [
      this.heads.export(() => this.grid.table(draft)),
      this.large.export(() => mapTable(draft, triangle, name)),
      this.strong.export(() => rowTable(draft, triangle, this.#query(draft), name)),
      this.words.export(() => rowTable(draft, triangle, this.#query(draft), name)),
      ...this.sum.exports(),
      ...this.parts.exports(),
    ];
  }
}

/**
 * Every weight of one head.
 * @param {import("./store.js").Draft} draft @param {any} triangle @param {string} name
 * @returns {import("./export.js").Table}
 */
function mapTable(draft, triangle, name) {
  const rows = [];
  for (let q = 0; q < (triangle?.rows ?? 0); q++) {
    const row = triangle.row(q);
    for (let k = 0; k <= q; k++) rows.push([name, q, draft.tokens[q].text, k, draft.tokens[k].text, row[k]]);
  }
  return { columns: ["head", "query_position", "query", "key_position", "key", "weight"], rows };
}

/**
 * One row of one head.
 * @param {import("./store.js").Draft} draft @param {any} triangle @param {number} query @param {string} name
 * @returns {import("./export.js").Table}
 */
function rowTable(draft, triangle, query, name) {
  const row = triangle?.row(query) ?? [];
  const rows = Array.from(row, (weight, k) => [name, query, k, draft.tokens[k].id, draft.tokens[k].text, weight]);
  return { columns: ["head", "query_position", "key_position", "token_id", "key", "weight"], rows };
}
