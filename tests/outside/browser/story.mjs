// From the mail in the mailbox to recovery, as members do it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { atSource, inspectMail, person, press } from "./look.mjs";
import { gatewayDown, gatewayUp, listed, mailTo, mailed, member, recovered, set, world } from "./world.mjs";

const WORDS = {
  en: { button: "Review your connection", reconnect: /^Reconnect/, ready: "Let’s get you reconnected", done: "All done" },
  es: { button: "Revisar tu conexión", reconnect: /^Volver a conectar/, ready: "Vamos a reconectarte", done: "Listo" },
};

describe("a member", { concurrency: 4 }, () => {
  for (const [locale, words] of Object.entries(WORDS)) {
    test(`reads the mail, presses its button and the page's, signs in, and is connected (${locale})`, async () => {
      const id = member(locale);
      await set(id, { epic: "EXPIRED" });
      const mail = await mailTo(id);
      const { context, page, requests, close } = await person();
      // The mailbox is another site, as a webmail is.
      const mailbox = world.gateway.replace("127.0.0.1", "localhost");
      await page.goto(`${mailbox}/mail/${mail.n}/html`);
      const [opened] = await Promise.all([
        context.waitForEvent("page"),
        page.getByRole("link", { name: words.button }).click(),
      ]);
      await opened.getByRole("heading", { level: 1, name: words.ready }).waitFor();
      const link = opened.url();
      await opened.getByRole("button", { name: words.reconnect }).click();
      await atSource(opened);
      const atTheSource = requests.find((request) => request.url().includes("/oauth/authorize"));
      assert.equal((await atTheSource.allHeaders()).referer, undefined, "the source does not learn the link");
      await opened.getByRole("button", { name: "Allow" }).click();
      await opened.getByRole("heading", { name: "You are connected" }).waitFor();
      await recovered(id);
      await opened.goto(link);
      await opened.getByRole("heading", { level: 1, name: words.done }).waitFor();
      assert.equal(await opened.getByRole("button").count(), 0);
      await close();
    });
  }

  test("gets through with the keyboard alone, and sees where they are", async () => {
    const link = await mailed(member(), { epic: "EXPIRED", "kaiser-north": "DISCONNECTED" });
    const { page, close } = await person({ viewport: { width: 1280, height: 900 } });
    await page.goto(link);
    const names = [];
    for (let presses = 0; presses < 3; presses += 1) {
      await page.keyboard.press("Tab");
      const focused = page.locator(":focus-visible");
      names.push((await focused.getAttribute("aria-label")) ?? (await focused.innerText()));
      const outline = await focused.evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.equal(outline, "solid", `${names.at(-1)} shows that it has the focus`);
    }
    assert.deepEqual(names.map((name) => name.split(" ")[0]), ["Reconnect", "Reconnect", "I"]);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await atSource(page);
    await close();
  });

  test("repairs several connections one after the other, from one page", async () => {
    const id = member();
    const link = await mailed(id, { epic: "EXPIRED", "kaiser-north": "EXPIRED" });
    const { page, close } = await person();
    for (const left of [2, 1]) {
      await page.goto(link);
      assert.equal(await page.getByRole("button", { name: /^Reconnect/ }).count(), left);
      await page.getByRole("button", { name: /^Reconnect/ }).first().click();
      await atSource(page);
      await page.getByRole("button", { name: "Allow" }).click();
      await page.getByRole("heading", { name: "You are connected" }).waitFor();
    }
    await recovered(id);
    await close();
  });

  test("who denies access at the source has changed nothing, and gets a new mail from the old link", async () => {
    const id = member();
    const link = await mailed(id);
    const { page, close } = await person();
    await page.goto(link);
    await page.getByRole("button", { name: /^Reconnect/ }).click();
    await atSource(page);
    await page.getByRole("button", { name: "Deny" }).click();
    await page.getByRole("heading", { name: "You are not connected" }).waitFor();
    assert.equal((await listed("lapses list", id))[0].state, "open");
    await close();
  });

  test("whose gateway is down is led on once it is up again", async () => {
    const id = member();
    const link = await mailed(id);
    await gatewayDown(id);
    const { page, close } = await person();
    await page.goto(link);
    assert.equal((await press(page, WORDS.en.reconnect)).status(), 503);
    await gatewayUp();
    await page.getByRole("link", { name: "Try again" }).click();
    await page.getByRole("button", { name: WORDS.en.reconnect }).click();
    await atSource(page);
    await close();
  });
});

describe("a mail", { concurrency: 4 }, () => {
  const kinds = {
    expired: { epic: "EXPIRED" },
    disconnected: { epic: "DISCONNECTED" },
    several: { epic: "EXPIRED", "kaiser-north": "EXPIRED", cerner: "DISCONNECTED" },
  };
  for (const locale of Object.keys(WORDS)) {
    for (const [kind, statuses] of Object.entries(kinds)) {
      test(`can be read light and dark, by everyone (${kind}, ${locale})`, async () => {
        const id = member(locale);
        await set(id, statuses);
        await inspectMail((await mailTo(id)).html, `mail-${kind}`, locale);
      });
    }
  }
});

