// Reads a step's layer record, and lays it out as tables to take along. Pure.

import { floats } from "./codec.js";

/** @typedef {import("./export.js").Table} Table @typedef {import("./store.js").Step} Step */

/** @param {import("./store.js").Layers} layers */
export function readLayers(layers) {
  return {
    resid: floats(layers.resid),
    attn: floats(layers.attn),
    mlp: floats(layers.mlp),
    mean: floats(layers.ln_mean),
    variance: floats(layers.ln_var),
    lnF: layers.ln_f,
  };
}

/** @param {import("./store.js").Lens} lens */
export function readLens(lens) {
  const { k, ids, texts } = lens;
  const [probs, chosen, entropy] = [floats(lens.probs), floats(lens.chosen), floats(lens.entropy)];
  return { k, layers: ids.length, ids, texts, probs, chosen, entropy };
}

/** Norms and LayerNorm figures of one step, a layer a row. @param {Step} step @returns {Table} */
export function ledgerTable(step) {
  const s = readLayers(step.layers);
  const norms = ["resid_pre_norm", "attn_out_norm", "resid_mid_norm", "mlp_out_norm", "resid_post_norm"];
  const columns = ["layer", ...norms, "ln1_mean", "ln1_var", "ln2_mean", "ln2_var"];
  const rows = Array.from(s.attn, (attn, l) => {
    const stream = [s.resid[l * 3], attn, s.resid[l * 3 + 1], s.mlp[l], s.resid[l * 3 + 2]];
    return [l, ...stream, s.mean[l * 2], s.variance[l * 2], s.mean[l * 2 + 1], s.variance[l * 2 + 1]];
  });
  return { columns, rows: [...rows, ["ln_f", null, null, null, null, null, s.lnF[0], s.lnF[1], null, null]] };
}

/** The lens of some steps, a word a row. @param {Step[]} steps @returns {Table} */
export function lensTable(steps) {
  const columns = ["step", "token", "layer", "rank", "token_id", "text", "prob", "prob_of_token", "entropy_nats"];
  const rows = steps.flatMap((step) => {
    if (!step.lens) return [];
    const lens = readLens(step.lens);
    return lens.ids.flatMap((ids, l) =>
      ids.map((id, n) => {
        const place = [step.i, step.token.text, l, n, id, lens.texts[l][n]];
        return [...place, lens.probs[l * lens.k + n], lens.chosen[l], lens.entropy[l]];
      }),
    );
  });
  return { columns, rows };
}
