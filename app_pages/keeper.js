// Mounted once, always: hears of replies that have ended, keeps the newest words in view, and guards
// Japanese input. It draws nothing.

/** Ends of replies reach every listener of the window; this one tells Python, once per reply. */
function create() {
  const keeper = {
    pending: new Set(),
    ended: new Set(),
    send: (/** @type {string} */ token) => {},
    report() {
      for (const token of keeper.ended) {
        if (!keeper.pending.has(token)) continue;
        keeper.ended.delete(token);
        keeper.send(token);
        return;
      }
    },
  };

  window.addEventListener("aura:done", (event) => {
    keeper.ended.add(/** @type {CustomEvent} */ (event).detail.job);
    keeper.report();
  });

  // Safari ends a composition first and sends Enter afterwards, with keyCode 229: that Enter chose a
  // word, it does not send the question.
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Enter" && event.keyCode === 229) event.stopImmediatePropagation();
    },
    true,
  );
  return keeper;
}

/** The element that scrolls the conversation: its own pane beside the instruments, else the page. */
function scroller() {
  const pane = document.querySelector(".st-key-conversation");
  if (pane && getComputedStyle(pane).overflowY === "auto") return pane;
  return document.querySelector('[data-testid="stMain"]');
}

/** Follow the end of the conversation while the reader is there; leave the reader alone elsewhere. */
function followEnd() {
  let near = true;
  let height = 0;
  let watched = null;
  const measure = () => {
    const area = scroller();
    const end = document.querySelector(".aura-end");
    if (!area || !end) return;
    near = end.getBoundingClientRect().top < area.getBoundingClientRect().bottom + 96;
  };
  document.addEventListener("scroll", measure, { capture: true, passive: true });
  const follow = () => {
    const pane = document.querySelector(".st-key-conversation");
    const area = scroller();
    if (!pane || !area) return;
    const now = pane === area ? area.scrollHeight : pane.getBoundingClientRect().height;
    const grown = now > height + 1;
    height = now;
    if (!grown || !near || !document.querySelector(".st-key-turns")) return;
    if (pane === area) area.scrollTop = area.scrollHeight;
    else document.querySelector(".aura-end")?.scrollIntoView({ block: "nearest" });
  };
  const observer = new ResizeObserver(follow);
  return () => {
    const content = document.querySelector(".st-key-turns");
    if (content && content !== watched) {
      if (watched) observer.unobserve(watched);
      watched = content;
      near = true;
      observer.observe(content);
    }
  };
}

/** After a reload, ask once for the conversation that this tab had; then remember the one it has. */
function remember(keeper, component) {
  const { session, asked, reloads } = component.data ?? {};
  try {
    const before = sessionStorage.getItem("aura-session");
    if (before && before !== session && !asked && !reloads && !keeper.tried) {
      keeper.tried = true;
      component.setTriggerValue("restore", before);
    } else if (session && (reloads || !keeper.tried)) {
      sessionStorage.setItem("aura-session", session);
    }
  } catch {
    // no storage in this frame: a reload then begins a new conversation
  }
}

export default function (component) {
  const keeper = (window.__auraKeeper ??= create());
  keeper.watch ??= followEnd();
  keeper.pending = new Set(component.data?.pending ?? []);
  keeper.send = (token) => component.setTriggerValue("done", token);
  if (component.data?.lang) document.documentElement.lang = component.data.lang;
  const asked = component.data?.asked ?? 0;
  if (asked > (keeper.asked ?? asked)) document.querySelector(".aura-end")?.scrollIntoView({ block: "nearest" });
  keeper.asked = asked;
  keeper.watch();
  keeper.report();
  remember(keeper, component);
}
