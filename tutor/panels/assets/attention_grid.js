// All heads at a glance: one canvas of thumbnails, layers down, heads across.

import { fit, h, setAttr } from "./dom.js";
import { headName } from "./format.js";
import { COLUMNS } from "./pool.js";
import { select, selection } from "./store.js";

const LEFT = 28;
const TOP = 20;
const GAP = 3;

export class HeadGrid {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.canvas = h("canvas.grid", { tabindex: 0, role: "application" });
    this.store = document.createElement("canvas");
    this.curve = new Uint8Array(256);
    this.element = h("div.gridbox", {}, this.canvas);
    this.shape = { layers: 1, heads: 1, cell: 20, pitch: 23 };
    this.canvas.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#pick(event));
    this.canvas.addEventListener("mousemove", (/** @type {MouseEvent} */ event) => this.#name(event));
    this.canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
  }

  /** @param {import("./store.js").Draft} draft @param {number} query @param {number} power weights are shown as weight^power */
  update(draft, query, power) {
    this.curve = Uint8Array.from({ length: 256 }, (_, i) => Math.round(255 * (i / 255) ** (2 * power)));
    const { n_layer: layers, n_head: heads } = draft.prefill.model;
    const width = this.element.clientWidth;
    const pitch = Math.max(12, Math.min(48, Math.floor((width - LEFT) / heads)));
    this.shape = { layers, heads, pitch, cell: pitch - GAP };
    const [w, t] = [LEFT + heads * pitch, TOP + layers * pitch];
    this.canvas.style.width = `${w}px`;
    this.canvas.style.height = `${t}px`;
    const pen = fit(this.canvas, w, t);
    pen.clearRect(0, 0, w, t);
    this.#labels(pen);
    this.#thumbnails(pen, draft, query);
    this.#mark(pen);
    setAttr(
      this.canvas,
      "aria-label",
      this.context.t("heads_label", { layers, heads, chosen: headName(selection.layer, selection.head) }),
    );
  }

  /** @param {CanvasRenderingContext2D} pen */
  #labels(pen) {
    const { layers, heads, pitch, cell } = this.shape;
    const { colours } = this.context.theme;
    const style = getComputedStyle(this.element);
    pen.font = `11px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    const every = pitch < 20 ? 2 : 1;
    for (let i = 0; i < layers; i += every) {
      pen.fillStyle = `rgb(${colours[i === selection.layer ? "ink" : "ink-3"]})`;
      pen.textAlign = "right";
      pen.fillText(`L${i}`, LEFT - 6, TOP + i * pitch + cell / 2);
    }
    for (let i = 0; i < heads; i += every) {
      pen.fillStyle = `rgb(${colours[i === selection.head ? "ink" : "ink-3"]})`;
      pen.textAlign = "center";
      pen.fillText(`H${i}`, LEFT + i * pitch + cell / 2, TOP / 2 - 1);
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {import("./store.js").Draft} draft @param {number} query */
  #thumbnails(pen, draft, query) {
    const { layers, heads, pitch, cell } = this.shape;
    const grid = draft.grid;
    const blocks = Math.max(1, grid.rows);
    const until = Math.floor(query / grid.width);
    const image = new ImageData(blocks, blocks * grid.pictures);
    const ramp = this.context.theme.attention;
    for (let p = 0; p < grid.pictures; p++)
      for (let row = 0; row < blocks; row++)
        for (let column = 0; column < blocks; column++) {
          const shade = row <= until ? this.curve[grid.data[(p * COLUMNS + row) * COLUMNS + column]] : 0;
          const target = ((p * blocks + row) * blocks + column) * 4;
          for (let c = 0; c < 4; c++) image.data[target + c] = ramp[shade * 4 + c];
        }
    this.store.width = blocks;
    this.store.height = blocks * grid.pictures;
    /** @type {CanvasRenderingContext2D} */ (this.store.getContext("2d")).putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    for (let p = 0; p < layers * heads; p++) {
      const x = LEFT + (p % heads) * pitch;
      const y = TOP + Math.floor(p / heads) * pitch;
      pen.drawImage(this.store, 0, p * blocks, blocks, blocks, x, y, cell, cell);
    }
  }

  /** @param {CanvasRenderingContext2D} pen */
  #mark(pen) {
    const { layers, heads, pitch, cell } = this.shape;
    const { colours } = this.context.theme;
    pen.strokeStyle = `rgb(${colours.line})`;
    pen.lineWidth = 1;
    for (let p = 0; p < layers * heads; p++)
      pen.strokeRect(LEFT + (p % heads) * pitch - 0.5, TOP + Math.floor(p / heads) * pitch - 0.5, cell + 1, cell + 1);
    pen.strokeStyle = `rgb(${colours.ink})`;
    pen.lineWidth = 2;
    const y = TOP + selection.layer * pitch - 1;
    if (selection.head >= 0) pen.strokeRect(LEFT + selection.head * pitch - 1, y, cell + 2, cell + 2);
    else pen.strokeRect(LEFT - 1, y, heads * pitch - GAP + 2, cell + 2);
  }

  /** @param {MouseEvent} event @returns {[number, number] | null} layer and head under the pointer */
  #at(event) {
    const { layers, heads, pitch } = this.shape;
    const layer = Math.floor((event.offsetY - TOP) / pitch);
    const head = Math.floor((event.offsetX - LEFT) / pitch);
    return layer >= 0 && layer < layers && head >= 0 && head < heads ? [layer, head] : null;
  }

  /** @param {MouseEvent} event */
  #pick(event) {
    const at = this.#at(event);
    if (at) select({ layer: at[0], head: at[1] });
  }

  /** @param {MouseEvent} event */
  #name(event) {
    const at = this.#at(event);
    this.canvas.title = at ? headName(...at) : "";
    this.canvas.style.cursor = at ? "pointer" : "default";
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { layers, heads } = this.shape;
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (!move) return;
    event.preventDefault();
    const layer = Math.max(0, Math.min(layers - 1, selection.layer + move[0]));
    select({ layer, head: Math.max(0, Math.min(heads - 1, selection.head + move[1])) });
  }

  /** The pooled picture's own values. @param {import("./store.js").Draft} draft @returns {import("./export.js").Table} */
  table(draft) {
    const { heads } = this.shape;
    const rows = [];
    for (let p = 0; p < draft.grid.pictures; p++)
      for (let row = 0; row < draft.grid.rows; row++)
        for (let column = 0; column <= row; column++) {
          const shade = draft.grid.data[(p * COLUMNS + row) * COLUMNS + column];
          rows.push([
            Math.floor(p / heads),
            p % heads,
            row * draft.grid.width,
            column * draft.grid.width,
            draft.grid.width,
            shade,
          ]);
        }
    return { columns: ["layer", "head", "query_from", "key_from", "block", "pooled_max_shade_0_255"], rows };
  }
}
