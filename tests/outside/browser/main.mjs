// One process, one browser, one simulated world, and the suites that share them.

import { after, before } from "node:test";
import { closeBrowser, contactSheet, openBrowser } from "./look.mjs";
import { startWorld, stopWorld } from "./world.mjs";

before(async () => {
  await startWorld();
  await openBrowser();
});

after(async () => {
  contactSheet();
  await closeBrowser();
  await stopWorld();
});

await import("./story.mjs");
await import("./states.mjs");
await import("./scanners.mjs");
