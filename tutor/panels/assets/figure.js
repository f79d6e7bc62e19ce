// The frame every figure shares: a title, whether it was measured or computed, a note.

import { h, setAttr, setText } from "./dom.js";

/**
 * @param {import("./instruments.js").Context} context
 * @param {string} name key of its texts: fig_<name>, note_<name>
 * @param {"measured" | "computed"} mark
 */
export class FigureBox {
  /** @param {import("./instruments.js").Context} context @param {string} name @param {"measured" | "computed"} mark @param {...Element} content */
  constructor(context, name, mark, ...content) {
    this.context = context;
    this.name = name;
    this.kind = mark;
    this.title = h("h3");
    this.mark = h(`span.mark.${mark}`);
    this.note = h("p.note");
    this.content = h("div.content", {}, ...content);
    this.absent = h("p.absent", { hidden: true });
    this.element = h("section.fig", {}, h("div.top", {}, this.title, this.mark), this.content, this.absent, this.note);
  }

  /**
   * Texts of the language; `absent` replaces the content by a sentence.
   * @param {string | null} [absent] key @param {"measured" | "computed" | "again"} [kind] if it may change
   */
  update(absent = null, kind = this.kind) {
    const { t } = this.context;
    this.mark.className = `mark ${kind}`;
    setText(this.title, t(`fig_${this.name}`));
    setText(this.mark, t(kind));
    setAttr(this.mark, "title", t(`${kind}_hint`));
    setText(this.note, t(`note_${this.name}`));
    this.content.hidden = absent !== null;
    this.absent.hidden = absent === null;
    if (absent) setText(this.absent, t(absent));
  }

  /** @param {() => import("./export.js").Table} table @returns {import("./export.js").Figure} */
  export(table) {
    return {
      name: this.name.replaceAll("_", "-"),
      title: this.context.t(`fig_${this.name}`),
      element: this.element,
      table,
    };
  }
}

/**
 * Buttons of which one is pressed.
 * @param {import("./instruments.js").Context} context @param {string} label key of the group's name
 * @param {string[]} keys keys of the choices @param {(key: string) => void} act
 */
export function segments(context, label, keys, act) {
  const buttons = keys.map((key) => h("button", { type: "button", onclick: () => act(key) }));
  const element = h("div.segments", { role: "group" }, ...buttons);
  return {
    element,
    /** @param {string} chosen */
    update(chosen) {
      setAttr(element, "aria-label", context.t(label));
      keys.forEach((key, i) => {
        setText(buttons[i], context.t(key));
        setAttr(buttons[i], "aria-pressed", key === chosen ? "true" : "false");
      });
    },
  };
}

/**
 * A box with a sentence that can be ticked.
 * @param {import("./instruments.js").Context} context @param {string} label key @param {(on: boolean) => void} act
 */
export function tick(context, label, act) {
  const input = h("input", { type: "checkbox", onchange: () => act(input.checked) });
  const text = h("span");
  return { element: h("label", {}, input, text), input, update: () => setText(text, context.t(label)) };
}
