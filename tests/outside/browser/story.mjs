// From the email in the mailbox to recovery, as members do it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CONTROLS, READING_TIME, answer, atPage, atSource, inspectEmail, person, press, readAndClick, signIn,
} from "./browser.mjs";
import {
  emailTo, emailedLink, emailsTo, gatewayDown, gatewaySlow, gatewayUp, linkIn, list, member, set, until, untilRecovered,
  world,
} from "./world.mjs";

const LOCALES = ["en", "es"];

/** How people leave the source without signing in. */
const WAYS_BACK = {
  "the back button": (page) => page.goBack(),
  "the back button and a reload": async (page) => {
    await page.goBack();
    await page.reload();
  },
  "the link in the email": (page, link) => page.goto(link),
};

/** Opens the link in an email that another site shows, as webmail does. */
async function openFromMailbox({ context, page }, email) {
  const mailbox = world.gateway.replace("127.0.0.1", "localhost");
  await page.goto(`${mailbox}/mail/${email.n}/html`);
  const [opened] = await Promise.all([
    context.waitForEvent("page"),
    page.locator('a[href*="/r/"]').first().click(),
  ]);
  await atPage(opened, "ready");
  return opened;
}

describe("a member", { concurrency: 4 }, () => {
  for (const locale of LOCALES) {
    test(`opens the email, presses both buttons, signs in, and is connected (${locale})`, async () => {
      const id = member(locale);
      await set(id, { epic: "EXPIRED" });
      const reader = await person();
      const page = await openFromMailbox(reader, await emailTo(id));
      const link = page.url();
      await readAndClick(page, "reconnect");
      await atSource(page);
      const signInRequest = reader.requests.find((request) => request.url().includes("/oauth/authorize"));
      assert.equal((await signInRequest.allHeaders()).referer, undefined, "the source does not learn the link");
      await answer(page, "allow");
      await untilRecovered(id);
      await page.goto(link);
      await atPage(page, "recovered");
      assert.equal(await page.getByRole("button").count(), 0);
      await reader.close();
      const email = await emailTo(id, 2);
      assert.ok(!email.text.includes("/r/"), "the recovery email has no link to a page");
      await inspectEmail(email.html, "email-recovered", locale);
    });
  }

  test("can use the keyboard alone, and sees the focus", async () => {
    const link = await emailedLink(member(), { epic: "EXPIRED", "kaiser-north": "DISCONNECTED" });
    const { page, close } = await person({ viewport: { width: 1280, height: 900 } });
    await page.goto(link);
    const actions = [];
    for (let presses = 0; presses < 4; presses += 1) {
      await page.keyboard.press("Tab");
      const focused = page.locator(":focus-visible");
      actions.push(await focused.evaluate((button) => new URL(button.form.action).pathname.split("/").at(3) ?? "redeem"));
      const outline = await focused.evaluate((element) => getComputedStyle(element).outlineStyle);
      assert.equal(outline, "solid", `control ${presses + 1} shows its focus`);
    }
    assert.deepEqual(actions, ["redeem", "snooze", "redeem", "dismiss"]);
    for (const _ of actions.slice(1)) await page.keyboard.press("Shift+Tab");
    await page.waitForTimeout(READING_TIME);
    await page.keyboard.press("Enter");
    await atSource(page);
    await close();
  });

  test("repairs several connections one after the other, from one page", async () => {
    const id = member();
    const link = await emailedLink(id, { epic: "EXPIRED", "kaiser-north": "EXPIRED" });
    const { page, close } = await person();
    for (const name of ["Epic MyChart", "Kaiser North"]) {
      await page.goto(link);
      await page.waitForTimeout(READING_TIME);
      await page.locator("li", { hasText: name }).locator(CONTROLS.reconnect).click();
      await atSource(page);
      await answer(page, "allow");
    }
    await untilRecovered(id);
    await close();
  });

  for (const [way, goBack] of Object.entries(WAYS_BACK)) {
    test(`who returns without signing in (${way}) can continue, but only in the same browser`, async () => {
      const id = member();
      await set(id, { epic: "EXPIRED" });
      const email = await emailTo(id);
      const reader = await person();
      const page = await openFromMailbox(reader, email);
      await readAndClick(page, "reconnect");
      await atSource(page);

      const other = await person();
      await other.page.goto(linkIn(email));
      await press(other.page, "reconnect");
      assert.ok(other.page.url().startsWith(world.pages), "another browser stays on the page");
      await atPage(other.page, "used");
      await other.close();

      await goBack(page, linkIn(email));
      await readAndClick(page, "reconnect");
      await atSource(page);
      await answer(page, "allow");
      await untilRecovered(id);
      await reader.close();
    });
  }

  test("unsubscribes with one press, gets no emails, and resubscribes", async () => {
    const id = member();
    await set(id, { epic: "EXPIRED" });
    const { page, close } = await person();
    await page.goto(linkIn(await emailTo(id), "/u/"));
    await press(page, "unsubscribe");
    await atPage(page, "unsubscribed");
    await set(id, { cerner: "EXPIRED" });
    await until("the second lapse", async () => (await list("lapses list", id)).length === 2);
    assert.equal((await emailsTo(id)).length, 1);
    await press(page, "resubscribe");
    await atPage(page, "resubscribed");
    await close();
    assert.ok((await emailTo(id, 2)).text.includes("/r/"), "the suppressed email is sent now");
  });

  test("who denies access at the source changes nothing, and can press again", async () => {
    const id = member();
    const link = await emailedLink(id);
    const { page, close } = await person();
    await page.goto(link);
    await readAndClick(page, "reconnect");
    await atSource(page);
    await answer(page, "deny");
    assert.equal((await list("lapses list", id))[0].state, "open");
    await signIn(page, link);
    await untilRecovered(id);
    await close();
  });

  test("who double-clicks gets through", async () => {
    const id = member();
    const link = await emailedLink(id);
    await gatewaySlow(id);
    const { page, close } = await person();
    await page.goto(link);
    await page.waitForTimeout(READING_TIME);
    await page.locator(CONTROLS.reconnect).dblclick({ delay: 40 });
    // `atSource` would fail when the browser aborts the first of the two navigations.
    await until("the source", async () => page.url().startsWith(`${world.gateway}/oauth/authorize`));
    await page.waitForLoadState();
    await answer(page, "allow");
    await untilRecovered(id);
    await close();
  });

  test("can try again after a gateway outage", async () => {
    const id = member();
    const link = await emailedLink(id);
    await gatewayDown(id);
    const { page, close } = await person();
    await page.goto(link);
    assert.equal((await press(page, "reconnect")).status(), 503);
    await gatewayUp();
    await page.locator(CONTROLS.link).click();
    await readAndClick(page, "reconnect");
    await atSource(page);
    await close();
  });
});

describe("an email", { concurrency: 4 }, () => {
  const kinds = {
    expired: { epic: "EXPIRED" },
    disconnected: { epic: "DISCONNECTED" },
    several: { epic: "EXPIRED", "kaiser-north": "EXPIRED", cerner: "DISCONNECTED" },
  };
  for (const locale of LOCALES) {
    for (const [kind, statuses] of Object.entries(kinds)) {
      test(`is accessible in light and dark (${kind}, ${locale})`, async () => {
        const id = member(locale);
        await set(id, statuses);
        await inspectEmail((await emailTo(id)).html, `email-${kind}`, locale);
      });
    }
  }
});
