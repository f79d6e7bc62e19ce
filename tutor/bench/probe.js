// Runs in the page before its own scripts: notes when events arrive and how long frames take.
// It only listens. Parsing and counting wait for `report`, which is asked for between two replies.

(() => {
  /** @type {{at: number, source: number, name: string, id: string, data: string}[]} */
  const events = [];
  /** @type {{at: number, script: number, whole: number}[]} */
  const frames = [];
  let sources = 0;
  let ends = 0;

  window.EventSource = new Proxy(window.EventSource, {
    construct(target, parameters, made) {
      const line = Reflect.construct(target, parameters, made);
      const source = sources++;
      for (const name of ["status", "prefill", "step", "end"]) {
        line.addEventListener(name, (/** @type {MessageEvent} */ event) => {
          events.push({ at: performance.now(), source, name, id: event.lastEventId, data: event.data });
          if (name === "end") ends++;
        });
      }
      return line;
    },
  });

  // A message sent in a frame's callback is handled after that frame's style, layout and paint.
  const after = new MessageChannel();
  /** @type {{at: number, script: number, whole: number} | null} */
  let frame = null;
  after.port1.onmessage = () => {
    if (!frame) return;
    frames.push({ ...frame, whole: performance.now() - frame.at });
    frame = null;
  };
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) =>
    request((time) => {
      const begun = performance.now();
      if (!frame) {
        frame = { at: begun, script: 0, whole: 0 };
        after.port2.postMessage(null);
      }
      const mine = frame;
      try {
        callback(time);
      } finally {
        mine.script += performance.now() - begun;
      }
    });

  performance.setResourceTimingBufferSize(2000);
  const size = (/** @type {string} */ text) => new TextEncoder().encode(text).length;
  const lines = { event: "event: \n".length, id: "id: \n".length, data: "data: \n\n".length };

  /** The bytes that an event took on its way, by the format of Server-Sent Events. */
  function bytes({ name, id, data }) {
    const numbered = name !== "status"; // a status has no number of its own
    return lines.event + size(name) + lines.data + size(data) + (numbered ? lines.id + size(id) : 0);
  }

  function row(event) {
    const { at, source, name } = event;
    const data = JSON.parse(event.data);
    const rate = data.tokens_per_second ?? null;
    const known = { at, source, name, bytes: bytes(event), draft: data.draft ?? null, rate };
    return name === "prefill" ? { ...known, ids: data.tokens.map((token) => token.id) } : known;
  }

  window.auraProbe = {
    ends: () => ends,
    /** Everything noted since the last report, which is then forgotten. */
    report() {
      const isView = (entry) => entry.name.includes("/aura/jobs/") && !entry.name.includes("/events");
      const views = performance.getEntriesByType("resource").filter(isView);
      const found = {
        events: events.map(row),
        frames: frames.slice(),
        views: views.map((entry) => ({ at: entry.startTime, bytes: entry.transferSize })),
      };
      events.length = 0;
      frames.length = 0;
      performance.clearResourceTimings();
      return found;
    },
  };
})();
