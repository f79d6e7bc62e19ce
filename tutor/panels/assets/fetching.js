// On-demand records: exact attention rows, thumbnails of the prompt, full steps. At most one request
// of a kind is on its way, and a live reply is asked at most four times a second.

import { floats, bytes } from "./codec.js";
import { Triangle } from "./pool.js";
import { changed, selection } from "./store.js";

/** @typedef {import("./store.js").Job} Job @typedef {import("./store.js").Draft} Draft */

const PAUSE = 250;
const BRIEF = 60; // between two answers about something that stands still
const LIVE = 600; // between two that follow a reply under way: they cost the model time
const SHARE = 6; // and at least this many times as long as the last one took
const RETRIES = 3;
/** @type {WeakMap<object, number>} */
const asked = new WeakMap();

/** @param {object} key @param {number} [pause] milliseconds @returns {boolean} whether enough time has passed to ask again */
function due(key, pause = PAUSE) {
  const now = performance.now();
  if (now - (asked.get(key) ?? -Infinity) < pause) {
    setTimeout(changed, pause);
    return false;
  }
  asked.set(key, now);
  return true;
}

/**
 * The exact pattern of one head as far as it is here; missing rows up to `need` are asked for.
 * @param {Job} job @param {Draft} draft @param {number} layer @param {number} head −1 for the mean
 * @param {number} need query position wanted
 * @returns {Triangle & {busy?: boolean, absent?: boolean, stored?: string}}
 */
export function pattern(job, draft, layer, head, need) {
  const name = `${layer},${head}`;
  /** @type {any} */
  const triangle = draft.triangles.get(name) ?? Object.assign(new Triangle(), { misses: 0 });
  if (!draft.triangles.has(name)) {
    draft.triangles.set(name, triangle);
    trim(draft.triangles, 12, name);
  }
  if (triangle.rows <= need && !triangle.busy && !triangle.absent && due(triangle)) {
    triangle.busy = true;
    const index = draft.prefill.draft;
    job.get(`attention?layer=${layer}&head=${head}&from=${triangle.rows}&draft=${index}`).then((answer) => {
      triangle.busy = false;
      if (!answer) triangle.absent = ++triangle.misses > RETRIES;
      else if (answer.data === null) triangle.absent = true;
      else {
        triangle.stored = answer.stored;
        triangle.append(answer.from, answer.to, floats(answer.data));
      }
      changed();
    });
  }
  return triangle;
}

/** Forget the oldest entries beyond `keep`. @param {Map<string, any>} map @param {number} keep @param {string} name stays */
function trim(map, keep, name) {
  for (const other of map.keys()) {
    if (map.size <= keep) return;
    if (other !== name) map.delete(other);
  }
}

/** Ask once for the prompt's thumbnails. @param {Job} job @param {Draft} draft */
export function promptThumbnails(job, draft) {
  if (draft.gridState !== "none") return;
  draft.gridState = "asked";
  job.get(`attention/grid?draft=${draft.prefill.draft}`).then((answer) => {
    draft.gridState = answer?.data ? "here" : "absent";
    if (answer?.data) draft.grid.load(answer.width, answer.blocks, bytes(answer.data));
    changed();
  });
}

/**
 * Any JSON answer, asked for once; undefined while on its way, null if there is none.
 * @param {Job} job @param {Draft} draft @param {string} path with its query
 * @returns {any}
 */
export function once(job, draft, path) {
  if (!draft.fetched.has(path)) ask(job, draft, path);
  return draft.fetched.get(path);
}

/**
 * The newest answer for one place on the screen: that of `path` once it is here, until then the one
 * shown before. At most one request a place is on its way; fewer still while a live reply is followed.
 * @param {Job} job @param {Draft} draft @param {string} place @param {string} path with its query
 * @returns {{data: any, fresh: boolean}} data is undefined before the first answer, null if there is none
 */
export function latest(job, draft, place, path) {
  const state = draft.places.get(place) ?? { busy: false, data: undefined, took: 0 };
  draft.places.set(place, state);
  if (draft.fetched.get(path) !== undefined) {
    state.data = draft.fetched.get(path);
    return { data: state.data, fresh: true };
  }
  const following = job.live && selection.follow;
  if (!state.busy && due(state, following ? Math.max(LIVE, SHARE * state.took) : BRIEF)) {
    state.busy = true;
    const begun = performance.now();
    ask(job, draft, path).then(() => {
      state.busy = false;
      state.took = performance.now() - begun;
    });
  }
  return { data: state.data, fresh: following };
}

/** Ask and keep the answer. @param {Job} job @param {Draft} draft @param {string} path */
async function ask(job, draft, path) {
  draft.fetched.set(path, undefined);
  trim(draft.fetched, 64, path);
  const mark = path.includes("?") ? "&" : "?";
  const answer = await job.get(`${path}${mark}draft=${draft.prefill.draft}`);
  draft.fetched.set(path, answer);
  if (answer === null) setTimeout(() => draft.fetched.delete(path), 5000); // may be asked again later
  changed();
}
