// The path: the whole model at its true size, from text to the next token; every block opens its view.

import { h, setAttr, setText, svg } from "./dom.js";
import { full, percent, plain, sig } from "./format.js";
import { bytes } from "./codec.js";
import { FigureBox } from "./figure.js";
import { drawPicture, geometry } from "./path_picture.js";
import { ledgerTable, readLayers, readLens } from "./layer_data.js";
import { current, select, selection } from "./store.js";

/** @typedef {ReturnType<typeof drawPicture>} Parts */

export class PathView {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.svg = svg("svg.path", { width: "100%", role: "group" });
    this.figure = new FigureBox(context, "path", "measured", this.svg);
    this.element = h("div", {}, this.figure.element);
    this.shape = "";
    this.seen = "";
    this.svg.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#open(event.target));
    this.svg.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.#open(event.target);
    });
  }

  update() {
    const { draft, step } = current();
    if (!draft) return;
    this.figure.update();
    const { model } = draft.prefill;
    const width = this.svg.clientWidth || 640;
    const shape = [width, Object.values(model), this.context.t("tab_path")].join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.geo = geometry(width, model.n_layer);
      this.parts = drawPicture(this.svg, this.geo, model, this.context);
    }
    this.#values(draft, step);
  }

  /** @param {import("./store.js").Draft} draft @param {import("./store.js").Step | null} step */
  #values(draft, step) {
    const { t } = this.context;
    const parts = /** @type {Parts} */ (this.parts);
    const query = draft.promptLength + Math.max(0, selection.step) - 1;
    const token = draft.tokens[query];
    setText(parts.input.token, token ? clip(plain(token), 14) : "–");
    setText(parts.input.note, token ? t("path_position", { n: query }) : "");
    setText(parts.output.token, step ? clip(plain(step.token), 14) : "…");
    const raw = step?.candidates.find((item) => item.id === step.token.id)?.raw;
    setText(parts.output.note, raw === undefined ? "" : percent(raw));
    parts.blocks.forEach((block, l) => block.group.classList.toggle("chosen", l === selection.layer));
    if (step && readLayers(step.layers).attn.length) this.#layers(step, parts);
    this.#flow(parts, [selection.job, selection.draft, selection.step].join());
  }

  /**
   * Let a dot run along the stream when the step has changed, unless one is still on its way.
   * @param {Parts} parts @param {string} now
   */
  #flow(parts, now) {
    if (now === this.seen) return;
    this.seen = now;
    const geo = /** @type {ReturnType<typeof geometry>} */ (this.geo);
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (still || parts.pulse.getAnimations().length) return;
    const frames = [
      { transform: "none", opacity: 0 },
      { opacity: 1, offset: 0.1 },
      { opacity: 1, offset: 0.9 },
      { transform: `translateY(${geo.bottom + 56}px)`, opacity: 0 },
    ];
    parts.pulse.animate(frames, { duration: 700, easing: "ease-in-out" });
  }

  /** @param {import("./store.js").Step} step @param {Parts} parts */
  #layers(step, parts) {
    const stats = readLayers(step.layers);
    const lens = step.lens ? readLens(step.lens) : null;
    const most = Math.max(...stats.attn, ...stats.mlp);
    const high = Math.max(...stats.resid);
    const heads = step.pooled ? strongest(step.pooled) : null;
    const geo = /** @type {ReturnType<typeof geometry>} */ (this.geo);
    parts.blocks.forEach((block, l) => {
      const norm = stats.resid[l * 3 + 2];
      const [left, right] = [stats.attn[l], stats.mlp[l]].map((size) => Math.max(2, (geo.box * size) / most));
      setAttr(block.attn.fill, "width", left);
      setAttr(block.attn.fill, "x", geo.left + geo.box - left);
      setAttr(block.mlp.fill, "width", right);
      setAttr(block.stream, "stroke-width", (2 + (10 * norm) / high).toFixed(1));
      setText(block.attn.value, `+${sig(stats.attn[l])}`);
      setText(block.mlp.value, `+${sig(stats.mlp[l])}`);
      setText(block.norm, sig(norm));
      const word = lens ? plain({ text: lens.texts[l][0] }) : "";
      setText(block.word, clip(word, geo.letters));
      block.word.classList.toggle("hit", Boolean(lens && lens.ids[l][0] === step.token.id));
      block.word.style.opacity = lens ? String(0.55 + 0.45 * Math.sqrt(lens.probs[l * lens.k])) : "1";
      block.attn.ticks.forEach((tick, i) => {
        tick.style.opacity = String(heads ? 0.12 + 0.88 * heads[l * parts.heads + i] : 0.12);
      });
      const exact = { attn: full(stats.attn[l], true), mlp: full(stats.mlp[l], true), norm: full(norm, true) };
      setText(block.title, this.context.t("path_layer", { layer: l, ...exact }));
    });
  }

  /** @param {EventTarget | null} target */
  #open(target) {
    const block = target instanceof Element ? target.closest("[data-tab]") : null;
    if (!block) return;
    const layer = block.getAttribute("data-layer");
    if (layer !== null) select({ layer: Number(layer) });
    this.context.open(block.getAttribute("data-tab") ?? "path");
  }

  figures() {
    const { step } = current();
    return step ? [this.figure.export(() => ledgerTable(step))] : [];
  }
}

/**
 * Brightness 0 to 1 of every head's largest weight beyond the first block of positions.
 * @param {{blocks: number, data: string}} pooled @returns {number[]}
 */
export function strongest(pooled) {
  const data = bytes(pooled.data);
  return Array.from({ length: data.length / pooled.blocks }, (_, p) => {
    const row = data.subarray(p * pooled.blocks + 1, (p + 1) * pooled.blocks);
    return Math.max(0, ...row) / 255;
  });
}

/** @param {string} word @param {number} letters */
function clip(word, letters) {
  const signs = Array.from(word);
  return signs.length > letters ? `${signs.slice(0, letters - 1).join("")}…` : word;
}
