// Small helpers to build and update the page. Text only ever enters as text nodes.

/**
 * @param {string} tag "div", "button.primary" …: a name and its classes
 * @param {Record<string, any>} [props] attributes; "on…" are listeners, "text" is the text, "style" custom properties
 * @param {...(Node | string | null)} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  return dress(node, props, children);
}

/**
 * @param {string} tag @param {Record<string, any>} [props] @param {...(Node | string | null)} children
 * @returns {any}
 */
export function svg(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return dress(node, props, children);
}

/** @param {any} node @param {Record<string, any>} props @param {(Node | string | null)[]} children */
function dress(node, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "text") node.textContent = String(value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null) node.append(child);
  return node;
}

/** Set a node's text if it differs. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Show a token: its leading space becomes a faint sign (see base.css) instead of a gap.
 * @param {HTMLElement} node @param {string} text from `visible`
 */
export function setToken(node, text) {
  const spaced = text.length > 1 && text.startsWith(" ");
  setText(node, spaced ? text.slice(1) : text);
  setAttr(node, "data-space", spaced);
}

/** Set or remove an attribute if it differs. @param {Element} node @param {string} name @param {string | number | boolean | null} value */
export function setAttr(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** Set a custom property or style if it differs. @param {any} node @param {string} name @param {string} value */
export function setStyle(node, name, value) {
  if (node.style.getPropertyValue(name) !== value) node.style.setProperty(name, value);
}

/**
 * Make a parent hold exactly `count` children, keeping those it has.
 * @param {Element} parent @param {number} count @param {(index: number) => Element} make
 * @returns {any[]} the children
 */
export function hold(parent, count, make) {
  while (parent.children.length > count) /** @type {Element} */ (parent.lastElementChild).remove();
  for (let i = parent.children.length; i < count; i++) parent.append(make(i));
  return /** @type {any[]} */ (Array.from(parent.children));
}

/**
 * Move the focus among items with arrow keys; only one of them is a tab stop.
 * @param {KeyboardEvent} event @param {HTMLElement[]} items @param {number} [columns] items per row for up and down
 * @returns {HTMLElement | null} the item that got the focus
 */
export function rove(event, items, columns = 0) {
  const at = items.indexOf(/** @type {HTMLElement} */ (event.target));
  const moves = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    Home: -at,
    End: items.length - 1 - at,
  };
  const move = moves[/** @type {keyof typeof moves} */ (event.key)];
  if (at < 0 || move === undefined || (move === 0 && columns === 0)) return null;
  event.preventDefault();
  const target = items[Math.min(items.length - 1, Math.max(0, at + move))];
  target.focus();
  return target;
}

/**
 * A canvas sized for the screen's pixels; returns its context in CSS pixels.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height
 * @returns {CanvasRenderingContext2D}
 */
export function fit(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const w = Math.round(width * ratio);
  const hgt = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== hgt) {
    canvas.width = w;
    canvas.height = hgt;
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}
