// Checks the worker's status page in Chromium. Run by worker/tests/page.rs, which holds the service and
// does what this asks for: a line `NAME` on standard output is answered by a line of JSON on standard input.
//
//   node check.mjs CHROMIUM PROFILE OUT
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [executablePath, profile, out] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const input = createInterface({ input: process.stdin });
const answers = input[Symbol.asyncIterator]();
const DESKTOP = { width: 1180, height: 900 };
const PHONE = { width: 390, height: 844 };

async function please(name) {
  console.log(name);
  const { value, done } = await answers.next();
  assert(!done, `nobody did ${name}`);
  return JSON.parse(value);
}

const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  chromiumSandbox: false,
  viewport: DESKTOP,
  locale: "en-GB",
  timezoneId: "UTC",
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
context.setDefaultTimeout(60_000);

const base = await please("url");
const complaints = [];
const requests = [];
context.on("page", (page) => watch(page));

function watch(page) {
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // Chromium itself reports answers that refuse, and connections that fail.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
}

/** A page for a link, in a tab of its own. */
async function open(link) {
  const page = await context.newPage();
  await page.goto(link);
  return page;
}

const state = (page) => page.locator("#state-text");
const shows = (locator, words) => locator.filter({ hasText: words }).first().waitFor();

async function audit(page, name) {
  // By the debugger, which no policy of the page binds.
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(told, [], name);
  assert(passes.length > 10, `${name}: hardly anything was looked at`);
}

async function picture(page, name) {
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: true, animations: "disabled" });
}

async function fits(page, name) {
  const [wide, room] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  assert(wide <= room, `${name}: ${wide} px in a window of ${room}`);
}

async function lockedWithoutLink() {
  const page = await open(base);
  await shows(page.locator("#notice-title"), "This page needs a link");
  assert(await page.locator("#content").isHidden());
  assert(await page.locator("#order").isHidden());
  assert.match(await page.locator("#notice-text").textContent(), /assay-worker status --open/);
  await audit(page, "locked");
  await picture(page, "locked");
  await page.close();
}

async function opensOnceByLink() {
  const link = await please("link");
  const page = await open(link);
  await shows(state(page), "Accepting jobs");
  assert.equal(page.url(), `${base}/`, "the ticket stays in no address");
  await page.reload();
  await shows(state(page), "Accepting jobs");
  await page.goBack();
  await page.goForward();
  assert(!page.url().includes("#"), "nor in the history");
  await shows(state(page), "Accepting jobs");
  const other = await open(link);
  await shows(other.locator("#notice-text"), "was used already");
  assert(await other.locator("#content").isHidden());
  await other.close();
  return page;
}

async function saysWhatThereIs(page) {
  const row = page.locator("#jobs tbody tr").first();
  for (const words of ["digits-mlp", "running", "0.0009 SOL", "to commit", "12 ms"]) await shows(row, words);
  for (const words of ["CPU: 7 nodes", "3.1 MiB", "1,204", "idle, for sessions"]) await shows(page.locator("#engines tbody tr"), words);
  await shows(page.locator("#earnings"), "0.0123 SOL");
  await shows(page.locator("#machine"), "41 °C, 23 W");
  await shows(page.locator("#endpoints"), "failing");
  await shows(page.locator("#events"), "job settled: paid");
  assert.equal(await page.locator("h1").count(), 1);
  const skipped = await page.evaluate(() => [...document.querySelectorAll("table")].filter((table) => table.caption === null || [...table.querySelectorAll("th")].some((cell) => cell.scope === "")).length);
  assert.equal(skipped, 0, "tables with captions and scopes");
}

async function updatesLive(page) {
  // The row stays the same element, so that a reader's place and a selection stay.
  const first = page.locator("#jobs tbody tr").first();
  await first.evaluate((row) => { row.known = true; });
  await please("change");
  await shows(first, "committing");
  assert(await first.evaluate((row) => row.known === true));
  await shows(page.locator("#earnings"), "0.0132 SOL");
  await shows(page.locator("#events li").first(), "result committed");
  const left = first.locator("[data-until]");
  const before = await left.textContent();
  await page.waitForFunction(([cell, text]) => cell.textContent !== text, [await left.elementHandle(), before]);
}

async function worksByKeyboard(page) {
  await page.reload();
  await shows(state(page), "Accepting jobs");
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  assert((await page.locator(".skip").boundingBox()).y >= 0, "seen while it has the focus");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.reload();
  await shows(state(page), "Accepting jobs");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Stop taking jobs");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "focus is seen");
  await page.keyboard.press("Enter");
  await shows(state(page), "Draining");
  assert.deepEqual(await please("orders"), [true]);
  await shows(page.locator("#said"), "takes no new jobs");
  await shows(page.locator("#notice-text"), "drained by the operator");
  assert.equal(await focused(), "Take jobs again", "the focus stays");
  await audit(page, "draining");
  await picture(page, "draining");
  await page.keyboard.press("Space");
  await shows(state(page), "Accepting jobs");
  assert.deepEqual(await please("orders"), [true, false]);
  assert(await page.locator("#notice").isHidden());
}

async function looksRightEverywhere(page) {
  await please("normal");
  await shows(page.locator("#jobs tbody tr").first(), "running");
  for (const [scheme, size, name] of [["light", DESKTOP, "light"], ["dark", DESKTOP, "dark"], ["light", PHONE, "phone"], ["dark", PHONE, "phone-dark"]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(size);
    await fits(page, name);
    await audit(page, name);
    await picture(page, name);
    // For docs/worker.md.
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: join(out, `${name}-top.png`), animations: "disabled" });
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await fits(page, "320 px, as 1280 px at 400 %");
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
  await audit(page, "forced colours");
  await page.emulateMedia({ colorScheme: "light", forcedColors: "none", reducedMotion: "reduce" });
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((element) => {
    const { transitionDuration, animationName } = getComputedStyle(element);
    return transitionDuration !== "0s" || animationName !== "none";
  }).length);
  assert.equal(moving, 0, "nothing moves");
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await please("empty");
  await shows(page.locator("#jobs"), "No jobs now");
  await shows(page.locator("#engines"), "No model is loaded");
  await page.locator("#no-events").waitFor();
  await audit(page, "empty");
  await picture(page, "empty");
}

async function hostileTextStaysText(page) {
  const asked = requests.length;
  // Characters that would turn text round or hide in it are shown as what they are.
  const hostile = (await please("hostile")).map((text) => text.replace(/\s/gu, " ").replace(/[\p{Cc}\p{Cf}]/gu, "\u{fffd}"));
  await shows(page.locator("#jobs tbody tr").first(), hostile[0]);
  const text = await page.locator("body").textContent();
  for (const words of hostile) assert(text.includes(words), `${words} is shown as it is`);
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  // The page's own picture is the only one, its own script the only one.
  const made = await page.evaluate(() => document.querySelectorAll("img, script, iframe, object, embed, svg, style, form, a, base, meta[http-equiv]").length);
  assert.equal(made, 3, "image, script and skip link of the page itself");
  const beyond = requests.slice(asked).filter((url) => !url.startsWith(`${base}/api/`));
  assert.deepEqual(beyond, []);
  for (const [size, name] of [[DESKTOP, "hostile"], [PHONE, "hostile-phone"]]) {
    await page.setViewportSize(size);
    await fits(page, name);
    await audit(page, name);
    await picture(page, name);
  }
  await page.setViewportSize(DESKTOP);
}

async function fallsBackToPolling() {
  await please("fill");
  const page = await open(await please("link"));
  await please("normal");
  await shows(page.locator("#jobs tbody tr").first(), "running");
  await please("change");
  await shows(page.locator("#jobs tbody tr").first(), "committing");
  assert(requests.some((url) => url === `${base}/api/status`));
  await please("free");
  await page.close();
}

async function saysThatTheWorkerIsGone(page) {
  await please("normal");
  await shows(page.locator("#jobs tbody tr").first(), "running");
  const since = await please("stop");
  await shows(state(page), "Not answering");
  await shows(page.locator("#notice-title"), `has not answered since ${since}`);
  await shows(page.locator("#said"), "Not answering");
  assert(await page.locator("#order").isHidden());
  assert(await page.locator("#jobs tbody tr").first().isVisible(), "what was known stays");
  await audit(page, "gone");
  await picture(page, "gone");
  // Whoever answers at this place now is not the worker that the token was for.
  await please("start");
  await shows(page.locator("#notice-title"), "This page needs a link");
  assert(await page.locator("#content").isHidden());
  await page.goto(await please("link"));
  await shows(state(page), "Accepting jobs");
}

await lockedWithoutLink();
const page = await opensOnceByLink();
await saysWhatThereIs(page);
await updatesLive(page);
await worksByKeyboard(page);
await looksRightEverywhere(page);
await hostileTextStaysText(page);
await fallsBackToPolling();
await saysThatTheWorkerIsGone(page);
assert.deepEqual(complaints, [], "errors and violations of the page's policy");
assert.deepEqual(requests.filter((url) => !url.startsWith(`${base}/`)), [], "requests elsewhere");
await context.close();
console.log("ok");
input.close();
