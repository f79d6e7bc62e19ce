// Small sums behind pictures: axis marks and tables.
import assert from "node:assert/strict";
import test from "node:test";
import { ledgerTable, lensTable, readLens } from "../../../tutor/panels/assets/layer_data.js";
import { ticks } from "../../../tutor/panels/assets/spread_plot.js";

const pack = (...values) => Buffer.from(Float32Array.from(values).buffer).toString("base64");

test("axis marks are round, inside the ends, and few, also for tiny and one-sided ranges", () => {
  assert.deepEqual(ticks(-2.3, 2.6), [-2, -1, 0, 1, 2]);
  assert.deepEqual(ticks(0.0011, 0.0019), [0.0012, 0.0014, 0.0016, 0.0018]);
  for (const [low, high] of [
    [-1e-7, 3e-7],
    [5, 1000],
    [-0.3, -0.1],
  ]) {
    const marks = ticks(low, high);
    assert.ok(marks.length >= 2 && marks.length <= 6 && marks.every((mark) => mark >= low && mark <= high), `${low}`);
  }
});

test("a table row holds the numbers of its own layer", () => {
  const layers = {
    resid: pack(1, 2, 3, 4, 5, 6),
    attn: pack(7, 8),
    mlp: pack(9, 10),
    ln_mean: pack(11, 12, 13, 14),
    ln_var: pack(15, 16, 17, 18),
    ln_f: [19, 20],
  };
  const { columns, rows } = ledgerTable({ layers });
  assert.deepEqual(rows[1], [1, 4, 8, 5, 10, 6, 13, 17, 14, 18]);
  assert.deepEqual(rows[2].slice(6, 8), [19, 20]);
  assert.ok(rows.every((row) => row.length === columns.length));
});

test("the lens keeps word, probability and layer together", () => {
  const lens = {
    k: 2,
    ids: [
      [1, 2],
      [3, 4],
    ],
    texts: [
      ["a", "b"],
      ["c", "d"],
    ],
    probs: pack(0.5, 0.25, 0.75, 0.125),
    chosen: pack(0.1, 0.2),
    entropy: pack(1, 2),
  };
  assert.equal(readLens(lens).probs[3], 0.125);
  const step = { i: 4, token: { text: "x" }, lens };
  assert.deepEqual(lensTable([step, { lens: null }]).rows[3], [4, "x", 1, 1, 4, "d", 0.125, Math.fround(0.2), 2]);
});
