// From the mail in the mailbox to recovery, as members do it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { atSource, inspectMail, person, press } from "./look.mjs";
import {
  gatewayDown, gatewaySlow, gatewayUp, linkIn, listed, mailTo, mailed, mailsTo, member, recovered, set, until, world,
} from "./world.mjs";

const WORDS = {
  en: { button: "Review your connection", reconnect: /^Reconnect/, ready: "Let’s get you reconnected", done: "All done" },
  es: { button: "Revisar tu conexión", reconnect: /^Volver a conectar/, ready: "Vamos a reconectarte", done: "Listo" },
};

/** How people leave a page that they do not want after all. */
const WAYS_BACK = {
  "the back button": (page) => page.goBack(),
  "the back button, and reload": async (page) => {
    await page.goBack();
    await page.reload();
  },
  "the mail's link once more": (page, link) => page.goto(link),
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
      const told = await mailTo(id, 2);
      assert.ok(!told.text.includes("/r/"), "the mail that all is well leads nowhere");
      await inspectMail(told.html, "mail-recovered", locale);
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
    for (const name of ["Reconnect Epic MyChart", "Reconnect Kaiser North"]) {
      await page.goto(link);
      await page.getByRole("button", { name }).click();
      await atSource(page);
      await page.getByRole("button", { name: "Allow" }).click();
      await page.getByRole("heading", { name: "You are connected" }).waitFor();
    }
    await recovered(id);
    await close();
  });

  for (const [how, back] of Object.entries(WAYS_BACK)) {
    test(`who comes back from the source without having signed in (${how}) goes on in the same browser alone`, async () => {
      const id = member();
      await set(id, { epic: "EXPIRED" });
      const mail = await mailTo(id);
      const { context, page, close } = await person();
      const mailbox = world.gateway.replace("127.0.0.1", "localhost");
      await page.goto(`${mailbox}/mail/${mail.n}/html`);
      const [opened] = await Promise.all([
        context.waitForEvent("page"),
        page.getByRole("link", { name: WORDS.en.button }).click(),
      ]);
      await opened.getByRole("button", { name: WORDS.en.reconnect }).click();
      await atSource(opened);

      const other = await person();
      await other.page.goto(linkIn(mail));
      await press(other.page, "Go on");
      assert.ok(other.page.url().startsWith(world.pages), "another browser is not sent to the source");
      await other.page.getByRole("heading", { name: "This link was already used" }).waitFor();
      await other.close();

      await back(opened, linkIn(mail));
      await opened.getByRole("button", { name: /^(Reconnect|Go on)/ }).click();
      await atSource(opened);
      await opened.getByRole("button", { name: "Allow" }).click();
      await opened.getByRole("heading", { name: "You are connected" }).waitFor();
      await recovered(id);
      await close();
    });
  }

  test("stops the mails with one press, gets none, and has them again", async () => {
    const id = member();
    await set(id, { epic: "EXPIRED" });
    const mail = await mailTo(id);
    const { page, close } = await person();
    await page.goto(linkIn(mail, "/u/"));
    await press(page, "Stop these mails");
    await page.getByRole("heading", { name: "You will get no more of these mails" }).waitFor();
    await set(id, { cerner: "EXPIRED" });
    await until("the second lapse", async () => (await listed("lapses list", id)).length === 2);
    assert.equal((await mailsTo(id)).length, 1);
    await press(page, "Write to me again");
    await close();
    assert.ok((await mailTo(id, 2)).text.includes("/r/"), "what was held back is said");
  });

  test("who denies access at the source has changed nothing, and can change their mind", async () => {
    const id = member();
    const link = await mailed(id);
    const { page, close } = await person();
    await page.goto(link);
    await page.getByRole("button", { name: /^Reconnect/ }).click();
    await atSource(page);
    await page.getByRole("button", { name: "Deny" }).click();
    await page.getByRole("heading", { name: "You are not connected" }).waitFor();
    assert.equal((await listed("lapses list", id))[0].state, "open");
    await page.goto(link);
    await page.getByRole("button", { name: /^(Reconnect|Go on)/ }).click();
    await atSource(page);
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("heading", { name: "You are connected" }).waitFor();
    await recovered(id);
    await close();
  });

  test("who clicks twice gets through", async () => {
    const id = member();
    const link = await mailed(id);
    await gatewaySlow(id);
    const { page, close } = await person();
    await page.goto(link);
    await page.getByRole("button", { name: WORDS.en.reconnect }).dblclick({ delay: 40 });
    // The first of the two navigations is dropped, which is not to end the wait for the second.
    await until("the source", async () => page.url().startsWith(`${world.gateway}/oauth/authorize`));
    await page.waitForLoadState();
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("heading", { name: "You are connected" }).waitFor();
    await recovered(id);
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

