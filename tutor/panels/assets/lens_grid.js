// Layers × tokens: the top word of each layer at each of the steps around the chosen one.

import { h, hold, setAttr, setStyle, setText, setToken } from "./dom.js";
import { full, percent, plain, sig, visible } from "./format.js";
import { once } from "./fetching.js";
import { segments } from "./figure.js";
import { readLens } from "./layer_data.js";
import { select, selection } from "./store.js";

const MODES = ["by_prob", "by_chosen", "by_rank", "by_entropy"];
const RUN = 8; // steps whose ranks are asked for together
const CELL = 68;

export class LensGrid {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.mode = "by_prob";
    this.modes = segments(context, "lens_mode", MODES, (mode) => {
      this.mode = mode;
      if (this.job && this.draft) this.update(this.job, this.draft);
    });
    this.table = h("table.lensgrid", {}, h("thead", {}, h("tr")), h("tbody"));
    this.element = h("div", {}, h("div.tools", {}, this.modes.element), this.table);
    this.table.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const cell = /** @type {HTMLElement} */ (event.target).closest("[data-step]");
      if (cell instanceof HTMLElement)
        select({
          step: Number(cell.dataset.step),
          layer: Number(cell.dataset.l ?? selection.layer),
          key: null,
          follow: false,
        });
    });
  }

  /** @param {import("./store.js").Job} job @param {import("./store.js").Draft} draft */
  update(job, draft) {
    this.job = job;
    this.draft = draft;
    this.modes.update(this.mode);
    const count = Math.max(3, Math.min(12, Math.floor((this.element.clientWidth - 40) / CELL)));
    const start = Math.max(0, Math.min(selection.step - (count >> 1), draft.steps.length - count));
    const steps = draft.steps.slice(start, start + count).filter((step) => step.lens);
    const lenses = steps.map((step) => readLens(/** @type {import("./store.js").Lens} */ (step.lens)));
    const layers = draft.prefill.model.n_layer;
    const head = /** @type {Element} */ (this.table.querySelector("thead tr"));
    hold(head, steps.length + 1, () => h("th", { scope: "col" })).forEach((cell, i) => {
      const step = steps[i - 1];
      setToken(cell, step ? visible(step.token) : "");
      setAttr(cell, "data-step", step ? step.i : null);
      cell.classList.toggle("chosen", step?.i === selection.step);
    });
    hold(/** @type {Element} */ (this.table.querySelector("tbody")), layers, () => h("tr")).forEach((row, l) => {
      hold(row, steps.length + 1, (i) => (i === 0 ? h("th", { scope: "row", text: `L${l}` }) : h("td")))
        .slice(1)
        .forEach((cell, i) => this.#cell(cell, steps[i], lenses[i], l));
    });
  }

  /**
   * Place of the token that came, in every layer of a step; null while it is not known.
   * @param {number} step @returns {number[] | null}
   */
  #ranks(step) {
    const { job, draft } = this;
    if (!job || !draft || this.mode !== "by_rank") return null;
    const from = step - (step % RUN);
    const to = Math.min(from + RUN, draft.steps.length);
    if (to < from + RUN && job.live && selection.follow) return null; // soon complete
    return once(job, draft, `view/ranks?from=${from}&to=${to}`)?.ranks?.[step - from] ?? null;
  }

  /** @param {any} cell @param {import("./store.js").Step} step @param {ReturnType<typeof readLens>} lens @param {number} layer */
  #cell(cell, step, lens, layer) {
    const { t } = this.context;
    const prob = lens.probs[layer * lens.k];
    const most = Math.log(this.draft?.prefill.model.n_vocab ?? 2);
    const rank = this.#ranks(step.i)?.[layer] ?? null;
    const tints = {
      by_prob: prob,
      by_chosen: lens.chosen[layer],
      by_rank: rank === null ? 0 : 1 - Math.log(rank) / most,
      by_entropy: 1 - Math.min(1, lens.entropy[layer] / most),
    };
    const tint = tints[/** @type {keyof typeof tints} */ (this.mode)];
    if (this.mode === "by_rank") setText(cell, rank === null ? "…" : String(rank));
    else setToken(cell, visible({ text: lens.texts[layer][0] }));
    setAttr(cell, "data-space", this.mode === "by_rank" ? false : cell.hasAttribute("data-space"));
    cell.dataset.step = String(step.i);
    cell.dataset.l = String(layer);
    setStyle(cell, "--tint", `${Math.round(100 * tint)}%`);
    cell.classList.toggle("hit", lens.ids[layer][0] === step.token.id);
    cell.classList.toggle("chosen", step.i === selection.step && layer === selection.layer);
    const values = {
      layer,
      word: lens.texts[layer][0],
      prob: full(prob, true),
      token: plain(step.token),
      chosen: full(lens.chosen[layer], true),
      entropy: sig(lens.entropy[layer]),
      percent: percent(prob),
    };
    const place = rank === null ? "" : ` ${t("lens_rank", { n: rank })}`;
    setAttr(cell, "title", t("lens_cell", values) + place);
  }
}
