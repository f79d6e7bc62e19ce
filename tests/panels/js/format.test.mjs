// What a person reads: wrong here means a wrong number on the page although the record is right.
import assert from "node:assert/strict";
import test from "node:test";
import { fill, full, percent, plain, sig, surprise, visible } from "../../../tutor/panels/assets/format.js";

test("three significant figures, whole numbers never lose digits, tiny ones get an exponent", () => {
  const cases = [
    [0.123456, "0.123"],
    [12.3456, "12.3"],
    [999.6, "1000"],
    [1234.5, "1235"],
    [0.00012345, "0.000123"],
    [0.000012345, "1.23e−5"],
    [-2.5, "−2.50"],
    [0, "0"],
    [2.5e7, "2.50e7"],
  ];
  for (const [value, text] of cases) assert.equal(sig(value), text);
  for (const value of [null, undefined, NaN, Infinity]) assert.equal(sig(value), "–");
});

test("the full number reads back as the very same float32", () => {
  let value = 0.1;
  for (let i = 0; i < 2000; i++) {
    value = Math.fround(value * 1.0137 + 1e-7);
    assert.equal(Math.fround(Number(full(value, true))), value);
  }
  assert.equal(full(Math.fround(0.1), true), "0.1");
  assert.equal(full(0.1 + 0.2), "0.30000000000000004");
});

test("a percentage never claims certainty or impossibility that is not there", () => {
  assert.equal(percent(1), "100%");
  assert.equal(percent(0.99999), ">99.9%");
  assert.equal(percent(0), "0%");
  assert.equal(percent(1e-9), "<0.01%");
  assert.equal(percent(0.831), "83.1%");
  assert.equal(percent(0.0831), "8.31%");
  assert.equal(percent(0.00083), "0.083%");
});

test("sentences keep unknown places, and model text with braces is not filled again", () => {
  assert.equal(fill("{a} and {b}", { a: "{b}" }), "{b} and {b}");
  assert.equal(fill("{a}", { a: "$&" }), "$&");
});

test("tokens without ink are still visible", () => {
  assert.equal(visible({ text: "\n" }), "⏎");
  assert.equal(visible({ text: "  " }), "␣␣");
  assert.equal(visible({ text: "", piece: "<ja>" }), "<ja>");
  assert.equal(plain({ text: " the" }), "the");
});

test("surprise is in bits and a certain token is zero, not minus zero", () => {
  assert.equal(surprise(Math.log(0.25)), 2);
  assert.ok(Object.is(surprise(0), 0));
  assert.equal(surprise(NaN), null);
});
