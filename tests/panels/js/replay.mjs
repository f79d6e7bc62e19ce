// Not a test: replays recorded payloads given on stdin through the browser's own code, prints the result.
import { bytes, floats, replyText } from "../../../tutor/panels/assets/codec.js";
import { PooledGrid, Triangle } from "../../../tutor/panels/assets/pool.js";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { pictures, prompt, grid, steps, rows, tokens } = JSON.parse(text);
const pooled = new PooledGrid(pictures);
steps.forEach((step, i) => i > 0 && pooled.add(prompt + i - 1, step.width, step.blocks, bytes(step.data)));
pooled.load(grid.width, grid.blocks, bytes(grid.data));
const triangle = new Triangle();
for (const part of rows) triangle.append(part.from, part.to, floats(part.data));
const weights = Array.from({ length: triangle.rows }, (_, q) => Array.from(triangle.row(q)));
console.log(
  JSON.stringify({
    width: pooled.width,
    rows: pooled.rows,
    data: Array.from(pooled.data),
    weights,
    text: replyText(tokens),
  }),
);
