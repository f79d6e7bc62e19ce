// Many signed numbers side by side on a canvas: up is positive, down is negative; the pointer reads one.

import { fit, h, setAttr } from "./dom.js";
import { full } from "./format.js";

/**
 * Where each bar stands: from left to right, from the zero line up or down. Pure.
 * @param {ArrayLike<number>} values @param {number} width @param {number} height
 * @returns {{x: number, y: number, wide: number, tall: number}[]}
 */
export function layBars(values, width, height) {
  const list = Array.from(values);
  const top = Math.max(0, ...list);
  const low = Math.min(0, ...list);
  const unit = (height - 2) / (top - low || 1);
  const zero = 1 + top * unit;
  const pitch = width / Math.max(1, list.length);
  const gap = pitch > 4 ? 1 : pitch > 2 ? 0.5 : 0;
  return list.map((value, i) => {
    const tall = Math.max(0.5, Math.abs(value) * unit);
    return { x: i * pitch, y: value >= 0 ? zero - tall : zero, wide: pitch - gap, tall };
  });
}

export class SignedBars {
  /**
   * @param {import("./instruments.js").Context} context @param {string} colour name of a theme colour
   * @param {number} height in pixels
   */
  constructor(context, colour, height) {
    this.context = context;
    this.colour = colour;
    this.height = height;
    this.element = h("canvas.signed", { role: "img" });
    /** @type {ArrayLike<number>} */
    this.values = [];
    /** @type {(index: number) => string} */
    this.name = (index) => `${index}: ${full(this.values[index], true)}`;
    this.element.addEventListener("mousemove", (/** @type {MouseEvent} */ event) => {
      const index = Math.floor((event.offsetX / this.element.clientWidth) * this.values.length);
      setAttr(this.element, "title", index >= 0 && index < this.values.length ? this.name(index) : null);
    });
  }

  /** @param {ArrayLike<number>} values @param {string} label for those who cannot see it @param {(index: number) => string} [name] */
  update(values, label, name) {
    this.values = values;
    if (name) this.name = name;
    const width = this.element.parentElement?.clientWidth || 320;
    this.element.style.width = `${width}px`;
    this.element.style.height = `${this.height}px`;
    setAttr(this.element, "aria-label", label);
    const { colours } = this.context.theme;
    const stamp = [width, this.context.theme.dark, this.colour].join();
    if (this.drawn === values && this.stamp === stamp) return;
    [this.drawn, this.stamp] = [values, stamp];
    const pen = fit(this.element, width, this.height);
    pen.clearRect(0, 0, width, this.height);
    const bars = layBars(values, width, this.height);
    bars.forEach((bar, i) => {
      pen.fillStyle = values[i] >= 0 ? `rgb(${colours[this.colour]})` : `rgba(${colours[this.colour]}, 0.55)`;
      pen.fillRect(bar.x, bar.y, bar.wide, bar.tall);
    });
    const zero = bars.length ? (values[0] >= 0 ? bars[0].y + bars[0].tall : bars[0].y) : this.height / 2;
    pen.fillStyle = `rgb(${colours["ink-3"]})`;
    pen.fillRect(0, Math.round(zero) - 0.5, width, 1);
  }
}
