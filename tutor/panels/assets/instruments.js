// The instruments: one tab strip, one scrubber, one view at a time, all on the shared selection.

import { h, rove, setAttr, setText } from "./dom.js";
import { fill } from "./format.js";
import { dressRoot, watchTheme } from "./theme.js";
import { current, openJob, release, select, selection, subscribe } from "./store.js";
import { Scrubber } from "./scrubber.js";
import { exportMenu } from "./export.js";
import { PathView } from "./view_path.js";
import { TokensView } from "./view_tokens.js";
import { AttentionView } from "./view_attention.js";
import { LayersView } from "./view_layers.js";
import { SamplingView } from "./view_sampling.js";

/**
 * What a view may use.
 * @typedef {object} Context
 * @property {(key: string, values?: Record<string, unknown>) => string} t the sentence of a key
 * @property {ReturnType<typeof watchTheme>} theme
 * @property {(tab: string) => void} open show another tab
 *
 * A view is made once and updated often; `figures()` is what can be exported.
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {() => void} update
 * @property {() => import("./export.js").Figure[]} figures
 */

const VIEWS = {
  path: PathView,
  tokens: TokensView,
  attention: AttentionView,
  layers: LayersView,
  sampling: SamplingView,
};
const SHEETS = ["base.css", "instruments.css", "views.css", "derived.css", "path.css"];

/** @param {any} component @param {string} root */
export async function mount(component, root) {
  const box = h("div.aura.inst");
  await dressRoot(component.parentElement, SHEETS);
  component.parentElement.replaceChildren(box);
  return new Instruments(box, root);
}

class Instruments {
  /** @param {HTMLElement} box @param {string} root */
  constructor(box, root) {
    this.box = box;
    this.root = root;
    /** @type {any} */
    this.data = { job: null, labels: {} };
    this.theme = watchTheme(box);
    this.tab = remembered();
    /** @type {string | null} */
    this.newest = null;
    this.touched = false;
    this.touch = () => this.#touch();
    /** @type {Record<string, View>} */
    this.views = {};
    /** @type {Context} */
    this.context = {
      t: (key, values = {}) => fill(this.data.labels[key] ?? key, values),
      theme: this.theme,
      open: (tab) => this.#open(tab),
    };
    /** @type {import("./store.js").Job | undefined} */
    this.held = undefined;
    /** @type {HTMLElement[]} */
    this.tabs = Object.keys(VIEWS).map((name) => this.#tabButton(name));
    this.menu = exportMenu(this.context, () => this.views[this.tab]?.figures() ?? []);
    this.scrubber = new Scrubber(this.context);
    this.lead = h("p.lead");
    this.panel = h("section.panel", { role: "tabpanel", id: "panel", tabindex: -1 });
    this.empty = h("p.empty");
    this.body = h("div.body", {}, this.scrubber.element, this.lead, this.panel);
    this.#build();
    this.stop = subscribe(() => this.#draw());
    this.timer = setInterval(() => this.theme.check() && this.#draw(), 1000);
    this.sizes = new ResizeObserver(() => this.#draw());
    this.sizes.observe(box);
  }

  /** @param {string} name @returns {HTMLElement} */
  #tabButton(name) {
    const props = { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel" };
    return h("button.tab", { ...props, onclick: () => this.#open(name) });
  }

  #build() {
    const onkeydown = (/** @type {KeyboardEvent} */ event) => rove(event, this.tabs)?.click();
    const strip = h("div.tabs", { role: "tablist", onkeydown }, ...this.tabs);
    this.box.replaceChildren(h("div.head", {}, strip, this.menu.element), this.body, this.empty);
    this.box.addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["pointerdown", "keydown"]) this.box.addEventListener(name, () => this.#touch(), true);
    window.addEventListener("aura:select", this.touch);
  }

  /** Someone takes over: stop playing by itself. */
  #touch() {
    if (this.touched) return;
    this.touched = true;
    if (this.scrubber.loops) this.scrubber.pause();
  }

  /** @param {any} component */
  update(component) {
    this.data = component.data ?? this.data;
    this.box.lang = this.data.lang ?? "";
    const job = this.data.job ?? null;
    if (job !== this.newest) {
      this.newest = job;
      this.touched = false;
      this.scrubber.pause();
      select({ job, draft: 0, step: -1, key: null, follow: true });
    }
    this.#hold();
    this.#draw();
  }

  /** Keep the selected job open and let the one before go. */
  #hold() {
    if (selection.job === this.held?.token) return;
    if (this.held) release(this.held);
    this.held = selection.job === null ? undefined : openJob(selection.job, this.root);
    if (this.held) this.held.users += 1;
  }

  destroy() {
    this.stop();
    window.removeEventListener("aura:select", this.touch);
    this.sizes.disconnect();
    clearInterval(this.timer);
    this.scrubber.pause();
    if (this.held) release(this.held);
  }

  /** @param {string} tab */
  #open(tab) {
    this.tab = tab;
    try {
      sessionStorage.setItem("aura-tab", tab);
    } catch {
      /* storage may be forbidden in a frame; the tab is then not remembered */
    }
    this.#draw();
  }

  #draw() {
    this.theme.check();
    this.#hold();
    const { t } = this.context;
    this.tabs.forEach((button, i) => {
      const name = Object.keys(VIEWS)[i];
      setText(button, t(`tab_${name}`));
      setAttr(button, "aria-selected", name === this.tab ? "true" : "false");
      setAttr(button, "tabindex", name === this.tab ? 0 : -1);
    });
    this.menu.update();
    const { job, draft } = current();
    const waiting = !draft;
    this.body.classList.toggle("waiting", waiting);
    this.empty.hidden = !waiting;
    setText(this.empty, t(job?.gone ? "gone" : job ? "waiting" : "empty"));
    if (this.data.play && !this.touched && job?.ended && job.token === this.newest) this.scrubber.loop();
    this.scrubber.update();
    setText(this.lead, t(`lead_${this.tab}`));
    setAttr(this.panel, "aria-labelledby", `tab-${this.tab}`);
    if (draft) this.#drawView();
  }

  #drawView() {
    const name = /** @type {keyof typeof VIEWS} */ (this.tab);
    const view = (this.views[name] ??= new VIEWS[name](this.context));
    if (this.panel.firstChild !== view.element) this.panel.replaceChildren(view.element);
    view.update();
  }

  /** Keys that work anywhere in the instruments. @param {KeyboardEvent} event */
  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/** @type {HTMLElement} */ (event.target).closest("select, input, textarea")) return;
    const act = {
      ",": () => this.scrubber.move(-1),
      ".": () => this.scrubber.move(1),
      p: () => this.scrubber.toggle(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

function remembered() {
  try {
    const tab = sessionStorage.getItem("aura-tab") ?? "";
    return tab in VIEWS ? tab : "path";
  } catch {
    return "path";
  }
}
