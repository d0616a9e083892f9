// Every state of the member pages, reached as a member would, in each language.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONTROLS, atPage, atSource, inspectPage, inspectSamples, person, press, readAndClick } from "./browser.mjs";
import {
  emailTo, emailedLink, gatewayDown, linkIn, list, member, previews, set, sourceGone, until, untilRecovered, world,
} from "./world.mjs";

/** Presses the first reconnect button and leaves the source without signing in. */
async function startSignIn(page, link) {
  await page.goto(link);
  await readAndClick(page, "reconnect");
  await atSource(page);
}

/** Each entry: the page's `data-state`, its status, and how a member reaches it. The key names the pictures. */
const pages = {
  "ready-one": ["ready", 200, async (page, locale) => page.goto(await emailedLink(member(locale)))],
  "ready-several": ["ready", 200, async (page, locale) => {
    const statuses = { epic: "EXPIRED", "kaiser-north": "DISCONNECTED", basicins: "EXPIRED" };
    return page.goto(await emailedLink(member(locale), statuses));
  }],
  "ready-one-left": ["ready", 200, async (page, locale) => {
    const link = await emailedLink(member(locale), { epic: "EXPIRED", "kaiser-north": "EXPIRED" });
    await startSignIn(page, link);
    return page.goto(link);
  }],
  "ready-mixed": ["ready", 200, async (page, locale) => {
    const id = member(locale);
    const link = await emailedLink(id, { epic: "EXPIRED", "kaiser-north": "DISCONNECTED", cerner: "EXPIRED" });
    await page.goto(link);
    await press(page, "dismiss");
    await set(id, { cerner: "CONNECTED" });
    await until("the recovery", async () => (await list("lapses list", id)).some((lapse) => lapse.outcome === "recovered"));
    return page.goto(link);
  }],
  "needs-app": ["ready", 200, async (page, locale) => {
    const response = await page.goto(await emailedLink(member(locale), { basicins: "EXPIRED" }));
    assert.equal(await page.locator(CONTROLS.link).getAttribute("href"), `${world.gateway}/?app`);
    return response;
  }],
  used: ["used", 410, async (page, locale) => {
    const link = await emailedLink(member(locale));
    const first = await person();
    await startSignIn(first.page, link);
    await first.close();
    return page.goto(link);
  }],
  // The first email was sent within the last minute.
  "email-on-its-way": ["email_on_its_way", 200, async (page, locale) => {
    await page.goto(await expiredLink(member(locale, "shortLived")));
    return press(page, "resend");
  }],
  expired: ["expired", 410, async (page, locale) => page.goto(await expiredLink(member(locale, "shortLived")))],
  "expired-unsubscribed": ["expired", 410, async (page, locale) => {
    const id = member(locale, "shortLived");
    const link = await emailedLink(id);
    await page.goto(linkIn(await emailTo(id), "/u/"));
    await press(page, "unsubscribe");
    await untilExpired(link);
    return page.goto(link);
  }],
  replaced: ["replaced", 410, async (page, locale) => {
    const id = member(locale);
    const link = await emailedLink(id);
    await list("links revoke", id);
    return page.goto(link);
  }],
  recovered: ["recovered", 200, async (page, locale) => {
    const id = member(locale);
    const link = await emailedLink(id);
    await set(id, { epic: "CONNECTED" });
    await untilRecovered(id);
    return page.goto(link);
  }],
  removed: ["removed", 200, async (page, locale) => {
    const id = member(locale);
    const link = await emailedLink(id);
    await set(id, { epic: "DELETED" });
    await until("the removal", async () => (await list("lapses list", id))[0].outcome === "removed");
    return page.goto(link);
  }],
  snoozed: ["snoozed", 200, async (page, locale) => {
    await page.goto(await emailedLink(member(locale)));
    return press(page, "snooze");
  }],
  "snooze-undone": ["ready", 200, async (page, locale) => {
    await page.goto(await emailedLink(member(locale)));
    await press(page, "snooze");
    return press(page, "undo");
  }],
  dismissed: ["dismissed", 200, async (page, locale) => {
    await page.goto(await emailedLink(member(locale), { epic: "DISCONNECTED" }));
    return press(page, "dismiss");
  }],
  confirm: ["confirm", 200, async (page, locale) => {
    await page.goto(await emailedLink(member(locale), { labcorp: "DISCONNECTED" }));
    return press(page, "reconnect");
  }],
  "turned-on": ["signed_in", 200, async (page, locale) => {
    await page.goto(await emailedLink(member(locale), { labcorp: "DISCONNECTED" }));
    // A visitor who confirms within ten seconds of the email is taken for a scanner.
    await page.waitForTimeout(10_000);
    await press(page, "reconnect");
    return press(page, "reconnect");
  }],
  "link-not-found": ["link_not_found", 404, async (page, locale) => {
    const link = await emailedLink(member(locale));
    return page.goto(link.slice(0, -5));
  }],
  "no-such-path": ["link_not_found", 404, async (page) => page.goto(`${world.pages}/wp-login.php`)],
  "gateway-down": ["gateway_down", 503, async (page, locale) => {
    const id = member(locale);
    const link = await emailedLink(id);
    await gatewayDown(id);
    await page.goto(link);
    const response = await press(page, "reconnect");
    assert.equal(response.headers()["retry-after"], "180");
    return response;
  }],
  "repair-unavailable": ["repair_unavailable", 503, async (page, locale) => {
    const id = member(locale);
    const link = await emailedLink(id);
    await sourceGone(id);
    await page.goto(link);
    return press(page, "reconnect");
  }],
  "too-many-requests": ["too_many_requests", 429, async (page, locale) => {
    const link = await emailedLink(member(locale));
    const headers = { "X-Forwarded-For": locale === "es" ? "203.0.113.60" : "203.0.113.61" };
    const isServed = async () => (await fetch(link, { headers })).status === 200;
    await page.setExtraHTTPHeaders(headers);
    for (;;) {
      while (await isServed());
      const response = await page.goto(link);
      if (response.status() !== 200) return response;
    }
  }],
  unsubscribe: ["unsubscribe", 200, async (page, locale) => page.goto(await unsubscribeLink(member(locale)))],
  unsubscribed: ["unsubscribed", 200, async (page, locale) => {
    await page.goto(await unsubscribeLink(member(locale)));
    return press(page, "unsubscribe");
  }],
  resubscribed: ["resubscribed", 200, async (page, locale) => {
    await page.goto(await unsubscribeLink(member(locale)));
    await press(page, "unsubscribe");
    return press(page, "resubscribe");
  }],
  "signed-in": ["signed_in", 200, async (page) => page.goto(`${world.pages}/oauth/return?status_code=success`)],
  "sign-in-failed": ["sign_in_failed", 200, async (page) =>
    page.goto(`${world.pages}/oauth/return?status_code=failure&state=x`)],
};

async function unsubscribeLink(id) {
  await emailedLink(id);
  return linkIn(await emailTo(id), "/u/");
}

const untilExpired = (link) => until("the link to expire", async () => (await fetch(link)).status === 410);

async function expiredLink(id) {
  const link = await emailedLink(id);
  await untilExpired(link);
  return link;
}

describe("the page", { concurrency: 6 }, () => {
  for (const locale of ["en", "es"]) {
    test(`has no inaccessible sample, with a bright color and a help line (${locale})`, async () => {
      const samples = await previews(locale);
      assert.ok(samples.length > 40, `${samples.length} samples`);
      await inspectSamples(samples, locale);
    });
    for (const [name, [state, status, reach]] of Object.entries(pages)) {
      test(`${name} (${locale}) has its state, and is accessible at every size`, async () => {
        const { page, close } = await person({ locale: locale === "es" ? "es-MX" : "en-GB" });
        const response = await reach(page, locale);
        assert.equal(response.status(), status);
        await atPage(page, state);
        await inspectPage(page, name, locale);
        await close();
      });
    }
  }
});
