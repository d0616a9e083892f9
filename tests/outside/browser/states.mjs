// Every state of the pages, reached the way a member would, in each language.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { atSource, inspect, person, press } from "./look.mjs";
import {
  gatewayDown, linkIn, listed, mailTo, mailed, member, recovered, set, sourceGone, until, world,
} from "./world.mjs";

const RECONNECT = /^(Reconnect|Volver a conectar)/;
const ON_PURPOSE = /on purpose|a propósito/;
const NEW_LINK = /^(Mail me a new link|Enviarme un enlace nuevo)$/;

const STOP = /^(Stop these mails|No recibir más estos correos)$/;
const RESUME = /^(Write to me again|Volver a escribirme)$/;

/** Presses the only button and comes back without having signed in. */
async function start(page, link) {
  await page.goto(link);
  await page.getByRole("button", { name: RECONNECT }).click();
  await atSource(page);
}

/** Each leaves the page in its state, and gives the status that it came with. */
const states = {
  "ready-one": async (page, locale) => (await page.goto(await mailed(member(locale)))).status(),
  "ready-several": async (page, locale) => {
    const statuses = { epic: "EXPIRED", "kaiser-north": "DISCONNECTED", basicins: "EXPIRED" };
    return (await page.goto(await mailed(member(locale), statuses))).status();
  },
  "ready-one-left": async (page, locale) => {
    const link = await mailed(member(locale), { epic: "EXPIRED", "kaiser-north": "EXPIRED" });
    await page.goto(link);
    await page.getByRole("button", { name: RECONNECT }).first().click();
    await atSource(page);
    return (await page.goto(link)).status();
  },
  "needs-app": async (page, locale) => {
    const answer = await page.goto(await mailed(member(locale), { basicins: "EXPIRED" }));
    const link = page.getByRole("link", { name: /^(Open the app|Abrir la aplicación)$/ });
    assert.equal(await link.getAttribute("href"), `${world.gateway}/?app`);
    return answer.status();
  },
  used: async (page, locale) => {
    const link = await mailed(member(locale));
    const first = await person();
    await start(first.page, link);
    await first.close();
    return (await page.goto(link)).status();
  },
  resent: async (page, locale) => {
    const id = member(locale, "shortLived");
    await page.goto(await spoiled(id));
    const answer = await press(page, NEW_LINK);
    return answer.status();
  },
  expired: async (page, locale) => {
    const link = await spoiled(member(locale, "shortLived"));
    return (await page.goto(link)).status();
  },
  recovered: async (page, locale) => {
    const id = member(locale);
    const link = await mailed(id);
    await set(id, { epic: "CONNECTED" });
    await recovered(id);
    return (await page.goto(link)).status();
  },
  removed: async (page, locale) => {
    const id = member(locale);
    const link = await mailed(id);
    await set(id, { epic: "DELETED" });
    await until("the removal", async () => (await listed("lapses list", id))[0].outcome === "removed");
    return (await page.goto(link)).status();
  },
  dismissed: async (page, locale) => {
    await page.goto(await mailed(member(locale), { epic: "DISCONNECTED" }));
    const answer = await press(page, ON_PURPOSE);
    return answer.status();
  },
  unknown: async (page, locale) => {
    const link = await mailed(member(locale));
    return (await page.goto(link.slice(0, -5))).status();
  },
  "gateway-down": async (page, locale) => {
    const id = member(locale);
    const link = await mailed(id);
    await gatewayDown(id);
    await page.goto(link);
    const answer = await press(page, RECONNECT);
    assert.equal(answer.headers()["retry-after"], "180");
    return answer.status();
  },
  "no-way": async (page, locale) => {
    const id = member(locale);
    const link = await mailed(id);
    await sourceGone(id);
    await page.goto(link);
    return (await press(page, RECONNECT)).status();
  },
  "too-many": async (page, locale) => {
    const link = await mailed(member(locale));
    const headers = { "X-Forwarded-For": locale === "es" ? "203.0.113.60" : "203.0.113.61" };
    const again = async () => (await fetch(link, { headers })).status;
    await page.setExtraHTTPHeaders(headers);
    for (;;) {
      while ((await again()) === 200);
      const answer = await page.goto(link);
      if (answer.status() !== 200) return answer.status();
    }
  },
  unsubscribe: async (page, locale) => (await page.goto(await stopping(member(locale)))).status(),
  unsubscribed: async (page, locale) => {
    await page.goto(await stopping(member(locale)));
    return (await press(page, STOP)).status();
  },
  resubscribed: async (page, locale) => {
    await page.goto(await stopping(member(locale)));
    await press(page, STOP);
    return (await press(page, RESUME)).status();
  },
  stopped: async (page, locale) => {
    const id = member(locale, "shortLived");
    const link = await mailed(id);
    await page.goto(linkIn(await mailTo(id), "/u/"));
    await press(page, STOP);
    await until("the link to run out", async () => (await fetch(link)).status === 410);
    return (await page.goto(link)).status();
  },
  "ready-told-apart": async (page, locale) => {
    const id = member(locale);
    const link = await mailed(id, { epic: "EXPIRED", "kaiser-north": "DISCONNECTED", cerner: "EXPIRED" });
    await page.goto(link);
    await press(page, ON_PURPOSE);
    await set(id, { cerner: "CONNECTED" });
    await until("the recovery", async () => (await listed("lapses list", id)).some((lapse) => lapse.outcome === "recovered"));
    return (await page.goto(link)).status();
  },
  "done-well": async (page) => (await page.goto(`${world.pages}/oauth/return?status_code=success`)).status(),
  "done-badly": async (page) => (await page.goto(`${world.pages}/oauth/return?status_code=failure&state=x`)).status(),
  "no-such-place": async (page) => (await page.goto(`${world.pages}/wp-login.php`)).status(),
};

/** Where a member's first mail lets them stop the mails. */
async function stopping(id) {
  await mailed(id);
  return linkIn(await mailTo(id), "/u/");
}

/** The address of a link that has run out. */
async function spoiled(id) {
  const link = await mailed(id);
  await until("the link to run out", async () => (await fetch(link)).status === 410);
  return link;
}

const STATUS = {
  used: 410, expired: 410, stopped: 410, "no-way": 503, unknown: 404, "no-such-place": 404, "gateway-down": 503, "too-many": 429,
};

describe("the page", { concurrency: 6 }, () => {
  for (const locale of ["en", "es"]) {
    for (const [name, reach] of Object.entries(states)) {
      test(`${name} (${locale}) says what happened, to everyone and at every size`, async () => {
        const { page, close } = await person({ locale: locale === "es" ? "es-MX" : "en-GB" });
        assert.equal(await reach(page, locale), STATUS[name] ?? 200);
        await inspect(page, name, locale);
        await close();
      });
    }
  }

  test("of a link that has run out mails one that works", async () => {
    const id = member("en", "shortLived");
    const old = await spoiled(id);
    const { page, close } = await person();
    await page.goto(old);
    await press(page, NEW_LINK);
    await page.getByRole("heading", { name: "Please look at your mail" }).waitFor();
    await close();
    const mail = await mailTo(id);
    assert.ok(mail.text.includes("/r/"));
  });
});
