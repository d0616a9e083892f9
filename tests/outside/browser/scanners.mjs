// What stands between our mail and a person's thumb: it opens every link, and some of it presses.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { atSource, person } from "./look.mjs";
import { mailed, member, recovered } from "./world.mjs";

const RECONNECT = /^Reconnect/;

async function ask(link, method, agent) {
  const headers = { "user-agent": agent, "x-forwarded-for": "203.0.113.50" };
  const answer = await fetch(link, { method, headers, redirect: "manual" });
  await answer.text();
  return answer.status;
}

/** Looks at everything, in every way, without pressing. */
async function scan(link) {
  assert.equal(await ask(link, "HEAD", "LinkCheck/1.0"), 200);
  assert.equal(await ask(link, "GET", "LinkCheck/1.0"), 200);
  assert.equal(await ask(link, "GET", "Mozilla/5.0 (Windows NT 10.0) SafeLinks"), 200);
  assert.equal(await ask(link, "OPTIONS", "LinkCheck/1.0"), 405);
  const { page, close } = await person({ javaScriptEnabled: true, address: "203.0.113.51" });
  await page.goto(link, { waitUntil: "networkidle" });
  await close();
}

async function signIn(link) {
  const { page, close } = await person();
  await page.goto(link);
  await page.getByRole("button", { name: RECONNECT }).click();
  await atSource(page);
  await page.getByRole("button", { name: "Allow" }).click();
  await page.getByRole("heading", { name: "You are connected" }).waitFor();
  await close();
}

describe("a scanner", { concurrency: 2 }, () => {
  test("that looks in every way takes nothing from the member", async () => {
    const id = member();
    const link = await mailed(id);
    await scan(link);
    await signIn(link);
    await recovered(id);
  });

  test("that presses the button leaves the member enough where the operator allows for it", async () => {
    const id = member("en", "patient");
    const link = await mailed(id);
    await scan(link);
    for (const address of ["203.0.113.52", "203.0.113.53"]) {
      const { page, close } = await person({ address });
      await page.goto(link);
      await page.getByRole("button", { name: RECONNECT }).click();
      await atSource(page);
      await close();
    }
    await signIn(link);
    await recovered(id, "patient");
  });

  test("that presses whatever it finds leaves the member a way to reconnect", async () => {
    const id = member("en", "patient");
    const link = await mailed(id, { epic: "DISCONNECTED" });
    const { page, close } = await person({ address: "203.0.113.54" });
    for (const name of [RECONNECT, /on purpose/]) {
      await page.goto(link);
      await page.getByRole("button", { name }).click();
      await page.waitForLoadState();
    }
    await close();
    await signIn(link);
    await recovered(id, "patient");
  });

  test("that presses the only redemption leaves the member a way to a new mail", async () => {
    const link = await mailed(member());
    assert.equal(await ask(link, "POST", "FormPresser/1.0"), 303);
    const { page, close } = await person();
    assert.equal((await page.goto(link)).status(), 410);
    await page.getByRole("button", { name: "Mail me a new link" }).waitFor();
    await close();
  });
});
