// Tables that people take along: a comma or a quote in a token must not shift columns.
import assert from "node:assert/strict";
import test from "node:test";
import { csvField, toCsv, toJson } from "../../../tutor/panels/assets/export.js";

test("tokens made of separators survive", () => {
  assert.equal(
    toCsv({
      columns: ["text", "p"],
      rows: [
        [",", 0.1],
        ['"', null],
        ["a\nb", 1e-9],
      ],
    }),
    'text,p\r\n",",0.1\r\n"""",\r\n"a\nb",1e-9\r\n',
  );
});

test("a cell never becomes a formula, and numbers stay numbers", () => {
  assert.equal(csvField("=1+1"), "'=1+1");
  assert.equal(csvField("@x"), "'@x");
  assert.equal(csvField(-0.5), "-0.5");
});

test("JSON keeps full precision and names", () => {
  assert.deepEqual(JSON.parse(toJson({ columns: ["w"], rows: [[0.1 + 0.2]] })), [{ w: 0.1 + 0.2 }]);
});
