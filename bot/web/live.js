"use strict";
// Keeps the page of a run up to date: the server says when it changed, and the
// parts that differ are taken from the page as it is then. Without this a reload does.
(() => {
  const status = document.getElementById("live");
  if (!status || !window.EventSource) return;
  const page = location.pathname;

  const open = root => new Set([...root.querySelectorAll("details[open] > summary")].map(s => s.textContent));
  const swap = (was, now) => {
    if (!was || !now || was.innerHTML === now.innerHTML) return;
    const kept = open(was);
    const label = was.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    for (const s of now.querySelectorAll("details > summary")) if (kept.has(s.textContent)) s.parentElement.open = true;
    was.replaceChildren(...now.childNodes);
    if (label) was.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
  };
  const show = async () => {
    const answer = await fetch(page, { cache: "no-cache" });
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = next.title;
    for (const part of ["header", "main"]) swap(document.querySelector(part), next.querySelector(part));
  };
  // One look at a time; what comes meanwhile asks for one more.
  let busy = false, again = false;
  const look = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try { await show(); } catch { status.textContent = "The server does not answer; this page may be old."; }
    busy = false;
    if (again) { again = false; look(); }
  };

  const events = new EventSource(page + "/events");
  const say = text => { if (status.textContent !== text) status.textContent = text; };
  events.addEventListener("open", () => say("This page follows the run."));
  events.addEventListener("run", look);
  events.addEventListener("end", async () => { events.close(); await look(); say("The run is over."); });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) {
      say("This page no longer follows the run; reload it.");
    } else {
      say("The server does not answer; this page may be old.");
    }
  });
})();
