// How numbers, times and names are written.

const SOL = 1_000_000_000;

/** Lamports as SOL; six digits, or as many as it takes not to show nothing. */
export function sol(lamports) {
  if (lamports === null || lamports === undefined) return "unknown";
  if (lamports === 0) return "0 SOL";
  const whole = lamports / SOL;
  const digits = Math.abs(whole) >= 0.000001 ? 6 : 9;
  return `${whole.toLocaleString("en", { maximumFractionDigits: digits })} SOL`;
}

/** The same where there is little room and the unit is known. */
export function brief(lamports) {
  return (lamports / SOL).toLocaleString("en", { maximumSignificantDigits: 2 });
}

export function bytes(count) {
  if (count === null || count === undefined) return "unknown";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) {
    count /= 1024;
    at += 1;
  }
  return `${count.toLocaleString("en", { maximumFractionDigits: count < 10 && at > 0 ? 1 : 0 })} ${units[at]}`;
}

/** Seconds in the two largest units that they fill. */
export function span(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  const units = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return "0 s";
  const [name, size] = units[first];
  const rest = seconds % size;
  const next = units[first + 1];
  const more = next ? Math.floor(rest / next[1]) : 0;
  const head = `${Math.floor(seconds / size)} ${name}`;
  return more > 0 ? `${head} ${more} ${next[0]}` : head;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "unknown";
  if (value < 1) return `${value.toFixed(2)} ms`;
  if (value < 1_000) return `${value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 })} ms`;
  return `${(value / 1_000).toLocaleString("en", { maximumFractionDigits: 1 })} s`;
}

/** An address or a digest by its ends; the whole is in the title. */
export function short(text) {
  return text.length > 12 ? `${text.slice(0, 4)}…${text.slice(-4)}` : text;
}

/** What strangers wrote, on one line, without characters that hide or turn round what stands beside them. */
export function plain(text) {
  return text.replace(/\s/gu, " ").replace(/[\p{Cc}\p{Cf}]/gu, "\u{fffd}");
}

export function clock(seconds) {
  return new Date(seconds * 1_000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function weekday(seconds) {
  return new Date(seconds * 1_000).toLocaleDateString("en", { weekday: "short", timeZone: "UTC" });
}

export function many(count, one, more = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
}

export const STATES = {
  starting: "Starting",
  accepting: "Accepting jobs",
  paused: "Paused",
  draining: "Draining",
  stopping: "Stopping",
  offline: "Chain unreachable",
  gone: "Not answering",
  locked: "Locked",
  unknown: "Connecting",
};
