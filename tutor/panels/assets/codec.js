// Reads what codec.py wrote, and turns tokens into text. Pure functions.

/** @param {string} text base64 @returns {Uint8Array} */
export function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

/** @param {string} text base64 of little-endian float32 @returns {Float32Array} */
export function floats(text) {
  const raw = bytes(text);
  const view = new DataView(raw.buffer);
  const out = new Float32Array(raw.length / 4);
  for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(i * 4, true);
  return out;
}

/**
 * @typedef {{id: number, text: string, piece: string, raw?: string, hex?: string, special?: boolean}} Token
 * @typedef {{text: string, first: number, last: number, special: boolean, broken: boolean}} Unit
 */

const encoder = new TextEncoder();

/** The bytes of a token. @param {Token} token @returns {Uint8Array} */
export function tokenBytes(token) {
  if (token.hex === undefined) return encoder.encode(token.raw ?? token.text);
  const pairs = token.hex.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

/**
 * Bytes still missing to complete the last character; 0 if the bytes end at a character's end.
 * @param {Uint8Array} data @returns {number}
 */
export function missing(data) {
  for (let back = 1; back <= Math.min(3, data.length); back++) {
    const byte = data[data.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return Math.max(0, need - back);
  }
  return 0;
}

/**
 * The text of bytes; what is no character, and control characters but the line end, is left out.
 * @param {Uint8Array} data @returns {string}
 */
function printable(data) {
  return new TextDecoder().decode(data).replace(/[\u0000-\u0008\u000b-\u001f\u007f\ufffd]/g, "");
}

/**
 * Group tokens so that every unit is whole characters: most are one token, a rare character several.
 * @param {Token[]} tokens
 * @param {boolean} [finished] show an unfinished last character as broken instead of holding it back
 * @returns {Unit[]}
 */
export function units(tokens, finished = false) {
  /** @type {Unit[]} */
  const out = [];
  let held = new Uint8Array(0);
  let first = 0;
  const close = (/** @type {number} */ last, /** @type {boolean} */ broken) => {
    out.push({ text: printable(held), first, last, special: false, broken });
    held = new Uint8Array(0);
  };
  tokens.forEach((token, index) => {
    if (token.special) {
      if (held.length) close(index - 1, true);
      out.push({ text: "", first: index, last: index, special: true, broken: false });
      return;
    }
    if (!held.length) first = index;
    const more = tokenBytes(token);
    const joined = new Uint8Array(held.length + more.length);
    joined.set(held);
    joined.set(more, held.length);
    held = joined;
    if (missing(held) === 0) close(index, false);
  });
  if (held.length && finished) close(tokens.length - 1, true);
  return out;
}

/**
 * The text of a reply, without space before its first word.
 * @param {Token[]} tokens @param {boolean} [finished] @returns {string}
 */
export function replyText(tokens, finished = true) {
  return units(tokens, finished)
    .map((unit) => unit.text)
    .join("")
    .replace(/^\s+/, "");
}
