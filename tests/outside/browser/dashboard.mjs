// The dashboard: every view with a keyboard, a phone, and a checker. With README_PICTURES=FOLDER, it also makes the pictures
// of the README, which are in src/web/admin/dashboard/pictures.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { inspectView, person } from "./browser.mjs";
import { command, emailsTo, fleet, rejectRecipient, revoke, set, startOperated, until, world } from "./world.mjs";

/** The path of each view, the name of its picture, and what its answer says. */
const VIEWS = [
  ["/", "working", /^Yes\./],
  ["/broken", "broken", /connections\. They need their members/],
  ["/reached", "reached", /We told the members about/],
  ["/sources", "sources", /./],
  ["/held", "held", /An operator holds Kaiser North/],
  ["/failed", "failed", /abandoned emails/],
  ["/unreachable", "unreachable", /No email to their members will come/],
  ["/member?id=m131", "member", /1 open lapse/],
  ["/audit", "audit", /Changes by commands/],
  ["/failed?kind=credentials", "credentials", /failed credentials/],
  ["/member/change?change=pause&id=m131", "confirm", null],
];

describe("the dashboard", () => {
  let visitor;

  before(async () => {
    const ids = await startOperated();
    await command(world.operated, "hold", "add", "--source", "kaiser-north", "--reason", "Kaiser North announced an outage");
    for (const id of [ids[10], ids[11]]) await rejectRecipient(id);
    for (const id of [ids[12], ids[13]]) await revoke(id);
    for (const id of [...ids.slice(0, 7), ids[10], ids[11]]) await set(id, { epic: "EXPIRED" });
    for (const id of ids.slice(14, 19)) await set(id, { "kaiser-north": "EXPIRED" });
    await until("the emails", async () => (await emailsTo(ids[6])).length > 0);
    const state = async (what) => (await fleet(what)).map((row) => row.state ?? row.credential);
    await until("held emails", async () => (await state("notices list")).filter((of) => of === "held").length === 5);
    await until("abandoned emails", async () => (await state("notices list")).filter((of) => of === "abandoned").length === 2);
    await until("rejected credentials", async () => (await state("members list")).filter((of) => of === "rejected").length === 2);
    visitor = await person({ resources: ["document", "other", "stylesheet"], extraHTTPHeaders: {} });
  });

  after(() => visitor.close());

  test("opens with the keyboard alone, on the page that was asked for", async () => {
    const { page } = visitor;
    await page.goto(`${world.admin}/held`);
    assert.equal(new URL(page.url()).pathname, "/login");
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    await page.locator("#token").focus();
    await page.keyboard.type("operator-token");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${world.admin}/held`);
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus-visible").textContent(), "Skip to the content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  });

  for (const [path, name, answer] of VIEWS) {
    test(`shows ${name} on any screen`, async () => {
      const { page } = visitor;
      const response = await page.goto(world.admin + path);
      assert.equal(response.status(), 200);
      if (answer) assert.match(await page.locator(".answer").textContent(), answer);
      assert.ok(!(await page.content()).includes("@example.org"), "no page shows an address");
      await inspectView(page, name);
    });
  }

  test("releases a hold after asking, and tells the result once", async () => {
    const { page } = visitor;
    await page.goto(`${world.admin}/held`);
    await page.getByRole("link", { name: "Release 5", exact: true }).click();
    await page.getByRole("button", { name: "Release 5 emails", exact: true }).click();
    await page.waitForURL(`${world.admin}/held`);
    assert.equal(await page.getByRole("status").textContent(), "Released the hold; 5 emails are queued again.");
    await page.getByRole("cell", { name: "token:operator" }).first().waitFor();
    await page.reload();
    assert.equal(await page.getByRole("status").count(), 0);
  });

  test("shows times in the zone that the viewer chose", async () => {
    const { page } = visitor;
    await page.locator("#zone").fill("America/New_York");
    const loaded = page.waitForEvent("load");
    await page.keyboard.press("Enter");
    await loaded;
    await page.goto(world.admin);
    assert.match(await page.locator(".local").first().textContent(), /E[SD]T\)$/);
  });
});
