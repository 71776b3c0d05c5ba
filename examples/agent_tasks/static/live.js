// Watches the tasks that have no answer yet. The page is complete without this: it only saves the reloading.
// It asks once for all tasks, less and less often while nothing changes, and not at all while nobody looks.
"use strict";

const SOONEST = 700, LATEST = 5000;
const WORDS = { queued: "Waiting", running: "Working" };
let pause = SOONEST, timer = 0, seen = "";

const live = () => [...document.querySelectorAll("[data-live]")];
const lost = document.querySelector("[data-lost]");

async function look() {
  const response = await fetch("/api/tasks", { headers: { Accept: "application/json" }, cache: "no-store" });
  if (response.status === 401) return location.assign("/");
  if (!response.ok) throw new Error(response.status);
  const overview = await response.json();
  show(overview.credits);
  const known = new Map(overview.tasks.map((task) => [task.id, task]));
  await Promise.all(live().map((card) => update(card, known.get(card.dataset.live))));
  const now = JSON.stringify(overview.tasks.map((task) => [task.state, task.percent, task.stage]));
  pause = now === seen ? Math.min(pause * 1.4, LATEST) : SOONEST;
  seen = now;
}

async function update(card, task) {
  if (!task) return card.removeAttribute("data-live"); // older than the list: the next load of the page has it
  if (!(task.state in WORDS)) return replace(card, task.id);
  card.className = `task ${task.state}`;
  card.querySelector("[data-badge]").textContent = WORDS[task.state];
  card.querySelector("[data-progress]").value = task.percent;
  const stage = card.querySelector("[data-stage]");
  if (stage.textContent !== task.stage) stage.textContent = task.stage; // an equal text would be read aloud again
}

async function replace(card, id) {
  const response = await fetch(`/tasks/${id}/card`, { cache: "no-store" });
  if (!response.ok) throw new Error(response.status);
  const open = card.querySelector("details").open;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.querySelector("article");
  fresh.querySelector("details").open = open;
  card.replaceWith(fresh);
  const [title, badge] = [fresh.querySelector("h3"), fresh.querySelector("[data-badge]")];
  document.querySelector("[data-news]").textContent = `${badge.textContent}: ${title.textContent}`;
}

function show(credits) {
  document.querySelector("[data-credits]").textContent = credits;
  document.querySelector("[data-credits-word]").textContent = credits === 1 ? "credit" : "credits";
}

async function round() {
  clearTimeout(timer);
  if (document.hidden || !live().length) return;
  try {
    await look();
    lost.hidden = true;
  } catch {
    lost.hidden = false;
    pause = LATEST;
  }
  timer = setTimeout(round, pause);
}

document.addEventListener("visibilitychange", round);
round();

// How long the text is, said before it is sent.
const text = document.querySelector("textarea"), hint = document.querySelector("[data-count]");
const price = hint.textContent, limit = Number(text.dataset.limit);
function count() {
  const length = [...text.value.trim()].length;
  hint.textContent = length ? `${length.toLocaleString("en")} of ${limit.toLocaleString("en")} characters` : price;
  hint.classList.toggle("over", length > limit);
}
text.addEventListener("input", count);
if (!text.disabled) count();

// A second press would be a second task.
document.querySelector("[data-composer]").addEventListener("submit", (event) => {
  event.target.querySelector("button").disabled = true;
});
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
