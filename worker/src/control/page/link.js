// The page's side of the connection: a ticket for a token, then the worker's events.

const KEY = "assay-token";
const TICKET = "#ticket=";
/** The worker sends something every ten seconds at the latest. */
const SILENCE_MS = 30_000;
const POLL_MS = 3_000;
/** Polls until following is tried again. */
const POLLS = 20;

/** The worker wants another link. */
export class Locked extends Error {}

export function hasTicket() {
  return location.hash.startsWith(TICKET);
}

/** Trades the ticket in the link for a token, which stays in this tab alone. */
export async function unlock() {
  if (hasTicket()) {
    const ticket = location.hash.slice(TICKET.length);
    // Nothing of it stays in the address or in the history.
    history.replaceState(null, "", location.pathname);
    const answer = await fetch("/api/session", { method: "POST", body: ticket });
    if (answer.ok) sessionStorage.setItem(KEY, (await answer.json()).token);
    else if (sessionStorage.getItem(KEY) === null) throw new Locked((await answer.json()).message);
  }
  if (sessionStorage.getItem(KEY) === null) throw new Locked("");
}

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) {
    sessionStorage.removeItem(KEY);
    throw new Locked((await answer.json()).message);
  }
  return answer;
}

/** Orders something; gives the snapshot after it. */
export async function order(path) {
  const answer = await ask(path, { method: "POST" });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message);
  return body;
}

/** Calls `show` with every snapshot, `gone` when the worker does not answer. Ends only by `Locked`. */
export async function follow({ show, gone }) {
  let wait = 1_000;
  const shown = (snapshot) => {
    wait = 1_000;
    show(snapshot);
  };
  for (;;) {
    try {
      const followed = await stream(shown);
      if (!followed) await poll(shown);
    } catch (error) {
      if (error instanceof Locked) throw error;
    }
    gone();
    await pause(wait);
    wait = Math.min(wait * 2, 10_000);
  }
}

/** False if the worker has no place for one more follower. */
async function stream(shown) {
  const silence = new AbortController();
  let timer = 0;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  heard();
  try {
    const answer = await ask("/api/events", { signal: silence.signal });
    if (!answer.ok || answer.body === null) return false;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      heard();
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const data = event.split("\n").find((line) => line.startsWith("data: "));
        if (data !== undefined) shown(JSON.parse(data.slice(6)));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

async function poll(shown) {
  for (let count = 0; count < POLLS; count += 1) {
    const answer = await ask("/api/status");
    if (!answer.ok) return;
    shown(await answer.json());
    await pause(POLL_MS);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
