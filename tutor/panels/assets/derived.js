// A figure whose numbers the server computes from the record and the weights when they are looked at.

import { setAttr } from "./dom.js";
import { latest } from "./fetching.js";
import { FigureBox } from "./figure.js";
import { current } from "./store.js";

export class Derived {
  /**
   * @param {import("./instruments.js").Context} context @param {string} name of its texts, and of its place
   * @param {...Element} content
   */
  constructor(context, name, ...content) {
    this.name = name;
    this.box = new FigureBox(context, name, "computed", ...content);
    this.element = this.box.element;
    /** @type {any} */
    this.data = null;
  }

  /**
   * The newest answer, or null if there is none to show; the frame says why.
   * @param {string} path of the view with its query @param {string | null} [absent] key if it cannot be asked for
   * @returns {any}
   */
  load(path, absent = null) {
    const { job, draft } = current();
    this.data = null;
    if (!job || !draft || absent) {
      this.box.update(absent);
      return null;
    }
    const { data, fresh } = latest(job, draft, this.name, `view/${path}`);
    const gap = data === null ? "view_gone" : data?.left_out ? "left_out_resid" : null;
    this.box.update(gap, data?.again ? "again" : "computed");
    setAttr(this.box.content, "aria-busy", fresh ? null : "true");
    this.data = gap || !data ? null : data;
    return this.data;
  }

  /** @param {(data: any) => import("./export.js").Table} table @returns {import("./export.js").Figure[]} none without data */
  exports(table) {
    return this.data ? [this.box.export(() => table(this.data))] : [];
  }
}
