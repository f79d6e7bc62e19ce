// Layers: what each layer added, what LayerNorm saw, and what each layer would say next.

import { h } from "./dom.js";
import { floats } from "./codec.js";
import { FigureBox } from "./figure.js";
import { once } from "./fetching.js";
import { ledgerTable, lensTable, readLayers, readLens } from "./layer_data.js";
import { LedgerRows, LensRows, NormTable } from "./layer_rows.js";
import { LensGrid } from "./lens_grid.js";
import { LensWords } from "./lens_words.js";
import { NeuronRows } from "./neuron_rows.js";
import { NormSteps } from "./norm_steps.js";
import { current, select, selection } from "./store.js";

export class LayersView {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.ledger = new LedgerRows(context);
    this.lens = new LensRows(context);
    this.grid = new LensGrid(context);
    this.norms = new NormTable(context);
    this.words = new LensWords(context);
    this.steps = new NormSteps(context);
    this.neurons = new NeuronRows(context);
    this.adds = new FigureBox(context, "ledger", "measured", this.ledger.element);
    this.says = new FigureBox(context, "lens", "computed", this.lens.element);
    this.over = new FigureBox(context, "lens_grid", "computed", this.grid.element);
    this.evens = new FigureBox(context, "layernorm", "measured", this.norms.element);
    const order = [this.adds, this.says, this.over, this.words, this.evens, this.steps, this.neurons];
    this.element = h("div", {}, ...order.map((figure) => figure.element));
    this.element.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#click(event));
  }

  update() {
    const { job, draft, step } = current();
    if (!job || !draft) return;
    const none = step ? null : "no_step";
    const statless = step && !readLayers(step.layers).attn.length ? "left_out_stats" : none;
    const lensless = step && !step.lens ? "left_out_lens" : none;
    for (const figure of [this.adds, this.evens]) figure.update(statless);
    for (const figure of [this.says, this.over]) figure.update(lensless);
    const record = step && this.#record(job, draft, step.i);
    const position = draft.promptLength + Math.max(0, selection.step) - 1;
    this.steps.update(draft, position, none);
    this.neurons.update(draft, position, none);
    this.words.update(draft, position, none);
    if (!step) return;
    const stats = readLayers(step.layers);
    this.ledger.update(stats, record?.ledger ? floats(record.ledger.cosine) : null);
    this.ledger.check(record?.ledger?.gap);
    this.norms.update(stats);
    if (!step.lens) return;
    this.lens.update(step, readLens(step.lens));
    this.grid.update(job, draft);
  }

  /** The full record of a step, once nothing rushes by. @param {import("./store.js").Job} job @param {import("./store.js").Draft} draft @param {number} step */
  #record(job, draft, step) {
    return job.live && selection.follow ? undefined : once(job, draft, `step/${step}`);
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest("[data-layer]");
    if (row instanceof HTMLElement) select({ layer: Number(row.dataset.layer) });
  }

  figures() {
    const { job, draft, step } = current();
    if (!job || !draft || !step) return [];
    const steps = draft.steps;
    return [
      this.adds.export(() => ledgerTable(step)),
      ...(step.lens ? [this.says.export(() => lensTable([step])), this.over.export(() => lensTable(steps))] : []),
      this.evens.export(() => ledgerTable(step)),
      ...[this.words, this.steps, this.neurons].flatMap((figure) => figure.exports()),
    ];
  }
}
