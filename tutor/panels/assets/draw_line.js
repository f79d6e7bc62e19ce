// Where each candidate lies on the line from 0 to 1 that the random number falls on. Pure.

/**
 * @typedef {import("./store.js").Candidate} Candidate
 * @typedef {{pieces: {item: Candidate, from: number, to: number}[], end: number, found: boolean}} Line
 */

/**
 * Lay the kept candidates end to end, most probable first, as far as their places are certain.
 *
 * Not every kept token is in the record, so a place is certain only while no token outside it can
 * come before: the record holds the highest raw scores, hence a token outside is at most as probable
 * as any recorded one that the repetition penalty left alone. Beyond that the drawn token's place is
 * still certain if the number falls where the recorded ones put it, because a token missing before
 * it would be at least as wide as it is.
 * @param {Candidate[]} list recorded candidates, by raw score; the drawn one may be appended
 * @param {number} drawn id of the drawn token
 * @param {number | null} draw the random number
 * @param {Set<number>} penalised ids that the repetition penalty touched
 * @returns {Line}
 *   `end` is where certainty ends (1 if all are there); `found`: the drawn token has a place
 */
export function linePieces(list, drawn, draw, penalised) {
  const kept = list.filter((item) => item.prob > 0).sort((a, b) => b.prob - a.prob || a.id - b.id);
  const whole = Math.abs(kept.reduce((sum, item) => sum + item.prob, 0) - 1) < 1e-9;
  const bound = whole ? 0 : lowerBound(list, drawn, penalised);
  const pieces = [];
  let from = 0;
  let end = 0;
  for (const item of kept) {
    const to = from + item.prob;
    const certain = item.prob >= bound;
    const hit = item.id === drawn && draw !== null && draw >= from && draw < to + 1e-12;
    if (certain || hit) pieces.push({ item, from, to });
    if (certain) end = to;
    from = to;
  }
  return { pieces, end: whole ? 1 : end, found: pieces.some((piece) => piece.item.id === drawn) };
}

/**
 * No token outside the list is more probable than this.
 * @param {Candidate[]} list @param {number} drawn @param {Set<number>} penalised
 */
function lowerBound(list, drawn, penalised) {
  const ranked = list.at(-1)?.id === drawn ? list.slice(0, -1) : list; // the last may have been appended
  const free = ranked.filter((item) => !penalised.has(item.id));
  return free.length ? Math.min(...free.map((item) => item.prob)) : Infinity;
}
