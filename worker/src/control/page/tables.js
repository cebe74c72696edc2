// The page's tables.

import { put, role, text } from "/dom.js";
import { bytes, many, milliseconds, plain, short, sol, span } from "/words.js";

const WAITS = { claim: "to claim", commit: "to commit", finalize: "to finalize" };
const NUMBER = "number";
const BAD = new Set(["failing", "foreign"]);

/** The chain's time when the newest snapshot came. Deadlines are judged by it. */
const clock = { time: 0, came: 0 };

export function setClock(time) {
  clock.time = time;
  clock.came = performance.now();
}

/** Once a second: times that run. */
export function tick() {
  for (const cell of document.querySelectorAll("[data-until]")) put(cell, left(Number(cell.dataset.until)));
}

const model = (row) => ({ text: row.model_name ?? short(row.model ?? "none yet"), title: row.model ?? "", mono: row.model_name === null });

export const JOBS = {
  caption: "Jobs of this worker, then open ones that it may claim",
  empty: "No jobs now. Jobs appear here as soon as one is found that this worker may take.",
  columns: [
    ["Job", (job) => ({ text: short(job.job), title: job.job, mono: true })],
    ["Model", model],
    ["State", (job) => ({ text: job.phase, tag: job.phase === "stuck" ? "bad" : job.ours ? "ours" : "plain" })],
    ["Time left", (job) => ({ until: job.deadline, after: WAITS[job.deadline_for] })],
    ["Run takes", (job) => ({ text: job.estimate_ms === null ? "unknown" : milliseconds(job.estimate_ms) }), NUMBER],
    ["Price", (job) => ({ text: sol(job.price) }), NUMBER],
    ["At stake", (job) => ({ text: sol(job.collateral) }), NUMBER],
  ],
};

export const AUDITS = {
  caption: "Audits of own jobs and seats on panels that judge others",
  empty: "No audits now.",
  columns: [
    ["Job", (audit) => ({ text: short(audit.job), title: audit.job, mono: true })],
    ["We are", (audit) => ({ text: audit.role })],
    ["Level", (audit) => ({ text: String(audit.level) })],
    ["Our seat", (audit) => ({ text: audit.seat ?? "none", tag: "plain" })],
    ["Panel", (audit) => ({ text: audit.phase ?? "not open" })],
    ["Time left", (audit) => ({ until: audit.deadline })],
    ["At stake", (audit) => ({ text: sol(audit.at_stake) }), NUMBER],
  ],
};

export const ENGINES = {
  caption: "Engines: processes that run one model each",
  empty: "No model is loaded. Models are loaded when a job needs them.",
  columns: [
    ["Model", model],
    ["State", (engine) => ({ text: engine.sessions ? `${engine.state}, for sessions` : engine.state, tag: engine.state === "running" ? "ours" : "plain" })],
    ["Runs on", (engine) => ({ text: placement(engine.placement) })],
    ["Memory", (engine) => ({ text: bytes(engine.memory) }), NUMBER],
    ["Runs", (engine) => ({ text: engine.runs.toLocaleString("en") }), NUMBER],
    ["Median", (engine) => ({ text: milliseconds(engine.median_ms) }), NUMBER],
    ["95 %", (engine) => ({ text: milliseconds(engine.p95_ms) }), NUMBER],
  ],
};

export const ENDPOINTS = {
  caption: "RPC endpoints, then websockets",
  empty: "No endpoint was asked yet.",
  columns: [
    ["Endpoint", (endpoint) => ({ text: endpoint.host })],
    ["State", (endpoint) => ({ text: health(endpoint), title: endpoint.problem ?? "", tag: BAD.has(endpoint.state) ? "bad" : "plain" })],
    ["Answers in", (endpoint) => ({ text: endpoint.latency_ms === null ? "-" : milliseconds(endpoint.latency_ms) }), NUMBER],
    ["Behind", (endpoint) => ({ text: endpoint.behind === null ? "unknown" : many(endpoint.behind, "slot") }), NUMBER],
  ],
};

function placement(nodes) {
  const parts = nodes.map(({ provider, nodes: count }) => `${provider}: ${many(count, "node")}`);
  return parts.length === 0 ? "unknown" : parts.join(", ");
}

function health({ state: how, in_use: used }) {
  if (!used || how === "alive") return how;
  return how === "healthy" ? "in use" : `${how}, in use`;
}

function left(until) {
  const seconds = until - clock.time - (performance.now() - clock.came) / 1_000;
  return seconds >= 0 ? span(seconds) : `over for ${span(-seconds)}`;
}

/** A table whose rows stay the same elements while their job is the same: focus and reading places survive. */
export function table(holder, { caption, empty, columns }, items, key) {
  if (items.length === 0) {
    if (holder.dataset.kind !== "empty") holder.replaceChildren(text("p", empty, "quiet"));
    holder.dataset.kind = "empty";
    return;
  }
  if (holder.dataset.kind !== "table") holder.replaceChildren(emptyTable(caption, columns));
  holder.dataset.kind = "table";
  const body = holder.firstChild.tBodies[0];
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const used = new Set();
  items.forEach((item, index) => {
    let name = key(item);
    // Two of a kind are two rows.
    while (used.has(name)) name += "+";
    used.add(name);
    const row = known.get(name) ?? emptyRow(name, columns);
    known.delete(name);
    columns.forEach(([, cell], column) => fill(row.cells[column], cell(item)));
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  for (const row of known.values()) row.remove();
}

// On a phone rows become blocks, which would take their meaning from them: hence the roles.
function emptyTable(caption, columns) {
  const whole = role(document.createElement("table"), "table");
  whole.createCaption().textContent = caption;
  const head = role(whole.createTHead(), "rowgroup");
  const row = role(head.insertRow(), "row");
  for (const [name, , kind = ""] of columns) {
    const cell = role(text("th", name, kind), "columnheader");
    cell.scope = "col";
    row.append(cell);
  }
  role(whole.createTBody(), "rowgroup");
  return whole;
}

function emptyRow(name, columns) {
  const row = role(document.createElement("tr"), "row");
  row.dataset.key = name;
  columns.forEach(([label, , kind = ""], index) => {
    const cell = index === 0 ? role(document.createElement("th"), "rowheader") : role(document.createElement("td"), "cell");
    if (index === 0) cell.scope = "row";
    cell.dataset.label = label;
    cell.className = kind;
    cell.append(text("span", ""), text("span", "", "quiet"));
    row.append(cell);
  });
  return row;
}

function fill(cell, { text: words, title = "", tag = "", mono = false, until, after = "" }) {
  const [main, more] = cell.children;
  if (until === undefined || until === null) {
    delete main.dataset.until;
    put(main, words ?? "none");
    put(more, "");
  } else {
    main.dataset.until = String(until);
    put(main, left(until));
    put(more, after === "" ? "" : ` ${after}`);
  }
  if (main.title !== title) main.title = plain(title);
  main.className = [tag === "" ? "" : `tag ${tag}`, mono ? "mono" : ""].join(" ").trim();
}
