// Connects the worker's events with what is shown, and the button with the worker.

import { Locked, follow, hasTicket, order, unlock } from "/link.js";
import { say, show, showGone, showLocked, tick } from "/view.js";

const button = document.getElementById("order");
let snapshot = null;
let ordering = false;

function shown(next) {
  snapshot = next;
  show(next);
}

async function start() {
  try {
    await unlock();
    await follow({ show: shown, gone: () => showGone(snapshot) });
  } catch (error) {
    if (error instanceof Locked) showLocked(error.message);
    else showGone(snapshot);
  }
}

button.addEventListener("click", async () => {
  if (ordering || snapshot === null) return;
  ordering = true;
  button.setAttribute("aria-disabled", "true");
  const draining = !snapshot.standing.draining;
  try {
    shown(await order(draining ? "/api/drain" : "/api/resume"));
    say(draining ? "The worker takes no new jobs; what is under way goes on." : "The worker takes jobs again.");
  } catch (error) {
    if (error instanceof Locked) showLocked(error.message);
    else say(`That did not work: ${error.message}`);
  }
  ordering = false;
  button.removeAttribute("aria-disabled");
});

// A new link may be opened in this very tab.
addEventListener("hashchange", () => {
  if (hasTicket()) location.reload();
});
setInterval(tick, 1_000);
start();
