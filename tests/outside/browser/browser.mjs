// The browser, and the checks that every page and email must pass.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { world } from "./world.mjs";

const PICTURES = process.env.PICTURES;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const SCHEMES = ["light", "dark"];
/** The schemes differ only in color, so dark needs only the contrast rule. */
const RULES = {
  light: { type: "tag", values: [...WCAG, "best-practice"] },
  dark: { type: "rule", values: ["color-contrast"] },
};

let browser;
let people = 0;

export async function openBrowser() {
  rmSync(PICTURES, { recursive: true, force: true });
  mkdirSync(PICTURES, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

export const closeBrowser = () => browser?.close();

/**
 * Opens a browser context for another person, with their own IP address and without JavaScript. `close` fails if a page
 * loaded a foreign resource or logged an error. Motion is off, because a picture must not catch a color transition.
 */
export async function person({ address, resources = ["document", "other"], ...options } = {}) {
  people += 1;
  const context = await browser.newContext({
    javaScriptEnabled: false,
    viewport: SIZES.phone,
    reducedMotion: "reduce",
    extraHTTPHeaders: { "X-Forwarded-For": address ?? `198.51.100.${people}` },
    ...options,
  });
  const problems = [];
  const requests = [];
  context.on("request", (request) => {
    requests.push(request);
    const { hostname } = new URL(request.url());
    if (!["127.0.0.1", "localhost"].includes(hostname)) problems.push(`loads ${request.url()}`);
    if (!resources.includes(request.resourceType())) problems.push(`loads a ${request.resourceType()}`);
  });
  context.on("console", (message) => {
    // Chromium logs every error status of a page.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(message.text());
  });
  const page = await context.newPage();
  const close = async () => {
    await context.close();
    assert.deepEqual(problems, []);
  };
  return { context, page, requests, close };
}

/** Checks what must hold for every member page, and takes its pictures. */
export async function inspectPage(page, name, lang) {
  const html = await page.content();
  assert.match(html, new RegExp(`<html lang="${lang}">`), name);
  assert.match(await page.title(), / · Example Health$/, name);
  assert.equal(await page.locator("h1").count(), 1, `${name} has one level-1 heading`);
  assert.ok(!html.includes("/oauth/authorize") && !/[?&;]state=/.test(html), `${name} contains no reconnect URL`);
  await takePictures(page, `${name}.${lang}`, lang);
  await audit(html, `${name}.${lang}`, true);
}

/** Checks what must hold for every view of the dashboard, and takes its pictures. */
export async function inspectView(page, name) {
  assert.match(await page.title(), / · reconnectd$/, name);
  assert.equal(await page.locator("h1").count(), 1, `${name} has one level-1 heading`);
  for (const size of Object.keys(SIZES)) {
    await page.setViewportSize(SIZES[size]);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(overflow <= 0, `${name} scrolls sideways by ${overflow} px on a ${size}`);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(PICTURES, `dashboard-${name}.${size}.${colorScheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  if (process.env.README_PICTURES) {
    await page.setViewportSize({ width: 1080, height: 760 });
    await page.screenshot({ path: join(process.env.README_PICTURES, `${name}.png`) });
  }
  const sheet = await (await fetch(new URL("/dashboard.css", page.url()))).text();
  // The auditor's page has no address, so it cannot load the sheet.
  const html = (await page.content()).replace(/<link rel="stylesheet"[^>]*>/, `<style>${sheet}</style>`);
  await audit(html, `dashboard-${name}`, true);
}

/** Checks an email's HTML, and takes its pictures. */
export async function inspectEmail(html, name, lang) {
  const { page, close } = await person();
  await page.setContent(html);
  await takePictures(page, `${name}.${lang}`, lang);
  await close();
  await audit(html, `${name}.${lang}`, false);
  // Some email programs drop the style element.
  await audit(html.replace(/<style>.*?<\/style>/gs, ""), `${name}.${lang}, inline styles only`, false);
  assert.ok(Buffer.byteLength(html) < 102_000, "Gmail clips larger emails");
}

/** Checks the HTML of pages that the daemon did not serve: pairs of name and HTML. */
export async function inspectSamples(samples, lang) {
  const page = await openAuditor();
  for (const [name, html] of samples) {
    await auditIn(page, html, `${name}.${lang}`, true);
    assert.equal(await page.locator("h1").count(), 1, `${name} has one level-1 heading`);
  }
  await page.context().close();
}

/** Other languages differ only in text, so one picture of each is enough. */
async function takePictures(page, name, lang) {
  const [sizes, schemes] = lang === "en" ? [Object.keys(SIZES), SCHEMES] : [["phone"], ["light"]];
  for (const size of sizes) {
    await page.setViewportSize(SIZES[size]);
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(PICTURES, `${name}.${size}.${colorScheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(SIZES.phone);
}

/** Pages with JavaScript and the accessibility checker, which is slow to load. */
const auditors = [];

/** Runs the accessibility checker on the same HTML in a page with JavaScript. */
async function audit(html, name, isPage) {
  const page = auditors.pop() ?? (await openAuditor());
  await auditIn(page, html, name, isPage);
  auditors.push(page);
}

async function openAuditor() {
  const context = await browser.newContext({ viewport: SIZES.phone, reducedMotion: "reduce" });
  return context.newPage();
}

async function auditIn(page, html, name, isPage) {
  await page.setViewportSize(SIZES.phone);
  await page.setContent(html);
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    const check = (runOnly) => globalThis.axe.run({ runOnly, resultTypes: ["violations"] });
    const { violations } = await page.evaluate(check, RULES[colorScheme]);
    for (const { id, impact, tags, help, nodes } of violations) {
      const said = `${name}, ${colorScheme}: ${impact} ${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`;
      const counts = tags.some((tag) => WCAG.includes(tag)) || (isPage && ["serious", "critical"].includes(impact));
      assert.ok(!counts, said);
      console.log(`note: ${said}`);
    }
  }
  // WCAG: no horizontal scrolling at 320 px, or with text at 200 %.
  for (const [width, size] of [[320, "100%"], [390, "200%"]]) {
    await page.setViewportSize({ width, height: 600 });
    const overflow = await page.evaluate((size) => {
      document.documentElement.style.fontSize = size;
      // Emails set sizes in pixels, which email programs scale one by one.
      if (size === "200%") {
        const inPixels = [...document.querySelectorAll("body [style*=font-size]")];
        for (const { style } of inPixels) style.fontSize = `${2 * parseFloat(style.fontSize)}px`;
      }
      return document.documentElement.scrollWidth - document.documentElement.clientWidth;
    }, size);
    assert.ok(overflow <= 0, `${name} scrolls sideways by ${overflow} px at ${width} px and ${size}`);
  }
  if (isPage) await checkTargetSizes(page, name);
}

/** Apple recommends 44 px for touch targets; WCAG 2.2 requires 24. */
async function checkTargetSizes(page, name) {
  for (const button of await page.locator("button, .button").all()) {
    const { height, width } = await button.boundingBox();
    assert.ok(height >= 44 && width >= 44, `${name}: a button is ${width} by ${height}`);
  }
}

/** Writes an index page of all pictures. */
export function writeContactSheet() {
  const files = readdirSync(PICTURES).filter((file) => file.endsWith(".png")).sort();
  const figures = files.map((file) => `<figure><img loading="lazy" src="${file}"><figcaption>${file}</figcaption></figure>`);
  const style = "body{font:14px sans-serif;display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}img{width:18rem;border:1px solid #999}";
  writeFileSync(join(PICTURES, "index.html"), `<!doctype html><style>${style}</style>${figures.join("\n")}`);
}

/** The controls of a member page, by what their forms do. */
export const CONTROLS = {
  /** Reconnects, or resumes. */
  reconnect: 'form:has(input[name="connection"]):not([action$="/snooze"], [action$="/dismiss"], [action$="/undo"]) button',
  snooze: 'form[action$="/snooze"] button',
  undo: 'form[action$="/undo"] button',
  dismiss: 'form[action$="/dismiss"] button',
  resend: 'form[action$="/resend"] button',
  resubscribe: 'form[action$="/resubscribe"] button',
  unsubscribe: 'main[data-state="unsubscribe"] form button',
  /** Tries again, or opens the app. */
  link: "a.button",
};

/** In milliseconds. The server ignores a press within a second. */
export const READING_TIME = 1_100;

/** Reads the page, and clicks the first such control. */
export async function readAndClick(page, control) {
  await page.waitForTimeout(READING_TIME);
  await page.locator(CONTROLS[control]).first().click();
}

/** Clicks such a control and returns the response of the page that it leads to. */
export async function press(page, control) {
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.request().isNavigationRequest() && response.status() !== 303),
    readAndClick(page, control),
  ]);
  await page.waitForLoadState();
  return response;
}

/** Waits for a member page in this state. */
export const atPage = (page, state) => page.locator(`main[data-state="${state}"]`).waitFor();

/** Waits for the source's sign-in page. */
export const atSource = (page) => page.waitForURL((url) => url.href.startsWith(`${world.gateway}/oauth/authorize`));

/** Answers on the source's sign-in page. */
export async function answer(page, choice) {
  await page.locator(`button[value="${choice}"]`).click();
  const code = choice === "allow" ? "success" : "failure";
  await page.waitForURL((url) => url.searchParams.get("status_code") === code);
}

/** Opens the link, presses the only reconnect button, and signs in at the source. */
export async function signIn(page, link) {
  await page.goto(link);
  await readAndClick(page, "reconnect");
  await atSource(page);
  await answer(page, "allow");
}
