// Drives a real browser: a command (a JSON object) a line in, an answer a line out.
//
//   node run.mjs [FILE]      commands from FILE, else from stdin as they come
//
// RESCIND_BROWSER: the folder whose node_modules have playwright-core and axe-core. RESCIND_CHROMIUM: the browser, if it
// is not /usr/bin/chromium.
//
// {"do": "...", "as": "ann", ...} -> {"ok": value} or {"error": text}. Every `as` is a person with a browser of their
// own (cookies and all); what a command can be is the table `commands` below. Nothing leaves for another origin than the
// ones that were opened: such a request fails, and is a fault.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { createReadStream, readFileSync } from "node:fs";
import { judge } from "./judge.mjs";
import { locate, tabTo } from "./reach.mjs";

const require = createRequire(`${process.env.RESCIND_BROWSER}/node_modules/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// The longest that anything is waited for, milliseconds.
const LIMIT = 20_000;

const browser = await chromium.launch({
  executablePath: process.env.RESCIND_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
  ],
});

const people = new Map();
const origins = new Set();

// Layout shifts, and violations of the content security policy, from the first byte of each page on.
function watch() {
  window.__shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!entry.hadRecentInput) {
        const nodes = (entry.sources ?? []).map((source) => source.node?.outerHTML?.slice(0, 120) ?? "?");
        window.__shifts.push({ value: entry.value, nodes });
      }
    }
  }).observe({ type: "layout-shift", buffered: true });
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI || event.sourceFile}: ${event.sample}`);
  });
}

async function person(name) {
  const known = people.get(name);
  if (known) return known;
  // Whose name begins so has switched scripts off.
  const javaScriptEnabled = !name.startsWith("scriptless");
  const viewport = { width: 1440, height: 900 };
  const context = await browser.newContext({ viewport, locale: "en-GB", timezoneId: "UTC", javaScriptEnabled });
  context.setDefaultTimeout(LIMIT);
  await context.addInitScript(watch);
  const page = await context.newPage();
  const own = { context, page, faults: [], dialogs: [], answer: "dismiss", text: "" };
  const fault = (kind, text) => own.faults.push(`${kind}: ${text}`);
  await context.route(
    (url) => url.protocol.startsWith("http") && !origins.has(url.origin),
    (route) => {
      fault("elsewhere", route.request().url());
      return route.abort();
    },
  );
  page.on("console", (message) => {
    // A status of 4xx that a page shows to its user is also written here by the browser: that is no fault of the page.
    const status = /^Failed to load resource: the server responded with a status of 4/.test(message.text());
    if (message.type() === "error" && !status) fault("console", message.text());
  });
  page.on("pageerror", (error) => fault("script", error.message));
  page.on("response", (response) => {
    if (response.status() >= 500) fault("answer", `${response.status()} ${response.url()}`);
  });
  page.on("dialog", async (dialog) => {
    own.dialogs.push(dialog.message());
    await (own.answer === "accept" ? dialog.accept(own.text) : dialog.dismiss());
  });
  people.set(name, own);
  return own;
}

const commands = {
  // Open a page; {"url"}. Its origin is one of ours from then on.
  async open({ page }, { url }) {
    origins.add(new URL(url).origin);
    const response = await page.goto(url, { waitUntil: "load" });
    return response?.status() ?? 0;
  },
  // Pages of this origin may be led to, too: {"url"}.
  async trust(_own, { url }) {
    origins.add(new URL(url).origin);
  },
  // Act on one element: {"selector"}, {"label"}, {"text"} or {"role", "name"}, with "exact" and "nth".
  async click({ page }, command) {
    await locate(page, command).click();
  },
  async hold({ page }, command) {
    await locate(page, command).hover();
    await page.mouse.down();
    await page.waitForTimeout(command.milliseconds);
    await page.mouse.up();
  },
  async fill({ page }, command) {
    await locate(page, command).fill(command.value);
  },
  async choose({ page }, command) {
    await locate(page, command).selectOption(command.value);
  },
  async press({ page }, { key }) {
    await page.keyboard.press(key);
  },
  async type({ page }, { value }) {
    await page.keyboard.type(value);
  },
  // Wait until an element is to be seen; with "gone", until it is not; {"url"}: until the address has this in it.
  async wait({ page }, command) {
    if (command.url !== undefined) {
      await page.waitForURL((url) => url.href.includes(command.url));
      return page.url();
    }
    await locate(page, command).first().waitFor({ state: command.gone ? "hidden" : "visible" });
    return command.gone ? null : locate(page, command).first().innerText();
  },
  async text({ page }, command) {
    return locate(page, command).first().innerText();
  },
  async count({ page }, command) {
    return locate(page, command).count();
  },
  async state({ page }, command) {
    const one = locate(page, command).first();
    return { visible: await one.isVisible(), enabled: await one.isEnabled() };
  },
  // Where an element is in the window, and whether all of it is in view and nothing lies over it.
  async place({ page }, command) {
    return locate(page, command).first().evaluate((node) => {
      const { x, y, width, height } = node.getBoundingClientRect();
      const inside = x >= 0 && y >= 0 && x + width <= innerWidth && y + height <= innerHeight;
      const top = document.elementFromPoint(x + width / 2, y + height / 2);
      return { x, y, width, height, seen: inside && (node.contains(top) || top?.contains(node) === true) };
    });
  },
  async address({ page }) {
    return page.url();
  },
  // A value of the page: {"script": "document.title"}.
  async value({ page }, { script }) {
    return page.evaluate(script);
  },
  // How it looks: {"theme": "dark" or "light", "width", "height"}.
  async look({ page }, { theme, width, height }) {
    if (theme) await page.emulateMedia({ colorScheme: theme });
    if (width) await page.setViewportSize({ width, height: height ?? (width < 600 ? 800 : 900) });
  },
  async offline({ context }, { on }) {
    await context.setOffline(on);
  },
  async cookies({ context }) {
    return context.cookies();
  },
  // What dialogs are answered from now on: {"answer": "accept" or "dismiss", "text"}; what they asked so far.
  async dialogs(own, { answer, text }) {
    own.answer = answer ?? own.answer;
    own.text = text ?? own.text;
    return own.dialogs.splice(0);
  },
  // A picture of all of the page, or of what is in view with "view".
  async shot({ page }, { path, view }) {
    await page.screenshot({ path, fullPage: !view, animations: "disabled", caret: "hide" });
  },
  // Everything that is wrong with the page as it is: see judge.mjs.
  async judge({ page }, command) {
    return judge(page, axe, command);
  },
  // Reach an element by the Tab key alone, as who has no mouse: the number of keys.
  async reach({ page }, command) {
    return tabTo(page, command);
  },
  // What went wrong since the last time it was asked: console, scripts, answers of 500, requests elsewhere.
  async faults(own) {
    return own.faults.splice(0);
  },
  // Somebody leaves, with all their cookies.
  async leave(own, { as }) {
    await own.context.close();
    people.delete(as ?? "");
  },
};

async function obey(line) {
  try {
    const command = JSON.parse(line);
    const work = commands[command.do];
    if (!work) throw new Error(`there is no command ${command.do}`);
    return { ok: (await work(await person(command.as ?? ""), command)) ?? null };
  } catch (error) {
    return { error: String(error?.message ?? error) };
  }
}

const input = process.argv[2] ? createReadStream(process.argv[2]) : process.stdin;
let failed = false;
for await (const line of createInterface({ input })) {
  if (line.trim() === "") continue;
  const answer = await obey(line);
  failed ||= "error" in answer;
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
process.exit(failed && process.argv[2] ? 1 : 0);
