// What is shown. Names and error texts come from strangers: all of it goes in as text, never as markup.

import { code, list, put, role, text } from "/dom.js";
import { AUDITS, ENDPOINTS, ENGINES, JOBS, setClock, table, tick as tickTables } from "/tables.js";
import { STATES, brief, bytes, clock, many, plain, short, sol, span, weekday } from "/words.js";

const at = (id) => document.getElementById(id);
const EVENTS = 30;
/** Fields of the log that are lamports. */
const LAMPORTS = new Set(["price", "earned", "collateral", "bond", "payout", "lamports", "stake"]);

let state = "unknown";

export function show(snapshot) {
  setClock(snapshot.chain_time ?? snapshot.at);
  at("content").hidden = false;
  document.body.classList.remove("stale");
  const { standing, identity, jobs, audits, engines } = snapshot;
  enter(standing.state);
  standingNotice(snapshot);
  const provider = text("span", `Provider ${short(identity.provider)}`);
  provider.title = identity.provider;
  at("identity").replaceChildren(provider);
  put(at("version"), `Version ${snapshot.version}, running for ${span(snapshot.at - snapshot.started_at)}.`);
  showMoney(snapshot);
  const ours = jobs.filter((job) => job.ours).length;
  put(at("jobs-count"), `${ours} ours, ${snapshot.watched.toLocaleString("en")} open and watched`);
  table(at("jobs"), JOBS, jobs, (job) => `${job.job} ${job.attempt}`);
  at("audits-section").hidden = audits.length === 0;
  put(at("audits-count"), String(audits.length));
  table(at("audits"), AUDITS, audits, (audit) => `${audit.job} ${audit.role} ${audit.level}`);
  put(at("engines-count"), String(engines.length));
  table(at("engines"), ENGINES, engines, (engine) => `${engine.pid} ${engine.model}`);
  showMachine(snapshot.machine);
  showChain(snapshot.chain);
  showEvents(snapshot.events);
  const order = at("order");
  order.hidden = standing.state === "stopping";
  put(order, standing.draining ? "Take jobs again" : "Stop taking jobs");
}

/** Once a second. What a worker that is gone said stays as it was. */
export function tick() {
  if (state !== "gone") tickTables();
}

export function say(words) {
  put(at("said"), words);
}

export function showGone(last) {
  enter("gone");
  at("order").hidden = true;
  document.body.classList.add("stale");
  const since = last === null ? "" : ` since ${clock(last.at)}`;
  notice("bad", `The worker has not answered${since}`, [
    ["If it was stopped, its committed jobs and its seats still have their deadlines: start it again before them."],
    [last === null ? "This page tries again." : "This page tries again. What stands below is how things stood then."],
  ]);
}

export function showLocked(message) {
  enter("locked");
  at("order").hidden = true;
  at("content").hidden = true;
  notice("calm", "This page needs a link", [
    ["It shows what the worker earns, so it opens with a link for this machine's user only. Run ", code("assay-worker status --open"), "."],
    ...(message === "" ? [] : [[message]]),
  ]);
}

function enter(next) {
  const words = STATES[next] ?? next;
  put(at("state-text"), words);
  at("state").dataset.state = next;
  if (next === state) return;
  if (state !== "unknown") say(`Worker: ${words}.`);
  state = next;
  document.title = `${words} · Assay worker`;
}

function standingNotice({ standing }) {
  const reasons = standing.reasons.map((reason) => [reason.detail || reason.name, text("span", ` since ${clock(reason.since)}`, "quiet")]);
  if (standing.state === "accepting") {
    at("notice").hidden = true;
    return;
  }
  const idle = standing.idle ? "Nothing is under way: the worker may be stopped." : "What is under way goes on to its end.";
  const tone = standing.state === "offline" ? "bad" : "calm";
  notice(tone, "No new jobs are taken", [...reasons, [idle]]);
}

function notice(tone, title, lines) {
  const box = at("notice");
  box.hidden = false;
  box.dataset.tone = tone;
  put(at("notice-title"), title);
  const wanted = lines.map((line) => {
    const paragraph = document.createElement("p");
    paragraph.append(...line.map((part) => (typeof part === "string" ? plain(part) : part)));
    return paragraph;
  });
  const holder = at("notice-text");
  // A screen reader that is in the middle of it is not thrown out.
  if (holder.textContent !== wanted.map((line) => line.textContent).join("")) holder.replaceChildren(...wanted);
}

function showMoney({ earnings, funds }) {
  const figures = [["Today", earnings.today], ["Seven days", earnings.week], ["In all", earnings.total]];
  list(at("earnings"), figures.map(([name, sum]) => ({
    name,
    value: sol(sum.earned),
    notes: [counted(sum), spent(sum)],
  })));
  const most = Math.max(1, ...earnings.days.map((day) => day.earned));
  const days = at("days");
  while (days.children.length > earnings.days.length) days.lastChild.remove();
  earnings.days.forEach((day, index) => {
    const item = days.children[index] ?? days.appendChild(dayItem());
    const [figure, told, bar, name] = item.children;
    put(figure, brief(day.earned));
    put(told, ` SOL, ${many(day.settled, "job")}, `);
    bar.firstChild.style.height = `${Math.round((day.earned / most) * 100)}%`;
    put(name, weekday(day.begins));
    item.title = `${sol(day.earned)}, ${many(day.settled, "job")}`;
  });
  list(at("funds"), [
    { name: "Free stake", value: sol(funds.free_stake), notes: funds.stake === null ? [] : [`of ${sol(funds.stake)}`] },
    { name: "To withdraw", value: sol(funds.withdrawable) },
    { name: "Operator, for fees", value: sol(funds.operator) },
  ]);
}

function counted({ settled, audits, failed }) {
  const parts = [`${settled.toLocaleString("en")} paid`];
  if (audits > 0) parts.push(many(audits, "audit"));
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(", ");
}

function spent({ slashed, fees }) {
  const lost = slashed === 0 ? "" : `, slashed ${brief(slashed)}`;
  return `fees ${brief(fees)}${lost}`;
}

function dayItem() {
  const item = document.createElement("li");
  const bar = text("span", "", "column");
  bar.setAttribute("aria-hidden", "true");
  bar.append(text("span", ""));
  item.append(text("span", "", "day"), text("span", "", "unseen"), bar, text("span", "", "day"));
  return item;
}

function showMachine({ cpu_percent: cpu, cpus, memory, disk, gpus }) {
  const gauges = [
    { name: cpus === null ? "Processor" : `Processor, ${many(cpus, "thread")}`, part: cpu, words: cpu === null ? "unknown" : `${Math.round(cpu)} %` },
    level("Memory", memory),
    level("Disk", disk),
  ];
  gpus.forEach((gpu) => {
    const extra = [
      gpu.celsius === null ? "" : `${Math.round(gpu.celsius)} °C`,
      gpu.watts === null ? "" : `${Math.round(gpu.watts)} W`,
    ].filter((part) => part !== "");
    const load = gpu.percent === null ? "load unknown" : `${Math.round(gpu.percent)} %`;
    gauges.push({ name: gpu.name, part: gpu.percent, words: [load, ...extra].join(", ") });
    gauges.push(level(`${gpu.name}, memory`, gpu.memory));
  });
  const holder = at("machine");
  while (holder.children.length > gauges.length) holder.lastChild.remove();
  gauges.forEach(({ name, part, words }, index) => {
    const item = holder.children[index] ?? holder.appendChild(gauge(index));
    const [label, value, bar] = item.children;
    put(label, name);
    put(value, words);
    const share = Math.min(100, Math.max(0, part ?? 0));
    bar.firstChild.style.width = `${share}%`;
    bar.setAttribute("aria-valuenow", String(Math.round(share)));
    bar.setAttribute("aria-valuetext", words);
    bar.classList.toggle("high", share >= 90);
  });
}

function level(name, value) {
  if (value === null) return { name, part: 0, words: "unknown" };
  return { name, part: (value.used / Math.max(1, value.total)) * 100, words: `${bytes(value.used)} of ${bytes(value.total)}` };
}

function gauge(index) {
  const item = document.createElement("li");
  const label = text("span", "");
  label.id = `gauge-${index}`;
  const bar = role(text("div", "", "bar"), "meter");
  bar.setAttribute("aria-labelledby", label.id);
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  bar.append(text("span", ""));
  item.append(label, text("span", "", "number"), bar);
  return item;
}

function showChain(chain) {
  list(at("clock"), [
    { name: "Readings", value: chain.reachable ? "arriving" : "failing" },
    { name: "Slot", value: chain.slot === null ? "unknown" : chain.slot.toLocaleString("en") },
  ]);
  const websockets = chain.websockets.map((socket) => ({ ...socket, host: `${socket.host}, websocket` }));
  table(at("endpoints"), ENDPOINTS, [...chain.endpoints, ...websockets], (endpoint) => endpoint.host);
}

const LEVELS = { info: "", warn: "Warning", error: "Error" };

function showEvents(events) {
  const holder = at("events");
  at("no-events").hidden = events.length > 0;
  const known = new Map([...holder.children].map((item) => [item.dataset.key, item]));
  events.slice(0, EVENTS).forEach((event, index) => {
    const name = String(event.number);
    const item = known.get(name) ?? eventItem(event, name);
    known.delete(name);
    if (holder.children[index] !== item) holder.insertBefore(item, holder.children[index] ?? null);
  });
  for (const item of known.values()) item.remove();
}

function eventItem(event, name) {
  const item = document.createElement("li");
  item.dataset.key = name;
  item.dataset.level = event.level;
  const time = text("time", clock(event.at));
  time.dateTime = new Date(event.at * 1_000).toISOString();
  const words = text("p", "");
  const label = LEVELS[event.level] ?? event.level;
  if (label !== "") words.append(text("strong", label, `tag ${event.level === "error" ? "bad" : "warn"}`), " ");
  words.append(plain(event.text));
  item.append(time, words);
  const fields = Object.entries(event.fields);
  if (fields.length > 0) {
    const told = text("p", "", "fields");
    fields.forEach(([field, value], index) => told.append(index === 0 ? "" : ", ", fieldItem(field, value)));
    item.append(told);
  }
  return item;
}

function fieldItem(field, value) {
  const address = /^[1-9A-HJ-NP-Za-km-z]{32,}$/.test(value) || /^[0-9a-f]{64}$/.test(value);
  const words = LAMPORTS.has(field) && /^\d+$/.test(value) ? sol(Number(value)) : address ? short(value) : value;
  const item = text("span", `${field} ${words}`);
  if (words !== value) item.title = plain(value);
  return item;
}
