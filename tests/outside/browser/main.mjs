// All suites share one process, one browser, and one simulated world.

import { after, before } from "node:test";
import { closeBrowser, writeContactSheet, openBrowser } from "./browser.mjs";
import { startWorld, stopWorld } from "./world.mjs";

before(async () => {
  await startWorld();
  await openBrowser();
});

after(async () => {
  writeContactSheet();
  await closeBrowser();
  await stopWorld();
});

await import("./story.mjs");
await import("./states.mjs");
await import("./scanners.mjs");
await import("./dashboard.mjs");
