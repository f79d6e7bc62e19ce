// Thumbnails grow by merging; a merge that forgets or moves a weight draws a wrong picture.
import assert from "node:assert/strict";
import test from "node:test";
import { blockWidth, COLUMNS, largest, PooledGrid, Triangle, withoutFirst } from "../../../tutor/panels/assets/pool.js";

/** A lower triangle with every value different. */
const value = (q, k) => 1 + ((q * 131 + k * 17) % 255);

function pooledRow(q, width) {
  const out = new Uint8Array(Math.ceil((q + 1) / width));
  for (let k = 0; k <= q; k++) out[Math.floor(k / width)] = Math.max(out[Math.floor(k / width)], value(q, k));
  return out;
}

function direct(size, width) {
  const data = new Uint8Array(COLUMNS * COLUMNS);
  for (let q = 0; q < size; q++)
    for (let k = 0; k <= q; k++) {
      const cell = Math.floor(q / width) * COLUMNS + Math.floor(k / width);
      data[cell] = Math.max(data[cell], value(q, k));
    }
  return data;
}

test("row by row, over every doubling, ends as a fresh pooling of the whole", () => {
  const grid = new PooledGrid(1);
  for (let q = 0; q < 300; q++) {
    const width = blockWidth(q + 1);
    const row = pooledRow(q, width);
    grid.add(q, width, row.length, row);
  }
  assert.equal(grid.width, blockWidth(300));
  assert.deepEqual(grid.data, direct(300, grid.width));
});

test("the prompt's thumbnails may arrive after the reply has grown past their width", () => {
  const prompt = 20;
  const grid = new PooledGrid(1);
  for (let q = prompt; q < 60; q++) {
    const width = blockWidth(q + 1);
    const row = pooledRow(q, width);
    grid.add(q, width, row.length, row);
  }
  const squares = new Uint8Array(prompt * prompt);
  for (let q = 0; q < prompt; q++) for (let k = 0; k <= q; k++) squares[q * prompt + k] = value(q, k);
  grid.load(1, prompt, squares);
  assert.deepEqual(grid.data, direct(60, grid.width));
});

test("triangle rows come back exactly, gaps are refused, and growing keeps what was there", () => {
  const triangle = new Triangle();
  const packed = (from, to) =>
    Float32Array.from({ length: (to * (to + 1) - from * (from + 1)) / 2 }, (_, i) => from * 1000 + i);
  triangle.append(0, 30, packed(0, 30));
  triangle.append(35, 40, packed(35, 40));
  assert.equal(triangle.rows, 30);
  triangle.append(30, 100, packed(30, 100));
  assert.deepEqual(triangle.row(2), Float32Array.of(3, 4, 5));
  assert.equal(triangle.row(30)[0], 30000);
  assert.equal(triangle.row(100), null);
});

test("without the first token the rest sums to one and the original stays as it was", () => {
  const row = Float32Array.of(0.75, 0.125, 0.125);
  assert.deepEqual(withoutFirst(row), Float32Array.of(0, 0.5, 0.5));
  assert.deepEqual(row, Float32Array.of(0.75, 0.125, 0.125));
  assert.deepEqual(withoutFirst(Float32Array.of(1)), Float32Array.of(0));
});

test("equal weights keep the order of the text", () => {
  assert.deepEqual(largest([1, 3, 3, 2], 3), [1, 2, 3]);
});
