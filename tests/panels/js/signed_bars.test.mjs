// Bars of signed numbers: in proportion, on the right side of zero, all inside.

import assert from "node:assert/strict";
import { test } from "node:test";
import { layBars } from "../../../tutor/panels/assets/signed_bars.js";

test("bars are in proportion and stand on one zero line", () => {
  const [up, down, most] = layBars([1, -2, 4], 30, 62);
  assert.equal(up.tall * 4, most.tall);
  assert.equal(down.tall, up.tall * 2);
  assert.equal(up.y + up.tall, down.y);
  assert.equal(up.y + up.tall, most.y + most.tall);
});

test("nothing is drawn outside, whatever the signs", () => {
  for (const values of [[3, 1], [-3, -1], [0, 0], [1e-9, -1e9], []]) {
    for (const bar of layBars(values, 100, 44)) {
      assert.ok(bar.x >= 0 && bar.x + bar.wide <= 100 && bar.y >= 0 && bar.y + bar.tall <= 44.5, JSON.stringify(values));
    }
  }
});
