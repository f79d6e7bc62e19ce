// The line of the draw may only show places that are certain.
import assert from "node:assert/strict";
import test from "node:test";
import { linePieces } from "../../../tutor/panels/assets/draw_line.js";

const item = (id, prob, logit = Math.log(prob || 1e-9)) => ({
  id,
  text: String(id),
  logit,
  raw: prob,
  tempered: prob,
  prob,
});
const none = new Set();
const places = (laid) => laid.pieces.map(({ item: { id }, from, to }) => [id, +from.toFixed(6), +to.toFixed(6)]);

test("with every kept token listed the line is full", () => {
  const laid = linePieces([item(4, 0.5), item(2, 0.3), item(9, 0.2), item(7, 0)], 2, 0.6, none);
  assert.deepEqual(places(laid), [
    [4, 0, 0.5],
    [2, 0.5, 0.8],
    [9, 0.8, 1],
  ]);
  assert.deepEqual([laid.end, laid.found], [1, true]);
});

test("an appended token of unknown rank is not put behind the listed ones", () => {
  const laid = linePieces([item(4, 0.4), item(2, 0.2), item(9, 0.05)], 9, 0.9, none);
  assert.deepEqual(places(laid), [
    [4, 0, 0.4],
    [2, 0.4, 0.6],
  ]);
  assert.equal(laid.found, false);
  assert.ok(Math.abs(laid.end - 0.6) < 1e-12);
});

test("the last listed token has its place when the number falls exactly there", () => {
  const laid = linePieces([item(4, 0.4), item(2, 0.2), item(9, 0.05)], 9, 0.63, none);
  assert.deepEqual(places(laid).at(-1), [9, 0.6, 0.65]);
  assert.equal(laid.found, true);
});

test("a penalised token that sank below tokens outside the list has no certain place", () => {
  const laid = linePieces([item(4, 0.4), item(2, 0.01), item(9, 0.2)], 4, 0.1, new Set([2]));
  assert.deepEqual(places(laid), [
    [4, 0, 0.4],
    [9, 0.4, 0.6],
  ]);
});

test("equal probabilities lie in the order of their ids, as the sampler has them", () => {
  assert.deepEqual(
    places(linePieces([item(8, 0.5), item(3, 0.5)], 3, 0.2, none)).map(([id]) => id),
    [3, 8],
  );
});
