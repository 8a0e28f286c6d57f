// The page follows the server: an event says that something changed, the page
// is fetched again, and the parts that differ are exchanged. What the visitor
// opened, focused or typed stays; without this script a reload does the same.
"use strict";

const $ = (id) => document.getElementById(id);

// Each exchangeable element remembers the markup it came with: the visitor's
// own changes, such as an opened <details>, must not count as news.
const came = new WeakMap();
const parts = (root) => root.querySelectorAll("[data-live]");
for (const part of parts(document)) for (const child of part.children) came.set(child, child.outerHTML);

// exchange makes part's children those of fresh, which are told apart by id.
function exchange(part, fresh) {
  const old = new Map([...part.children].map((child) => [child.id, child]));
  let place = part.firstElementChild;
  for (const child of [...fresh.children]) {
    const before = old.get(child.id);
    old.delete(child.id);
    if (before && came.get(before) === child.outerHTML) {
      if (before === place) place = place.nextElementSibling;
      else part.insertBefore(before, place);
      continue;
    }
    came.set(child, child.outerHTML);
    if (before) {
      keep(before, child);
      if (before === place) place = place.nextElementSibling;
      const focused = document.activeElement;
      const id = before.contains(focused) ? focused.id : "";
      before.replaceWith(child);
      if (id && $(id)) $(id).focus({ preventScroll: true });
    } else {
      part.insertBefore(child, place);
    }
    relate(child);
  }
  for (const gone of old.values()) gone.remove();
}

// keep carries over what is open and how far it is scrolled. The details of one
// element are told apart by their place; a run that is over stays as it was.
function keep(before, after) {
  const all = (root, tag) => [...(root.matches(tag) ? [root] : []), ...root.querySelectorAll(tag)];
  const now = all(after, "details");
  all(before, "details").forEach((details, i) => { if (now[i]) now[i].open = details.open; });
  const boxes = all(after, "pre");
  all(before, "pre").forEach((pre, i) => { if (pre.scrollTop && boxes[i]) queueMicrotask(() => { boxes[i].scrollTop = pre.scrollTop; }); });
}

// tell speaks what changed to those who do not see it.
function tell(fresh) {
  const news = [];
  for (const check of fresh.querySelectorAll("[data-check]")) {
    const before = document.querySelector(`[data-check="${CSS.escape(check.dataset.check)}"]`);
    if (!before || before.dataset.state !== check.dataset.state) news.push(`${check.dataset.check}: ${check.dataset.state.replaceAll("_", " ")}`);
  }
  for (const comment of fresh.querySelectorAll("[data-comment]")) {
    if (!$(comment.id)) news.push(`${comment.dataset.author} commented`);
  }
  if (news.length) $("news").textContent = news.join(". ");
}

let busy = false, again = false;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    tell(fresh);
    for (const part of parts(fresh)) {
      const here = document.querySelector(`[data-live="${part.dataset.live}"]`);
      if (here) exchange(here, part);
    }
    document.title = fresh.title;
  } catch {
    // The stream says when the server is back, and that refreshes.
  } finally {
    busy = false;
    if (again) { again = false; refresh(); }
  }
}

// relate writes times as people say them; the exact one is in the tooltip.
function relate(root) {
  for (const time of root.querySelectorAll("time")) {
    const s = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
    const text = s < 5 ? "just now" : s < 90 ? `${s} s ago` : s < 5400 ? `${Math.round(s / 60)} min ago`
      : s < 129600 ? `${Math.round(s / 3600)} h ago` : `on ${time.title.slice(0, 10)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

function follow() {
  const say = (state, text) => {
    $("link").dataset.link = state;
    if ($("link-text").textContent !== text) $("link-text").textContent = text;
  };
  const stream = new EventSource("/_page/events");
  stream.addEventListener("open", () => say("live", "Live"));
  stream.addEventListener("changed", refresh);
  stream.addEventListener("error", () => {
    say("lost", "Connection lost, trying again");
    // A browser gives up on an answer that is no stream, such as a proxy's.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  });
  addEventListener("pagehide", () => stream.close());
}

// A comment is sent without leaving the page, so that nothing on it closes.
async function send(event) {
  event.preventDefault();
  const form = event.target, button = event.submitter, data = new FormData(form, button);
  const problem = $("comment-problem");
  if (button) button.disabled = true;
  problem.textContent = "";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(data) });
    if (answer.ok) {
      if (form.id === "comment") $("comment-body").value = "";
    } else if (answer.status === 422) {
      const refused = new DOMParser().parseFromString(await answer.text(), "text/html");
      problem.textContent = refused.getElementById("comment-problem").textContent;
    } else {
      problem.textContent = await answer.text();
    }
  } catch {
    problem.textContent = "The server cannot be reached. Your text is still in the box.";
  } finally {
    if (button) { button.disabled = false; if (form.id === "variant") $(button.id)?.focus(); }
  }
  refresh();
  if (form.id === "comment") $("comment-body").focus();
}

for (const id of ["comment", "variant"]) $(id)?.addEventListener("submit", send);
for (const button of document.querySelectorAll("[data-fill]")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    $("comment-body").value = button.value;
    $("comment-body").focus();
  });
}
$("comment-body").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("comment").requestSubmit($("comment-send"));
});
// A link to a check run or a workflow run opens it.
function unfold() {
  const target = location.hash && $(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
}
addEventListener("hashchange", unfold);
unfold();
relate(document);
setInterval(() => relate(document), 1000);
follow();
