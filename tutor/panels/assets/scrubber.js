// The time machine: every reply token a bar (its surprise), one chosen; play, step, drag, keys.

import { fit, h, hold, setAttr, setText } from "./dom.js";
import { full, percent, plain, sig, surprise, visible } from "./format.js";
import { current, select, selection } from "./store.js";

const SPEEDS = [2, 5, 10, 20];
const HEIGHT = 40;
const SHOWN = 41;
const REST = 2; // seconds between two rounds

export class Scrubber {
  /** @param {import("./instruments.js").Context} context */
  constructor(context) {
    this.context = context;
    this.timer = 0;
    this.perSecond = 5;
    this.loops = false;
    this.waited = 0;
    this.#build();
  }

  #build() {
    const button = (/** @type {string} */ sign, /** @type {() => void} */ act) =>
      h("button.key", { type: "button", text: sign, onclick: act });
    this.back = button("‹", () => this.move(-1));
    this.play = button("▶", () => this.toggle());
    this.next = button("›", () => this.move(1));
    this.live = h("button.live", { type: "button", onclick: () => select({ follow: true }) });
    this.pace = h("select.pace", { onchange: () => this.#pace() });
    this.drafts = h("select.pace", {
      onchange: () => select({ draft: Number(this.drafts.value), step: 0, follow: false }),
    });
    this.count = h("span.count.num");
    this.line = h("canvas.line", { tabindex: 0, role: "slider", "aria-valuemin": 1 });
    this.strip = h("div.strip");
    this.fact = h("p.fact");
    this.element = h(
      "div.scrub",
      {},
      h(
        "div.keys",
        {},
        h("span.group", {}, this.back, this.play, this.next),
        this.pace,
        this.live,
        this.drafts,
        this.count,
      ),
      this.line,
      this.strip,
      this.fact,
    );
    this.line.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.#drag(event));
    this.line.addEventListener(
      "pointermove",
      (/** @type {PointerEvent} */ event) => event.buttons && this.#drag(event),
    );
    this.line.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
    this.strip.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const span = /** @type {HTMLElement} */ (event.target).closest("[data-step]");
      if (span instanceof HTMLElement) this.go(Number(span.dataset.step));
    });
  }

  /** Choose a step of the current draft. @param {number} step */
  go(step) {
    const { job, draft } = current();
    if (!draft || !draft.steps.length) return;
    const to = Math.max(0, Math.min(draft.steps.length - 1, step));
    const newest = job?.live && job.draft === draft && to === draft.steps.length - 1;
    select({ step: to, key: null, follow: Boolean(newest) });
  }

  /** @param {number} by */
  move(by) {
    this.pause();
    this.go(selection.step + by);
  }

  pause() {
    this.loops = false;
    clearInterval(this.timer);
    this.timer = 0;
    this.update();
  }

  toggle() {
    if (this.timer) return this.pause();
    const { draft } = current();
    if (!draft) return;
    if (selection.step >= draft.steps.length - 1) this.go(0);
    select({ follow: false });
    this.#run();
    this.update();
  }

  #run() {
    clearInterval(this.timer);
    this.timer = window.setInterval(() => {
      const { job, draft } = current();
      const ended = !draft || (selection.step >= draft.steps.length - 1 && !job?.live);
      if (ended && this.loops) return this.#rest();
      if (ended) return this.pause();
      if (selection.step < draft.steps.length - 1) select({ step: selection.step + 1, key: null });
    }, 1000 / this.perSecond);
  }

  /** At the end of a round: wait a moment, begin again. */
  #rest() {
    this.waited += 1 / this.perSecond;
    if (this.waited < REST) return;
    this.waited = 0;
    select({ step: 0, key: null, follow: false });
  }

  /** Play over and over, until `pause`. */
  loop() {
    if (this.loops || window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.loops = true;
    select({ step: 0, key: null, follow: false });
    this.#run();
  }

  #pace() {
    this.perSecond = Number(this.pace.value);
    if (this.timer) this.#run();
  }

  update() {
    const { t } = this.context;
    const { job, draft, step } = current();
    const total = draft?.steps.length ?? 0;
    setAttr(this.back, "aria-label", t("step_back"));
    setAttr(this.next, "aria-label", t("step_next"));
    setAttr(this.play, "aria-label", t(this.timer ? "pause" : "play"));
    setText(this.play, this.timer ? "❚❚" : "▶");
    this.back.disabled = selection.step <= 0;
    this.next.disabled = selection.step >= total - 1;
    this.play.disabled = total < 2;
    this.live.hidden = !job?.live;
    setText(this.live, t("live"));
    setAttr(this.live, "aria-pressed", selection.follow ? "true" : "false");
    this.#options(job);
    setText(this.count, t("step_of", { n: total ? selection.step + 1 : 0, total }));
    this.#line(draft);
    this.#strip(draft);
    this.#fact(draft, step);
  }

  /** @param {import("./store.js").Job | null} job */
  #options(job) {
    const { t } = this.context;
    setAttr(this.pace, "aria-label", t("pace"));
    hold(this.pace, SPEEDS.length, (i) =>
      h("option", { value: SPEEDS[i], selected: SPEEDS[i] === this.perSecond }),
    ).forEach((option, i) => setText(option, t("pace_n", { n: SPEEDS[i] })));
    const count = job?.drafts.length ?? 0;
    this.drafts.hidden = count < 2;
    setAttr(this.drafts, "aria-label", t("draft"));
    hold(this.drafts, count, (i) => h("option", { value: i })).forEach((option, i) => {
      const state = job?.status.drafts?.find((item) => item.draft === i)?.state;
      setText(option, t(state === "withdrawn" ? "draft_withdrawn" : "draft_n", { n: i + 1 }));
    });
    this.drafts.value = String(selection.draft);
  }

  /** @param {import("./store.js").Draft | null} draft */
  #line(draft) {
    const width = this.line.clientWidth;
    const pen = fit(this.line, width, HEIGHT);
    const { colours } = this.context.theme;
    pen.clearRect(0, 0, width, HEIGHT);
    pen.fillStyle = `rgb(${colours.line})`;
    pen.fillRect(0, HEIGHT - 1, width, 1);
    const steps = draft?.steps ?? [];
    const pitch = this.#pitch(width, steps.length);
    steps.forEach((step, i) => {
      const bits = Math.min(12, surprise(step.logprob) ?? 0);
      const tall = 3 + ((HEIGHT - 6) * bits) / 12;
      const chosen = i === selection.step;
      if (chosen) {
        pen.fillStyle = `rgba(${colours.chosen}, 0.16)`;
        pen.fillRect(i * pitch, 0, Math.max(2, pitch), HEIGHT - 1);
      }
      pen.fillStyle = `rgb(${chosen ? colours.chosen : colours.surprise})`;
      const gap = pitch > 4 ? 1 : 0;
      pen.fillRect(i * pitch + gap / 2, HEIGHT - 1 - tall, Math.max(1, pitch - gap), tall);
    });
    this.#aria(steps);
  }

  /** @param {number} width @param {number} count */
  #pitch(width, count) {
    return Math.min(14, width / Math.max(1, count));
  }

  /** @param {import("./store.js").Step[]} steps */
  #aria(steps) {
    const step = steps[selection.step];
    setAttr(this.line, "aria-label", this.context.t("timeline"));
    setAttr(this.line, "aria-valuemax", Math.max(1, steps.length));
    setAttr(this.line, "aria-valuenow", selection.step + 1);
    setAttr(this.line, "aria-valuetext", step ? `${selection.step + 1}: ${visible(step.token)}` : "");
    setAttr(this.line, "title", this.context.t("timeline_hint"));
  }

  /** @param {import("./store.js").Draft | null} draft */
  #strip(draft) {
    const steps = draft?.steps ?? [];
    const start = Math.max(0, Math.min(selection.step - (SHOWN >> 1), steps.length - SHOWN));
    const spans = hold(this.strip, Math.min(SHOWN, steps.length), () => h("span.tok"));
    spans.forEach((span, i) => {
      const step = steps[start + i];
      setText(span, visible(step.token));
      span.dataset.step = String(start + i);
      setAttr(span, "aria-current", start + i === selection.step ? "true" : null);
    });
    const chosen = spans[selection.step - start];
    if (chosen) this.strip.scrollLeft = chosen.offsetLeft - (this.strip.clientWidth - chosen.offsetWidth) / 2;
  }

  /** @param {import("./store.js").Draft | null} draft @param {import("./store.js").Step | null} step */
  #fact(draft, step) {
    const { t } = this.context;
    if (!draft || !step) return setText(this.fact, t("no_step"));
    const before = draft.tokens[draft.promptLength + step.i - 1];
    const prob = step.candidates.find((item) => item.id === step.token.id)?.raw ?? Math.exp(step.logprob);
    const values = {
      token: plain(step.token),
      prob: percent(prob),
      bits: sig(surprise(step.logprob)),
      before: plain(before),
      position: draft.promptLength + step.i,
    };
    setText(this.fact, t("fact", values));
    setAttr(this.fact, "title", t("fact_full", { logprob: full(step.logprob), prob: full(prob) }));
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const { draft } = current();
    if (!draft) return;
    const box = this.line.getBoundingClientRect();
    clearInterval(this.timer);
    this.timer = 0;
    this.go(Math.floor((event.clientX - box.left) / this.#pitch(box.width, draft.steps.length)));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const total = current().draft?.steps.length ?? 0;
    const moves = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageDown: -10,
      PageUp: 10,
      Home: -total,
      End: total,
    };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (move !== undefined) this.move(move);
    else if (event.key === " " || event.key === "Enter") this.toggle();
    else return;
    event.preventDefault();
  }
}
