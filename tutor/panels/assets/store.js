// What the page knows: jobs with their events, and the one selection that all views share.
// One event stream per job; subscribers hear of changes at most ten times a second.

import { floats, bytes } from "./codec.js";
import { PooledGrid } from "./pool.js";

/**
 * @typedef {import("./codec.js").Token} Token
 * @typedef {{part: string, from: number, to: number}} Part
 * @typedef {{name: string, device: string, n_layer: number, n_head: number, n_embd: number, n_vocab: number, n_positions: number}} Model
 * @typedef {{id: number, text: string, logit: number, raw: number, tempered: number, prob: number}} Candidate
 * @typedef {{resid: string, attn: string, mlp: string, ln_mean: string, ln_var: string, ln_f: number[]}} Layers
 * @typedef {{k: number, ids: number[][], texts: string[][], probs: string, chosen: string, entropy: string}} Lens
 * @typedef {{draft: number, i: number, token: Token, logprob: number, entropy: number, discarded: number, draw: number | null,
 *   candidates: Candidate[], more: number, layers: Layers, lens: Lens | null,
 *   pooled: {width: number, blocks: number, data: string} | null, seconds: number}} Step
 * @typedef {{draft: number, model: Model, sampling: Record<string, any>, tokens: Token[], parts: Part[], logprobs: string,
 *   seconds: number, dropped_turns: number, has_attention: boolean}} Prefill
 * @typedef {{state: string, place?: number, of?: number, reason?: string, tokens_per_second?: number, notices?: string[],
 *   error?: {key: string, text: string}, drafts?: {draft: number, state: string, reason?: string}[]}} Status
 * @typedef {{job: string | null, draft: number, step: number, layer: number, head: number, key: number | null, follow: boolean}} Selection
 */

const KEEP = 3;
const PERIOD = 100;

/** One draft of a reply: the prompt, the steps so far, and what was fetched about it. */
export class Draft {
  /** @param {Prefill} prefill */
  constructor(prefill) {
    this.prefill = prefill;
    /** @type {Step[]} */
    this.steps = [];
    this.tokens = prefill.tokens.slice();
    this.logprobs = Array.from(floats(prefill.logprobs));
    this.grid = new PooledGrid(prefill.model.n_layer * prefill.model.n_head);
    this.gridState = "none";
    /** @type {Map<string, any>} exact patterns, see fetching.js */
    this.triangles = new Map();
    /** @type {Map<string, any>} */
    this.fetched = new Map();
    /** @type {Map<string, any>} what each place of the screen shows of it, see fetching.js */
    this.places = new Map();
  }

  get promptLength() {
    return this.prefill.tokens.length;
  }

  /** @param {Step} step */
  add(step) {
    if (step.i !== this.steps.length) return;
    this.steps.push(step);
    this.tokens.push(step.token);
    this.logprobs.push(step.logprob);
    if (step.pooled && step.i > 0) {
      this.grid.add(this.promptLength + step.i - 1, step.pooled.width, step.pooled.blocks, bytes(step.pooled.data));
    }
  }

  /** The part of the prompt, or "reply". @param {number} position @returns {string} */
  partOf(position) {
    const part = this.prefill.parts.find((item) => position >= item.from && position < item.to);
    return part ? part.part : "reply";
  }
}

/** One reply of Aura: its drafts and what is known about its state. */
export class Job {
  /** @param {string} token @param {string} root */
  constructor(token, root) {
    this.token = token;
    this.base = new URL(`aura/jobs/${encodeURIComponent(token)}/`, root).href;
    /** @type {Draft[]} */
    this.drafts = [];
    /** @type {Status} */
    this.status = { state: "queued" };
    this.ended = false;
    this.gone = false;
    this.users = 0;
    this.source = new EventSource(`${this.base}events?from=0`);
    this.#listen(this.source);
  }

  get draft() {
    return this.drafts[this.drafts.length - 1] ?? null;
  }

  get live() {
    return !this.ended && !this.gone;
  }

  /** @param {EventSource} source */
  #listen(source) {
    const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ act) =>
      source.addEventListener(name, (event) => {
        act(JSON.parse(/** @type {MessageEvent} */ (event).data));
        changed();
      });
    on("status", (data) => (this.status = data));
    on("prefill", (data) => (this.drafts[data.draft] ??= new Draft(data)));
    on("step", (data) => this.drafts[data.draft]?.add(data));
    on("end", () => {
      this.ended = true;
      source.close();
      announce("aura:done", { job: this.token, reason: this.status.reason ?? this.status.state });
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED || this.ended) return;
      this.gone = true;
      changed();
    });
  }

  /** A JSON answer about this job, or null. @param {string} path @returns {Promise<any>} */
  async get(path) {
    const answer = await fetch(this.base + path).catch(() => null);
    return answer?.ok ? answer.json() : null;
  }

  close() {
    this.source.close();
  }
}

/** @type {Map<string, Job>} */
const jobs = new Map();
/** @type {Set<() => void>} */
const subscribers = new Set();
/** @type {Selection} */
export const selection = { job: null, draft: 0, step: -1, layer: 0, head: 0, key: null, follow: true };
let frame = 0;
let timer = 0;
let lastFlush = 0;

/** @param {string} name @param {object} detail */
function announce(name, detail) {
  window.dispatchEvent(new CustomEvent(name, { detail }));
}

/**
 * The job of that token; its event stream is opened on first use.
 * @param {string} token @param {string} root address the page's own files are relative to
 * @returns {Job}
 */
export function openJob(token, root) {
  const job = jobs.get(token) ?? new Job(token, root);
  jobs.delete(token);
  jobs.set(token, job); // newest last
  evict();
  return job;
}

/** Forget the oldest jobs that nobody uses; they can be streamed again from the server. */
function evict() {
  for (const [token, job] of jobs) {
    if (jobs.size <= KEEP) return;
    if (job.users > 0 || token === selection.job) continue;
    job.close();
    jobs.delete(token);
  }
}

/** @param {Job} job */
export function release(job) {
  job.users = Math.max(0, job.users - 1);
  evict();
}

/** The selected job, draft and step, as far as they exist. @returns {{job: Job | null, draft: Draft | null, step: Step | null}} */
export function current() {
  const job = selection.job === null ? null : (jobs.get(selection.job) ?? null);
  const draft = job?.drafts[selection.draft] ?? null;
  return { job, draft, step: draft?.steps[selection.step] ?? null };
}

/**
 * Change the selection; everyone is told in the next frame.
 * @param {Partial<Selection>} patch
 */
export function select(patch) {
  Object.assign(selection, patch);
  schedule(0);
}

/** Hear of changes. @param {() => void} listener @returns {() => void} stop hearing */
export function subscribe(listener) {
  subscribers.add(listener);
  return () => subscribers.delete(listener);
}

/** New data arrived. */
export function changed() {
  schedule(Math.max(0, lastFlush + PERIOD - performance.now()));
}

/** Tell everyone after a delay, in a frame. @param {number} delay milliseconds */
function schedule(delay) {
  if (frame) return;
  if (delay === 0) {
    clearTimeout(timer);
    timer = 0;
    frame = requestAnimationFrame(flush);
  } else if (!timer) {
    timer = window.setTimeout(() => schedule(0), delay);
  }
}

function flush() {
  frame = 0;
  lastFlush = performance.now();
  followNewest();
  for (const listener of [...subscribers]) {
    try {
      listener();
    } catch (error) {
      console.error(error);
    }
  }
}

function followNewest() {
  const job = selection.job === null ? null : jobs.get(selection.job);
  if (!job?.draft || !selection.follow) return;
  selection.draft = job.drafts.length - 1;
  selection.step = job.draft.steps.length - 1;
}

window.addEventListener("aura:select", (event) => {
  const { job, draft = 0, step } = /** @type {CustomEvent} */ (event).detail;
  select({ job, draft, step, key: null, follow: false });
});
