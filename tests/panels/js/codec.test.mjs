// Text of a reply from its tokens' bytes: a broken character on the page is the bug guarded here.
import assert from "node:assert/strict";
import test from "node:test";
import { floats, missing, replyText, tokenBytes, units } from "../../../tutor/panels/assets/codec.js";

const part = (hex) => ({ id: 1, text: `⟨${hex}⟩`, piece: `<0x${hex}>`, hex });
const word = (text) => ({ id: 2, text, piece: text });

test("base64 becomes the same float32 numbers", () => {
  const source = Float32Array.of(0.1, -3.5, 1e-30, 16777217);
  const text = Buffer.from(source.buffer).toString("base64");
  assert.deepEqual(floats(text), source);
});

test("a character in three tokens is one unit that appears only when complete", () => {
  const tokens = [word(" a"), part("e6"), part("ae")];
  assert.deepEqual(
    units(tokens).map((unit) => unit.text),
    [" a"],
  );
  const whole = units([...tokens, part("8b")]);
  assert.deepEqual(
    whole.map((unit) => [unit.text, unit.first, unit.last]),
    [
      [" a", 0, 0],
      ["残", 1, 3],
    ],
  );
});

test("bytes that never become a character leave no sign in the text, but keep their place", () => {
  const tokens = [word("x"), part("e6"), word("y")];
  assert.equal(replyText(tokens), "xy");
  assert.deepEqual(
    units(tokens, true).map((unit) => unit.last),
    [0, 2],
  );
  assert.equal(replyText([word("x"), part("f0"), part("9f")]), "x");
});

test("control tokens and control characters are not text; line ends are", () => {
  assert.equal(replyText([{ ...word("</s>"), special: true }, word("\u001b[31m"), word("\nb")]), "[31m\nb");
});

test("display text is not the token's bytes where they differ", () => {
  assert.deepEqual(tokenBytes({ id: 1, text: "⏎", piece: "x", raw: "\n" }), Uint8Array.of(10));
});

test("missing bytes are counted for every length of character", () => {
  for (const [text, size] of [
    ["é", 2],
    ["残", 3],
    ["😀", 4],
  ]) {
    const all = new TextEncoder().encode(text);
    for (let n = 1; n <= size; n++) assert.equal(missing(all.subarray(0, n)), size - n);
  }
});
