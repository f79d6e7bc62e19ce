// Numbers and sentences for people. Pure functions; no page, no state.

/**
 * Three significant figures, plain where a plain number is readable.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 * @returns {string}
 */
export function sig(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e6)
    return value
      .toExponential(digits - 1)
      .replace("e+", "e")
      .replaceAll("-", "−");
  const rounded = Math.abs(Number(value.toPrecision(digits)));
  const text = rounded >= 10 ** (digits - 1) ? String(Math.round(value)) : value.toPrecision(digits);
  return text.replace("-", "−");
}

/**
 * The shortest decimal that reads back as the same number: float32 for array values, else float64.
 * @param {number | null | undefined} value
 * @param {boolean} [single] the value came from a float32 array
 * @returns {string}
 */
export function full(value, single = false) {
  if (value === null || value === undefined) return "–";
  if (!single || !Number.isFinite(value)) return String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

/**
 * A probability as a percentage with three significant figures, e.g. "83.1%".
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function percent(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0%";
  if (value < 1e-4) return "<0.01%";
  if (value > 0.9995) return value < 1 ? ">99.9%" : "100%";
  const hundred = value * 100;
  return `${hundred >= 10 ? hundred.toFixed(1) : hundred >= 1 ? hundred.toFixed(2) : hundred.toPrecision(2)}%`;
}

/**
 * Fill "{name}" places of a sentence; unknown names stay as they are.
 * @param {string} template
 * @param {Record<string, unknown>} values
 * @returns {string}
 */
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * A token's text made visible: spaces and line ends get a sign, an empty text its piece.
 * @param {{text: string, piece?: string}} token
 * @returns {string}
 */
export function visible(token) {
  const text = token.text.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/\r/g, "␍");
  if (text === "") return token.piece || "∅";
  return /^ +$/.test(text) ? "␣".repeat(text.length) : text;
}

/**
 * A token's text inside a sentence or a picture: visible, without space around it.
 * @param {{text: string, piece?: string}} token
 * @returns {string}
 */
export function plain(token) {
  return visible(token).trim();
}

/**
 * Surprise of a token in bits: −log2 p.
 * @param {number | null | undefined} logprob natural logarithm
 * @returns {number | null}
 */
export function surprise(logprob) {
  return logprob === null || logprob === undefined || !Number.isFinite(logprob) ? null : -logprob / Math.LN2 + 0;
}

/** @param {number} layer @param {number} head @returns {string} */
export function headName(layer, head) {
  return head < 0 ? `L${layer} · mean` : `L${layer} H${head}`;
}

/**
 * Seconds of work as tokens per second over the last steps.
 * @param {{seconds: number}[]} steps
 * @returns {number | null}
 */
export function speed(steps) {
  const recent = steps.slice(-20);
  const time = recent.reduce((sum, step) => sum + step.seconds, 0);
  return recent.length < 2 || time <= 0 ? null : recent.length / time;
}
