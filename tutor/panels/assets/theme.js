// Colours and style sheets: ours on top of the page's, light or dark by the page's own background.

/** @type {Map<string, Promise<CSSStyleSheet>>} */
const sheets = new Map();

/** @param {string} name file beside this one @returns {Promise<CSSStyleSheet>} */
function sheet(name) {
  const url = new URL(name, import.meta.url).href;
  if (!sheets.has(url)) {
    sheets.set(
      url,
      fetch(url)
        .then((answer) => answer.text())
        .then((text) => new CSSStyleSheet().replace(text)),
    );
  }
  return /** @type {Promise<CSSStyleSheet>} */ (sheets.get(url));
}

/**
 * Give a shadow root (or the document) our style sheets.
 * @param {Node} node anywhere inside it @param {string[]} names
 */
export async function dressRoot(node, names) {
  const root = /** @type {Document | ShadowRoot} */ (node.getRootNode());
  const wanted = await Promise.all(names.map(sheet));
  root.adoptedStyleSheets = [...root.adoptedStyleSheets.filter((item) => !wanted.includes(item)), ...wanted];
}

/** Any CSS colour as [r, g, b] in 0–255. @param {string} text @returns {number[]} */
export function rgb(text) {
  const pen = /** @type {CanvasRenderingContext2D} */ (scratch().getContext("2d", { willReadFrequently: true }));
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = text || "#000";
  pen.fillRect(0, 0, 1, 1);
  return Array.from(pen.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

/** @type {HTMLCanvasElement | null} */
let canvas = null;
function scratch() {
  if (!canvas) {
    canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
  }
  return canvas;
}

/** @param {number[]} colour @returns {boolean} */
export function isDark([r, g, b]) {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 110;
}

/**
 * 256 colours from background over a hue to its strongest shade; equal steps look about equal.
 * @param {number[]} ground @param {number[]} hue @param {number[]} top
 * @returns {Uint8ClampedArray} 256 × 4
 */
export function ramp(ground, hue, top) {
  const out = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    const t = i / 255;
    const [from, to, share] = t < 0.6 ? [ground, hue, t / 0.6] : [hue, top, (t - 0.6) / 0.4];
    for (let c = 0; c < 3; c++) out[i * 4 + c] = from[c] + (to[c] - from[c]) * share;
    out[i * 4 + 3] = 255;
  }
  return out;
}

/**
 * The theme of one mounted element; `check()` is true when it has changed since the last call.
 * @param {HTMLElement} element
 */
export function watchTheme(element) {
  let seen = "";
  const theme = {
    dark: false,
    /** @type {Record<string, number[]>} */
    colours: {},
    /** @type {Uint8ClampedArray} */
    attention: new Uint8ClampedArray(1024),
    /** @type {Uint8ClampedArray} */
    surprise: new Uint8ClampedArray(1024),
    check() {
      const style = getComputedStyle(element);
      const now = style.getPropertyValue("--st-background-color") + style.getPropertyValue("--st-text-color");
      if (now === seen && seen !== "") return false;
      seen = now;
      theme.dark = isDark(rgb(style.getPropertyValue("--st-background-color") || "#fff"));
      element.dataset.theme = theme.dark ? "dark" : "light";
      read(theme, getComputedStyle(element));
      return true;
    },
  };
  return theme;
}

/** @param {any} theme @param {CSSStyleDeclaration} style */
function read(theme, style) {
  for (const name of [
    "ground",
    "ink",
    "ink-2",
    "ink-3",
    "line",
    "attn",
    "attn-top",
    "mlp",
    "resid",
    "chosen",
    "surprise",
    "surprise-top",
  ]) {
    theme.colours[name] = rgb(style.getPropertyValue(`--a-${name}`).trim());
  }
  const { ground, attn, surprise } = theme.colours;
  theme.attention = ramp(ground, attn, theme.colours["attn-top"]);
  theme.surprise = ramp(ground, surprise, theme.colours["surprise-top"]);
}
