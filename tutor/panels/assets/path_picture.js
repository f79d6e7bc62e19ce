// The unchanging part of the path: what a model of that size looks like. Values are set by view_path.js.

import { setAttr, svg } from "./dom.js";

/**
 * @typedef {import("./instruments.js").Context} Context
 * @typedef {import("./store.js").Model} Model
 * @typedef {ReturnType<typeof geometry>} Geometry
 */

/**
 * Where everything stands for a width and a number of layers, in CSS pixels.
 * @param {number} width @param {number} layers
 */
export function geometry(width, layers) {
  const narrow = width < 520;
  const row = layers > 16 ? 30 : 40;
  const margin = narrow ? 4 : 36;
  const side = narrow ? 62 : 132;
  const axis = Math.round(margin + (width - side - margin) / 2);
  const gap = narrow ? 40 : 64;
  const box = axis - margin - gap - (narrow ? 20 : 8);
  const top = 84;
  const bottom = top + layers * row;
  const [left, right, end] = [axis - gap - box, axis + gap, width - side + 12];
  const letters = narrow ? 5 : 12;
  return { width, row, axis, gap, box, top, bottom, narrow, left, right, end, letters, height: bottom + 132 };
}

/**
 * Draw it into an svg element.
 * @param {SVGElement} root @param {Geometry} geo @param {Model} model @param {Context} context
 * @returns the parts that change with the step
 */
export function drawPicture(root, geo, model, context) {
  const { t } = context;
  const input = station(geo, 4, "path_text", "tokens", context);
  const output = station(geo, geo.bottom + 92, "path_next", "sampling", context);
  output.token.classList.add("out");
  const blocks = Array.from({ length: model.n_layer }, (_, l) => layerBlock(geo, l, model, context));
  const pulse = svg("circle.pulse", { cx: geo.axis, cy: 36, r: 5 });
  setAttr(root, "viewBox", `0 0 ${geo.width} ${geo.height}`);
  setAttr(root, "height", geo.height);
  setAttr(root, "aria-label", t("path_label", { layers: model.n_layer }));
  root.replaceChildren(
    svg("line.stream", { x1: geo.axis, x2: geo.axis, y1: 30, y2: geo.bottom + 96, "stroke-width": 2 }),
    stage(geo, 52, t("path_embed", { n: model.n_embd }), "tokens", context),
    ...heading(geo, model, t),
    ...blocks.map((block) => block.group),
    stage(geo, geo.bottom + 16, t("path_final"), "layers", context),
    stage(geo, geo.bottom + 52, t("path_unembed", { n: model.n_vocab.toLocaleString("en") }), "sampling", context),
    pulse,
    input.group,
    output.group,
  );
  return { heads: model.n_head, blocks, input, output, pulse };
}

/**
 * What a block needs to be opened with mouse and keys.
 * @param {Context} context @param {string} name @param {string} tab @param {number} [layer]
 */
function opens(context, name, tab, layer) {
  const label = `${name}: ${context.t("path_open", { tab: context.t(`tab_${tab}`) })}`;
  return { "data-tab": tab, "data-layer": layer, tabindex: 0, role: "button", "aria-label": label };
}

/** @param {Geometry} geo @param {Model} model @param {Context["t"]} t */
function heading(geo, model, t) {
  const y = geo.top - 2;
  const heads = t(geo.narrow ? "path_attn" : "path_attn_heads", { n: model.n_head });
  return [
    svg("text.small.attn", { x: geo.left + geo.box, y, "text-anchor": "end", text: heads }),
    svg("text.small.mlp", { x: geo.right, y, text: t("path_mlp") }),
    svg("text.small", { x: geo.end, y, text: t(geo.narrow ? "path_word_short" : "path_word") }),
  ];
}

/**
 * A token at the beginning or the end.
 * @param {Geometry} geo @param {number} y @param {string} label key @param {string} tab @param {Context} context
 */
function station(geo, y, label, tab, context) {
  const wide = geo.narrow ? 190 : 260;
  const x = geo.axis - wide / 2;
  const token = svg("text.token", { x: geo.axis, y: y + 21, "text-anchor": "middle" });
  const note = svg("text.small", { x: x + wide - 12, y: y + 20, "text-anchor": "end" });
  const group = svg(
    "g.station",
    opens(context, context.t(label), tab),
    svg("rect", { x, y, width: wide, height: 32, rx: 16 }),
    svg("text.small", { x: x + 12, y: y + 20, text: context.t(label) }),
    token,
    note,
  );
  return { group, token, note };
}

/**
 * A named stage on the stream.
 * @param {Geometry} geo @param {number} y @param {string} label @param {string} tab @param {Context} context
 */
function stage(geo, y, label, tab, context) {
  const wide = geo.narrow ? 190 : 260;
  return svg(
    "g.stage",
    opens(context, label, tab),
    svg("rect", { x: geo.axis - wide / 2, y: y - 8, width: wide, height: 24, rx: 4 }),
    svg("text.small", { x: geo.axis, y: y + 8, "text-anchor": "middle", text: label }),
  );
}

/**
 * One layer: attention on the left, MLP on the right, the stream between.
 * @param {Geometry} geo @param {number} l @param {Model} model @param {Context} context
 */
function layerBlock(geo, l, model, context) {
  const y = geo.top + l * geo.row + 6;
  const middle = y + (geo.row - 12) / 2;
  const attn = attentionBox(geo, l, y, model, context);
  const mlp = mlpBox(geo, l, y, context);
  const stream = svg("line.stream.flow", { x1: geo.axis, x2: geo.axis, y1: y - 6, y2: y + geo.row - 6 });
  const norm = svg("text.norm", { x: geo.axis, y: middle + 4, "text-anchor": "middle" });
  const plate = svg("rect.plate", { x: geo.axis - 19, y: middle - 9, width: 38, height: 18, rx: 9 });
  const word = svg("text.word", { x: geo.end, y: middle + 4 });
  const title = svg("title");
  const plain = { "data-tab": "layers", "data-layer": l };
  const group = svg(
    "g.layer",
    {},
    title,
    svg("text.small.name", { x: geo.narrow ? 2 : 8, y: middle + 4, text: `L${l}` }),
    stream,
    ...joints(geo, l, middle),
    attn.group,
    mlp.group,
    svg("g.block", plain, plate, norm),
    svg("g.block", plain, word),
  );
  return { group, stream, attn, mlp, norm, word, title };
}

/** The ways from the stream to both boxes, each through its LayerNorm. @param {Geometry} geo @param {number} l @param {number} middle */
function joints(geo, l, middle) {
  return [-1, 1].flatMap((side) => {
    const x = geo.axis + (side * (geo.gap + 19)) / 2;
    return [
      svg("path.join", { d: `M${geo.axis + side * geo.gap} ${middle}H${geo.axis + side * 19}` }),
      svg(
        "g.block",
        { "data-tab": "layers", "data-layer": l },
        svg("rect.norm-pill", { x: x - 9, y: middle - 7, width: 18, height: 14, rx: 3 }),
        svg("text.pill", { x, y: middle + 3.5, "text-anchor": "middle", text: "LN" }),
      ),
    ];
  });
}

/** @param {Geometry} geo @param {number} l @param {number} y @param {Model} model @param {Context} context */
function attentionBox(geo, l, y, model, context) {
  const tall = geo.row - 12;
  const pitch = (geo.box - 8) / model.n_head;
  const fill = svg("rect.fill.attn", { y, height: tall, width: 2, x: geo.left + geo.box - 2, rx: 3 });
  const value = svg("text.value", { x: geo.left + geo.box - 6, y: y + tall / 2, "text-anchor": "end" });
  const ticks = Array.from({ length: model.n_head }, (_, i) =>
    svg("rect.headtick", {
      x: geo.left + 4 + i * pitch,
      y: y + tall - 7,
      width: Math.max(1, pitch - 1.5),
      height: 4,
      rx: 1,
    }),
  );
  const frame = svg("rect.frame.attn", { x: geo.left, y, width: geo.box, height: tall, rx: 3 });
  const name = `L${l} ${context.t("path_attn")}`;
  const group = svg("g.block", opens(context, name, "attention", l), frame, fill, ...ticks, value);
  return { group, fill, value, ticks };
}

/** @param {Geometry} geo @param {number} l @param {number} y @param {Context} context */
function mlpBox(geo, l, y, context) {
  const tall = geo.row - 12;
  const fill = svg("rect.fill.mlp", { y, height: tall, width: 2, x: geo.right, rx: 3 });
  const value = svg("text.value", { x: geo.right + 6, y: y + tall / 2 + 4 });
  const frame = svg("rect.frame.mlp", { x: geo.right, y, width: geo.box, height: tall, rx: 3 });
  const name = `L${l} ${context.t("path_mlp")}`;
  const group = svg("g.block", opens(context, name, "layers", l), frame, fill, value);
  return { group, fill, value };
}
