// Take a figure along: PNG and SVG of what is on the screen, CSV and JSON of the exact numbers.

import { h, hold, setAttr, setText } from "./dom.js";

/**
 * @typedef {{columns: string[], rows: (string | number | null)[][]}} Table
 * @typedef {{name: string, title: string, element: HTMLElement, table: () => Table}} Figure
 */

/**
 * One CSV field, quoted where it must be (RFC 4180). A text that a spreadsheet would run as a formula
 * gets an apostrophe in front, as spreadsheets write it themselves.
 * @param {string | number | null} value @returns {string}
 */
export function csvField(value) {
  if (value === null) return "";
  const text = typeof value === "string" && /^[=+@\t-]./.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {Table} table @returns {string} */
export function toCsv(table) {
  return [table.columns, ...table.rows].map((row) => row.map(csvField).join(",")).join("\r\n") + "\r\n";
}

/** @param {Table} table @returns {string} one object a row */
export function toJson(table) {
  const items = table.rows.map((row) => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));
  return JSON.stringify(items, null, 1) + "\n";
}

/** @param {string} name @param {Blob} blob */
function save(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/**
 * The figure as an SVG that carries its own styles and pictures.
 * @param {HTMLElement} element @returns {{text: string, width: number, height: number}}
 */
function toSvg(element) {
  const box = /** @type {HTMLElement} */ (element.closest(".aura"));
  element.classList.add("whole"); // lists that scroll on the screen are taken along in full
  const { width, height } = element.getBoundingClientRect();
  const copy = /** @type {HTMLElement} */ (element.cloneNode(true));
  element.classList.remove("whole");
  const canvases = Array.from(element.querySelectorAll("canvas"));
  copy.querySelectorAll("canvas").forEach((canvas, i) => {
    const source = canvases[i];
    const style = `${canvas.getAttribute("style") ?? ""};width:${source.clientWidth}px;height:${source.clientHeight}px`;
    canvas.replaceWith(h(`img.${source.className || "picture"}`, { src: source.toDataURL(), style }));
  });
  const frame = h("div", { class: box.className, lang: box.lang, "data-theme": box.dataset.theme });
  frame.style.cssText = `${pageVariables(box)};width:${box.clientWidth}px;min-height:0;background:var(--a-ground)`;
  const style = h("style", { text: `${cssText(box)}\n.fig{width:${width}px;margin:0!important}` });
  frame.append(style, copy);
  const inner = new XMLSerializer().serializeToString(frame);
  const pad = 16;
  const [w, t] = [Math.ceil(width) + 2 * pad, Math.ceil(height) + 2 * pad];
  const ground = getComputedStyle(box).getPropertyValue("--a-ground");
  const text =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${t}" viewBox="0 0 ${w} ${t}"><rect width="100%" height="100%" fill="${ground}"/>` +
    `<foreignObject x="${pad}" y="${pad}" width="${w - pad}" height="${t - pad}">${inner}</foreignObject></svg>`;
  return { text, width: w, height: t };
}

/** @param {HTMLElement} box @returns {string} our rules as text */
function cssText(box) {
  const root = /** @type {ShadowRoot | Document} */ (box.getRootNode());
  return root.adoptedStyleSheets
    .map((sheet) => Array.from(sheet.cssRules, (rule) => rule.cssText).join("\n"))
    .join("\n");
}

/** @param {HTMLElement} box @returns {string} the page's variables that our styles use */
function pageVariables(box) {
  const style = getComputedStyle(box);
  const names = ["background-color", "text-color", "font", "code-font"].map((name) => `--st-${name}`);
  return names
    .map((name) => [name, style.getPropertyValue(name)])
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}:${value}`)
    .join(";");
}

/** @param {HTMLElement} element @returns {Promise<Blob>} twice the screen's size */
async function toPng(element) {
  const { text, width, height } = toSvg(element);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { width: width * 2, height: height * 2 }));
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(2, 2);
  pen.drawImage(image, 0, 0);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture")))));
}

/** @type {Record<string, (figure: Figure) => Promise<Blob> | Blob>} */
const FORMATS = {
  PNG: (figure) => toPng(figure.element),
  SVG: (figure) => new Blob([toSvg(figure.element).text], { type: "image/svg+xml" }),
  CSV: (figure) => new Blob(["\ufeff", toCsv(figure.table())], { type: "text/csv" }),
  JSON: (figure) => new Blob([toJson(figure.table())], { type: "application/json" }),
};

/**
 * The button and its list: one line a figure, one button a format.
 * @param {import("./instruments.js").Context} context @param {() => Figure[]} figures
 */
export function exportMenu(context, figures) {
  const button = h("button", { type: "button", "aria-expanded": "false", "aria-haspopup": "true" });
  const list = h("div.list", { hidden: true });
  const element = h("div.export", {}, button, list);
  const show = (/** @type {boolean} */ open) => {
    list.hidden = !open;
    setAttr(button, "aria-expanded", open ? "true" : "false");
    if (open) fillList(context, list, figures());
  };
  button.addEventListener("click", () => show(list.hidden));
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || list.hidden) return;
    show(false);
    button.focus();
  });
  element.addEventListener("focusout", (/** @type {FocusEvent} */ event) => {
    if (event.relatedTarget instanceof Node && !element.contains(event.relatedTarget)) show(false);
  });
  document.addEventListener("pointerdown", (event) => event.composedPath().includes(element) || show(false));
  return { element, update: () => setText(button, context.t("export")) };
}

/** @param {import("./instruments.js").Context} context @param {HTMLElement} list @param {Figure[]} figures */
function fillList(context, list, figures) {
  hold(list, 0, () => h("div"));
  for (const figure of figures) {
    const buttons = Object.entries(FORMATS).map(([format, make]) =>
      h("button", {
        type: "button",
        text: format,
        "aria-label": context.t("export_as", { title: figure.title, format }),
        onclick: async () => save(`aura-${figure.name}.${format.toLowerCase()}`, await make(figure)),
      }),
    );
    list.append(h("div.item", {}, h("span", { text: figure.title }), ...buttons));
  }
}
