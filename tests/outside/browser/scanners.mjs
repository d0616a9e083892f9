// Email scanners open every link, and some of them press buttons.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONTROLS, atPage, atSource, person, readAndClick, signIn } from "./browser.mjs";
import { emailedLink, member, untilRecovered } from "./world.mjs";

async function request(link, method, agent) {
  const headers = { "user-agent": agent, "x-forwarded-for": "203.0.113.50" };
  const response = await fetch(link, { method, headers, redirect: "manual" });
  await response.text();
  return response.status;
}

/** Requests the page in every way that scanners do, without pressing. */
async function scan(link) {
  assert.equal(await request(link, "HEAD", "LinkCheck/1.0"), 200);
  assert.equal(await request(link, "GET", "LinkCheck/1.0"), 200);
  assert.equal(await request(link, "GET", "Mozilla/5.0 (Windows NT 10.0) SafeLinks"), 200);
  assert.equal(await request(link, "OPTIONS", "LinkCheck/1.0"), 405);
  const { page, close } = await person({ javaScriptEnabled: true, address: "203.0.113.51" });
  await page.goto(link, { waitUntil: "networkidle" });
  await close();
}

async function reconnect(link) {
  const { page, close } = await person();
  await signIn(page, link);
  await close();
}

describe("a scanner", { concurrency: 2 }, () => {
  test("that views the page does not use up the link", async () => {
    const id = member();
    const link = await emailedLink(id);
    await scan(link);
    await reconnect(link);
    await untilRecovered(id);
  });

  test("that presses the button leaves a redemption where the operator allows several", async () => {
    const id = member("en", "patient");
    const link = await emailedLink(id);
    await scan(link);
    for (const address of ["203.0.113.52", "203.0.113.53"]) {
      const { page, close } = await person({ address });
      await page.goto(link);
      await readAndClick(page, "reconnect");
      await atSource(page);
      await close();
    }
    await reconnect(link);
    await untilRecovered(id, "patient");
  });

  test("that presses every button leaves a way to reconnect", async () => {
    const id = member("en", "patient");
    const link = await emailedLink(id, { epic: "DISCONNECTED" });
    const { page, close } = await person({ address: "203.0.113.54" });
    for (const control of ["reconnect", "dismiss", "undo", "dismiss"]) {
      await page.goto(link);
      await readAndClick(page, control);
      await page.waitForLoadState();
    }
    await close();
    await reconnect(link);
    await untilRecovered(id, "patient");
  });

  test("that submits the forms without the page, or at once, changes nothing", async () => {
    const id = member();
    const link = await emailedLink(id);
    assert.equal(await request(link, "POST", "FormPresser/1.0"), 200);
    const { page, close } = await person({ address: "203.0.113.55", javaScriptEnabled: true });
    // As soon as the button is there: a click from outside could come late.
    await page.addInitScript((button) => {
      if (window.name === "pressed") return;
      window.name = "pressed";
      addEventListener("DOMContentLoaded", () => document.querySelector(button).click());
    }, CONTROLS.reconnect);
    const isPress = (response) => response.request().method() === "POST";
    const [response] = await Promise.all([page.waitForResponse(isPress), page.goto(link, { waitUntil: "commit" })]);
    assert.equal(response.status(), 200);
    await atPage(page, "ready");
    await close();
    await reconnect(link);
    await untilRecovered(id);
  });

  test("that uses up the only redemption leaves a way to a new link", async () => {
    const link = await emailedLink(member());
    const scanner = await person({ address: "203.0.113.56" });
    await scanner.page.goto(link);
    await readAndClick(scanner.page, "reconnect");
    await atSource(scanner.page);
    await scanner.close();
    const { page, close } = await person();
    assert.equal((await page.goto(link)).status(), 410);
    await page.locator(CONTROLS.resend).waitFor();
    await close();
  });
});
