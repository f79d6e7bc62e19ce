// One head large: the causal triangle, pixel by pixel; hover reads a weight, a click chooses the row.

import { fit, h, setAttr, setText } from "./dom.js";
import { full, headName, plain } from "./format.js";
import { withoutFirst } from "./pool.js";
import { select, selection } from "./store.js";

const LIMIT = 440;

export class HeadMap {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.canvas = h("canvas.map", { tabindex: 0, role: "application" });
    this.pixels = document.createElement("canvas");
    this.readout = h("p.readout", { "aria-live": "off" });
    this.scale = h("div.scale", {}, h("span", { text: "0" }), h("i.ramp.attn"), h("span", { text: "1" }));
    this.element = h("div.mapbox", {}, this.canvas, this.readout, this.scale);
    /** @type {[number, number] | null} */
    this.hover = null;
    this.side = LIMIT;
    this.painted = "";
    this.done = 0;
    this.canvas.addEventListener("mousemove", (/** @type {MouseEvent} */ event) => this.#move(this.#at(event)));
    this.canvas.addEventListener("mouseleave", () => this.#move(null));
    this.canvas.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#click(event));
    this.canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
  }

  /**
   * @param {import("./store.js").Draft} draft @param {any} triangle @param {number} query
   * @param {{sinkless: boolean, power: number}} look weights are shown as weight^power
   */
  update(draft, triangle, query, look) {
    this.last = { draft, triangle, query, look };
    this.side = Math.min(LIMIT, this.element.clientWidth || LIMIT);
    this.canvas.style.width = this.canvas.style.height = `${this.side}px`;
    const size = Math.max(1, draft.promptLength + Math.max(0, draft.steps.length - 1));
    this.#paint(triangle, size, look);
    const pen = fit(this.canvas, this.side, this.side);
    pen.clearRect(0, 0, this.side, this.side);
    pen.imageSmoothingEnabled = size > this.side * (window.devicePixelRatio || 1);
    pen.drawImage(this.pixels, 0, 0, size, size, 0, 0, this.side, this.side);
    this.#overlay(pen, draft, query, size);
    this.#read();
    const name = headName(selection.layer, selection.head);
    setAttr(this.canvas, "aria-label", this.context.t("map_label", { head: name, size }));
  }

  /**
   * Paint rows that are new, or all when something else changed.
   * @param {any} triangle @param {number} size @param {{sinkless: boolean, power: number}} look
   */
  #paint(triangle, size, look) {
    const capacity = Math.max(64, 2 ** Math.ceil(Math.log2(size)));
    const now = [look.sinkless, look.power, this.context.theme.dark, capacity].join();
    if (now !== this.painted || this.of !== triangle) {
      this.pixels.width = this.pixels.height = capacity;
      this.painted = now;
      this.of = triangle;
      this.done = 0;
    }
    if (this.done >= triangle.rows) return;
    const pen = /** @type {CanvasRenderingContext2D} */ (this.pixels.getContext("2d"));
    pen.putImageData(this.#rows(triangle, capacity, look), 0, this.done);
    this.done = triangle.rows;
  }

  /** The rows not painted yet. @param {any} triangle @param {number} width @param {{sinkless: boolean, power: number}} look */
  #rows(triangle, width, look) {
    const ramp = this.context.theme.attention;
    const image = new ImageData(width, triangle.rows - this.done);
    for (let q = this.done; q < triangle.rows; q++) {
      const row = look.sinkless ? withoutFirst(triangle.row(q)) : triangle.row(q);
      for (let k = 0; k <= q; k++) {
        const shade = Math.round(255 * Math.min(1, row[k]) ** look.power);
        const target = ((q - this.done) * width + k) * 4;
        for (let c = 0; c < 4; c++) image.data[target + c] = ramp[shade * 4 + c];
      }
    }
    return image;
  }

  /** @param {CanvasRenderingContext2D} pen @param {import("./store.js").Draft} draft @param {number} query @param {number} size */
  #overlay(pen, draft, query, size) {
    const { colours } = this.context.theme;
    const unit = this.side / size;
    pen.strokeStyle = `rgb(${colours.line})`;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, 0);
    pen.lineTo(this.side, this.side);
    pen.stroke();
    pen.strokeRect(0.5, 0.5, this.side - 1, this.side - 1);
    pen.strokeStyle = `rgba(${colours["ink-3"]}, 0.35)`;
    for (const part of draft.prefill.parts) {
      pen.beginPath();
      pen.moveTo(0, part.to * unit);
      pen.lineTo(part.to * unit, part.to * unit);
      pen.stroke();
    }
    const tall = Math.max(2, unit);
    pen.strokeStyle = `rgb(${colours.chosen})`;
    pen.lineWidth = 1.5;
    pen.strokeRect(0.75, query * unit - (tall - unit) / 2, Math.max(2, (query + 1) * unit - 1), tall);
    const at = this.hover ?? (selection.key === null ? null : [query, Math.min(query, selection.key)]);
    if (!at) return;
    pen.strokeStyle = `rgb(${colours.ink})`;
    pen.strokeRect(at[1] * unit - 1, at[0] * unit - 1, Math.max(3, unit + 2), Math.max(3, unit + 2));
  }

  /** The exact weight under the pointer, or of the chosen pair. */
  #read() {
    if (!this.last) return;
    const { draft, triangle, query, look } = this.last;
    const { t } = this.context;
    const [q, k] = this.hover ?? [query, Math.min(query, selection.key ?? query)];
    const row = triangle.row(q);
    if (!row) return setText(this.readout, t(triangle.absent ? "row_absent" : "row_waiting"));
    const shown = look.sinkless ? withoutFirst(row) : row;
    const values = { q, k, query: plain(draft.tokens[q]), key: plain(draft.tokens[k]), weight: full(shown[k], true) };
    setText(this.readout, t(look.sinkless ? "weight_rescaled" : "weight", values));
  }

  /** @param {MouseEvent} event @returns {[number, number] | null} query and key under the pointer */
  #at(event) {
    if (!this.last) return null;
    const size = this.last.draft.promptLength + Math.max(0, this.last.draft.steps.length - 1);
    const [q, k] = [event.offsetY, event.offsetX].map((value) => Math.floor((value / this.side) * size));
    return q >= 0 && k >= 0 && q < size && k <= q ? [q, k] : null;
  }

  /** @param {[number, number] | null} at */
  #move(at) {
    if (at?.[0] === this.hover?.[0] && at?.[1] === this.hover?.[1]) return;
    this.hover = at;
    if (this.last) this.update(this.last.draft, this.last.triangle, this.last.query, this.last.look);
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const at = this.#at(event);
    if (!at || !this.last) return;
    const step = at[0] - this.last.draft.promptLength + 1;
    select(step >= 0 ? { step, key: at[1], follow: false } : { key: at[1] });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.last) return;
    const { draft, query } = this.last;
    const key = selection.key ?? query;
    const step = query - draft.promptLength + 1;
    const moves = {
      ArrowLeft: { key: Math.max(0, key - 1) },
      ArrowRight: { key: Math.min(query, key + 1) },
      ArrowUp: { step: Math.max(0, step - 1), follow: false },
      ArrowDown: { step: Math.min(draft.steps.length - 1, step + 1), follow: false },
    };
    const patch = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (!patch) return;
    event.preventDefault();
    select(patch);
  }
}
