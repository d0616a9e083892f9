// A browser, and what is held of every page that it shows.

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
/** The checker's rules for a scheme: what it draws differs in colours alone. */
const RULES = {
  light: { type: "tag", values: [...WCAG, "best-practice"] },
  dark: { type: "rule", values: ["color-contrast"] },
};

let browser;
let clients = 0;

export async function openBrowser() {
  rmSync(PICTURES, { recursive: true, force: true });
  mkdirSync(PICTURES, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

export const closeBrowser = () => browser?.close();

/**
 * A browser of one more person, at an address of their own. It runs no script, and what it loads from elsewhere or
 * complains of fails the test at `close`. Colours that are on their way would be drawn and judged as they stand, so
 * nothing moves.
 */
export async function person({ address, ...options } = {}) {
  clients += 1;
  const context = await browser.newContext({
    javaScriptEnabled: false,
    viewport: SIZES.phone,
    reducedMotion: "reduce",
    extraHTTPHeaders: { "X-Forwarded-For": address ?? `198.51.100.${clients}` },
    ...options,
  });
  const trouble = [];
  const requests = [];
  context.on("request", (request) => {
    requests.push(request);
    const { hostname } = new URL(request.url());
    if (!["127.0.0.1", "localhost"].includes(hostname)) trouble.push(`loads ${request.url()}`);
    if (!["document", "other"].includes(request.resourceType())) trouble.push(`loads a ${request.resourceType()}`);
  });
  context.on("console", (message) => {
    // Browsers remark that a page came with an error's status.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) trouble.push(message.text());
  });
  const page = await context.newPage();
  const close = async () => {
    await context.close();
    assert.deepEqual(trouble, []);
  };
  return { context, page, requests, close };
}

/** Holds what is to be so on every page of ours, at every size and in every scheme, and keeps pictures of it. */
export async function inspect(page, name, lang) {
  const html = await page.content();
  assert.match(html, new RegExp(`<html lang="${lang}">`), name);
  assert.match(await page.title(), / · Example Health$/, name);
  assert.equal(await page.locator("h1").count(), 1, `${name} has one heading of the first level`);
  assert.ok(!html.includes("/oauth/authorize") && !/[?&;]state=/.test(html), `${name} holds no reconnect URL`);
  await pictures(page, `${name}.${lang}`, lang);
  await audit(html, `${name}.${lang}`, true);
}

/** The HTML of a mail, drawn by itself. */
export async function inspectMail(html, name, lang) {
  const { page, close } = await person();
  await page.setContent(html);
  await pictures(page, `${name}.${lang}`, lang);
  await close();
  await audit(html, `${name}.${lang}`, false);
  assert.ok(Buffer.byteLength(html) < 102_000, "a mail service shows it as a whole");
}

/** Other languages differ in their words alone: one picture of each shows whether these fit. */
async function pictures(page, name, lang) {
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

/** The same bytes in a page where a checker can run. */
async function audit(html, name, isPage) {
  const context = await browser.newContext({ viewport: SIZES.phone, reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.setContent(html);
  await page.evaluate(AXE);
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
  // Text twice as large, and the narrowest screen that WCAG asks for: nothing is cut off, nothing scrolls sideways.
  for (const [width, size] of [[320, "100%"], [390, "200%"]]) {
    await page.setViewportSize({ width, height: 600 });
    const over = await page.evaluate((size) => {
      document.documentElement.style.fontSize = size;
      return document.documentElement.scrollWidth - document.documentElement.clientWidth;
    }, size);
    assert.ok(over <= 0, `${name} scrolls sideways by ${over} px at ${width} px and ${size}`);
  }
  if (isPage) await targetSizes(page, name);
  await context.close();
}

/** A thumb finds each button: more than the 24 CSS pixels of WCAG 2.2, and the 44 of the phones' own rules. */
async function targetSizes(page, name) {
  for (const button of await page.locator("button, .button").all()) {
    const { height, width } = await button.boundingBox();
    assert.ok(height >= 44 && width >= 44, `${name}: a button of ${width} by ${height}`);
  }
}

/** Everything on one page, to look through. */
export function contactSheet() {
  const files = readdirSync(PICTURES).filter((file) => file.endsWith(".png")).sort();
  const figures = files.map((file) => `<figure><img loading="lazy" src="${file}"><figcaption>${file}</figcaption></figure>`);
  const style = "body{font:14px sans-serif;display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}img{width:18rem;border:1px solid #999}";
  writeFileSync(join(PICTURES, "index.html"), `<!doctype html><style>${style}</style>${figures.join("\n")}`);
}

/** The page that a click leads to. */
export async function press(page, name) {
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.request().isNavigationRequest() && response.status() !== 303),
    page.getByRole("button", { name }).click(),
  ]);
  await page.waitForLoadState();
  return response;
}

/** Where the source asks for consent. */
export const atSource = (page) => page.waitForURL((url) => url.href.startsWith(`${world.gateway}/oauth/authorize`));
