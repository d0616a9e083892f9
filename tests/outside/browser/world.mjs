// A simulated gateway and mailbox, and daemons that watch its members: real processes, on loopback ports.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const PROGRAM = process.env.RECONNECTD;
const PATIENCE = 30_000;
const MEMBERS = 130;

const running = [];
let home;

/** Where things are, once `startWorld` has returned. */
export const world = { gateway: "", pages: "", shortLived: "", patient: "" };

/** Looks again and again until there is something to see. */
export async function until(what, look) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function start(name, args) {
  const child = spawn(PROGRAM, args, { cwd: home, stdio: ["ignore", "pipe", "pipe"] });
  const process = { name, child, output: "", ended: new Promise((resolve) => child.on("exit", resolve)) };
  child.stdout.on("data", (piece) => (process.output += piece));
  child.stderr.on("data", (piece) => (process.output += piece));
  running.push(process);
  return process;
}

const command = (config, ...args) => promisify(execFile)(PROGRAM, ["--config", config, ...args], { cwd: home });

/** Each test has members of its own, in the language that it asks for. */
const unused = { main: { en: [], es: [] }, shortLived: { en: [], es: [] }, patient: { en: [], es: [] } };

/** A member whom no other test touches, known to a daemon to be connected. */
export function member(locale = "en", daemon = "main") {
  const id = unused[daemon][locale].pop();
  assert.ok(id, "there are members enough");
  return id;
}

async function startDaemon(name, settings, members) {
  const port = await freePort();
  const config = join(home, `${name}.toml`);
  const gateway = running[0].output.split("# Members to import")[0];
  const text = `
[database]
url = "sqlite://${join(home, name)}.db"
[keys]
file = "${join(home, name)}.keys"
[sweep]
schedule = "* * * * * *"
confirm_sweeps = 1
recheck = ["1s", "2s", "4s"]
[notices]
min_gap = "0s"
recovered.enabled = true
quiet_hours = ""
app_url = "${world.gateway}/?app"
[email]
from = "Example Health <no-reply@example.org>"
[admin]
listen = "127.0.0.1:0"
[links]
listen = "127.0.0.1:${port}"
public_url = "http://127.0.0.1:${port}"
trusted_proxies = 1
${settings}`;
  writeFileSync(config, gateway.replace(/^#.*$/gm, "") + text);
  const lines = members.map(([id, locale]) =>
    JSON.stringify({ member_id: id, email: `${id}@example.org`, locale, refresh_token: `rt-${id}` }),
  );
  writeFileSync(join(home, `${name}.jsonl`), lines.join("\n"));
  await command(config, "keys", "generate");
  await command(config, "members", "import", `${name}.jsonl`);
  await command(config, "once");
  const daemon = start(name, ["--config", config, "run"]);
  await until(`${name} to run`, () => daemon.output.includes("schedule="));
  for (const [id, locale] of members) unused[name][locale].push(id);
  world[name] = config;
  return `http://127.0.0.1:${port}`;
}

export async function startWorld() {
  home = mkdtempSync(join(tmpdir(), "reconnectd-pages-"));
  const simulator = start("simulator", [
    "simulate", "--listen", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--members", String(MEMBERS),
  ]);
  await until("the simulator", () => simulator.output.includes("in all: curl"));
  world.gateway = simulator.output.match(/control page\s+(http:\S+?)\/\n/)[1];
  const ids = Array.from({ length: MEMBERS }, (_, n) => [`m${n + 1}`, n % 2 ? "es" : "en"]);
  world.pages = await startDaemon("main", "", ids.slice(0, 106));
  await startDaemon("shortLived", 'ttl = "2s"', ids.slice(106, 116));
  await startDaemon("patient", "max_redemptions = 3", ids.slice(116));
}

/** Ends what was started, and shows what it said when something went wrong. */
export async function stopWorld() {
  for (const { child } of running.reverse()) child.kill("SIGTERM");
  for (const { name, ended, output } of running) {
    const code = await ended;
    if (code !== 0) console.error(`-- ${name} ended with ${code}\n${output}`);
    assert.equal(code, 0, `${name} ends well`);
  }
  rmSync(home, { recursive: true, force: true });
}

async function control(method, path, body) {
  const answer = await fetch(`${world.gateway}/control/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

/** What an operator's command says of a member: one object a line. */
export async function listed(what, id, daemon = "main") {
  const { stdout } = await command(world[daemon], ...what.split(" "), "--member", id, "--json");
  return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Gives connections a status at the gateway, all in one moment. */
export async function set(id, statuses) {
  const changes = Object.entries(statuses).map(([connection, status]) => [connection, { status }]);
  await control("POST", `members/${id}/connections`, Object.fromEntries(changes));
}

/** Lets a member's next reconnect URLs fail. */
export const gatewayDown = (id) =>
  control("POST", "faults", { operation: "getOauthUrl", member: id, fault: { http: { status: 503, retry_after: "180" } } });

/** Lets a member's reconnect URLs take their time. */
export const gatewaySlow = (id) =>
  control("POST", "faults", { operation: "getOauthUrl", member: id, fault: { delay: { ms: 300 } } });

/** The gateway no longer knows the way to a member's source. */
export const sourceGone = (id) =>
  control("POST", "faults", { operation: "getOauthUrl", member: id, fault: { graphql_error: { code: "not-found" } } });

export const gatewayUp = () => control("DELETE", "faults");

export const mailsTo = async (id) =>
  (await control("GET", "mails")).filter((mail) => mail.to.includes(`${id}@example.org`));

/** The newest of a member's mails, once there are so many. */
export async function mailTo(id, count = 1) {
  const mails = await until(`mail ${count} to ${id}`, async () => {
    const mails = await mailsTo(id);
    return mails.length >= count && mails;
  });
  return mails.at(-1);
}

/** The first URL of a mail's text with this path. */
export const linkIn = (mail, place = "/r/") =>
  mail.text.split(/\s+/).find((word) => word.startsWith("http") && word.includes(place));

/** Breaks a member's connections and gives the link that they are mailed. */
export async function mailed(id, statuses = { epic: "EXPIRED" }) {
  await set(id, statuses);
  return linkIn(await mailTo(id));
}

export const recovered = (id, daemon) =>
  until(`${id} to have recovered`, async () =>
    (await listed("lapses list", id, daemon)).every((lapse) => lapse.outcome === "recovered"),
  );
