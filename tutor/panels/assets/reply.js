// One message of Aura: its text as words that can be chosen, its state, its withdrawn drafts.

import { h, hold, setAttr, setText } from "./dom.js";
import { fill, sig, speed } from "./format.js";
import { replyText, units } from "./codec.js";
import { dressRoot, watchTheme } from "./theme.js";
import { openJob, release, selection, subscribe } from "./store.js";

/**
 * @typedef {import("./codec.js").Token} Token
 * @typedef {{index: number, tokens: Token[], steps: {seconds: number}[], sampling: Record<string, any>, model: import("./store.js").Model}} Shown
 */

/**
 * @param {any} component what Streamlit hands over: data, parentElement, setTriggerValue
 * @param {string} root address that our files and jobs are relative to
 */
export async function mount(component, root) {
  const box = h("div.aura.reply");
  await dressRoot(component.parentElement, ["base.css", "reply.css"]);
  component.parentElement.replaceChildren(box);
  return new Reply(box, root);
}

class Reply {
  /** @param {HTMLElement} box @param {string} root */
  constructor(box, root) {
    this.box = box;
    this.root = root;
    this.theme = watchTheme(box);
    /** @type {any} */
    this.data = { job: null, labels: {} };
    /** @type {import("./store.js").Job | null} */
    this.job = null;
    /** @type {Shown[]} */
    this.drafts = [];
    /** @type {import("./store.js").Status} */
    this.status = { state: "queued" };
    this.gone = false;
    this.copied = false;
    this.stamp = "";
    /** @type {string | undefined} */
    this.token = undefined;
    /** @type {Shown | null} */
    this.main = null;
    this.#build();
    this.stop = subscribe(() => this.#draw());
    this.timer = setInterval(() => this.theme.check(), 1000);
  }

  #build() {
    this.withdrawn = h("div");
    this.text = h("div.text", { tabindex: 0, role: "group" });
    this.caret = h("span.caret", { "aria-hidden": "true" });
    this.dot = h("span.dot");
    this.state = h("span");
    this.facts = h("span");
    this.copy = h("button", { type: "button", onclick: () => this.#copyText() });
    this.foot = h("div.foot", {}, h("span.state", {}, this.dot, this.state), this.facts, this.copy);
    this.notices = h("div");
    this.said = h("span.vh", { role: "status" });
    this.box.replaceChildren(this.withdrawn, this.text, this.notices, this.foot, this.said);
    this.box.addEventListener("click", (event) => this.#click(event));
    this.text.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
  }

  /** New data from the page. @param {any} component */
  update(component) {
    this.data = component.data ?? this.data;
    this.box.lang = this.data.lang ?? "";
    if (this.data.job && this.data.job !== this.token) {
      this.token = this.data.job;
      this.job = openJob(this.data.job, this.root);
      this.job.users += 1;
    }
    this.#draw();
  }

  destroy() {
    clearInterval(this.timer);
    this.stop();
    if (this.job) release(this.job);
    this.job = null;
  }

  /** @param {string} key @param {Record<string, unknown>} [values] */
  #t(key, values = {}) {
    return fill(this.data.labels[key] ?? key, values);
  }

  /** Take over what the job has; once it has ended, keep only what the text needs. */
  #read() {
    if (!this.job) return;
    this.status = this.job.status;
    this.gone = this.job.gone;
    this.drafts = this.job.drafts.map((draft, index) => ({
      index,
      tokens: draft.tokens.slice(draft.promptLength),
      steps: draft.steps.map(({ seconds }) => ({ seconds })),
      sampling: draft.prefill.sampling,
      model: draft.prefill.model,
    }));
    if (this.job.live) return;
    release(this.job);
    this.job = null;
  }

  #draw() {
    this.theme.check();
    const chosen = selection.job === this.token ? `${selection.draft},${selection.step}` : "";
    const stamp = [chosen, this.copied, this.data.lang, this.data.text].join();
    if (!this.job && stamp === this.stamp) return;
    this.stamp = stamp;
    const before = this.status.state;
    this.#read();
    const kept = this.status.drafts?.find((draft) => draft.state === "kept")?.draft ?? this.drafts.length - 1;
    const main = this.drafts[kept] ?? null;
    this.main = main;
    this.#drawWithdrawn(kept);
    if (main) this.#words(this.text, main, !this.job);
    else setText(this.text, this.job ? "" : (this.data.text ?? ""));
    if (this.job) this.text.append(this.caret);
    else this.caret.remove();
    setAttr(this.text, "aria-label", this.#t("text_label"));
    setAttr(this.text, "aria-busy", this.job ? "true" : "false");
    this.#drawNotices();
    this.#drawFoot(main);
    if (before !== this.status.state) setText(this.said, this.#stateText());
  }

  /** @param {number} kept */
  #drawWithdrawn(kept) {
    const old = this.drafts.filter((draft) => draft.index !== kept && draft.tokens.length > 0);
    const items = hold(this.withdrawn, old.length, () => h("details.withdrawn", {}, h("summary"), h("div.text")));
    items.forEach((item, i) => {
      const reason = this.status.drafts?.find((draft) => draft.draft === old[i].index)?.reason ?? "";
      setText(item.firstChild, this.#t("withdrawn", { n: old[i].index + 1, reason }));
      this.#words(item.lastChild, old[i], true);
    });
  }

  /** @param {HTMLElement} parent @param {Shown} draft @param {boolean} finished */
  #words(parent, draft, finished) {
    this.caret.remove();
    const list = units(draft.tokens, finished).filter((unit) => unit.text !== "");
    const chosen = selection.job === this.token && selection.draft === draft.index ? selection.step : -1;
    if (parent.firstChild?.nodeType === Node.TEXT_NODE) parent.replaceChildren();
    hold(parent, list.length, () => h("span.u")).forEach((span, i) => {
      const unit = list[i];
      setText(span, i === 0 ? unit.text.trimStart() : unit.text);
      span.dataset.draft = draft.index;
      span.dataset.step = unit.last;
      span.classList.toggle("broken", unit.broken);
      setAttr(span, "aria-current", chosen >= unit.first && chosen <= unit.last ? "true" : null);
    });
  }

  #drawNotices() {
    const notices = [...(this.status.notices ?? []).map((text) => ["notice", text])];
    if (this.status.error) notices.push(["error", this.status.error.text]);
    if (this.gone && !this.data.text && !this.drafts.length) notices.push(["error", this.#t("gone")]);
    hold(this.notices, notices.length, () => h("p")).forEach((item, i) => {
      item.className = notices[i][0];
      setText(item, notices[i][1]);
    });
  }

  #stateText() {
    const { state, place, of, reason } = this.status;
    if (this.gone) return this.#t("state_gone");
    if (state === "queued" && place) return this.#t("state_place", { place, of: of ?? place });
    if (state === "finished") return this.#t(`finish_${reason ?? "end"}`);
    return this.#t(`state_${state}`);
  }

  /** @param {Shown | null} main */
  #drawFoot(main) {
    this.foot.hidden = !this.token;
    this.dot.classList.toggle("on", Boolean(this.job) && this.status.state === "running");
    setText(this.state, this.#stateText());
    setText(this.copy, this.copied ? this.#t("copied") : this.#t("copy"));
    this.copy.hidden = Boolean(this.job);
    if (!main) return;
    const rate = this.status.tokens_per_second ?? speed(main.steps);
    const greedy = main.sampling.temperature === 0;
    const facts = [
      `${main.model.name} · ${main.model.device}`,
      this.#t("tokens", { n: main.tokens.length }),
      rate === null ? "" : this.#t("speed", { n: sig(rate) }),
      greedy
        ? this.#t("greedy")
        : this.#t("seed", { seed: main.sampling.seed, temperature: main.sampling.temperature }),
    ];
    setText(this.facts, facts.filter(Boolean).join("　"));
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const span = /** @type {HTMLElement} */ (event.target).closest?.("[data-step]");
    if (span instanceof HTMLElement) this.#choose(Number(span.dataset.draft), Number(span.dataset.step));
  }

  /** @param {number} draft @param {number} step */
  #choose(draft, step) {
    window.dispatchEvent(new CustomEvent("aura:select", { detail: { job: this.token, draft, step } }));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const spans = Array.from(this.text.querySelectorAll("[data-step]"));
    if (!spans.length || !this.main) return;
    const at = spans.findIndex((span) => span.getAttribute("aria-current"));
    const moves = {
      ArrowLeft: Math.max(0, at - 1),
      ArrowRight: Math.min(spans.length - 1, at + 1),
      Home: 0,
      End: spans.length - 1,
    };
    const to = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (to === undefined) return;
    event.preventDefault();
    this.#choose(this.main.index, Number(spans[to].dataset.step));
    setText(this.said, spans[to].textContent ?? "");
  }

  async #copyText() {
    const text = this.main ? replyText(this.main.tokens) : (this.data.text ?? "");
    this.copied = await copyText(text);
    this.#draw();
    setTimeout(() => {
      this.copied = false;
      this.#draw();
    }, 1600);
  }
}

/**
 * Copy, also where the page sits in a frame without clipboard rights.
 * @param {string} text @returns {Promise<boolean>}
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = /** @type {HTMLTextAreaElement} */ (h("textarea", { style: "position:fixed;opacity:0" }));
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
