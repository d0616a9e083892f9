// The simulator and the daemons that watch its members, as real processes on loopback ports.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const PROGRAM = process.env.RECONNECTD;
const TIMEOUT = 30_000;
const MEMBERS = 170;

const running = [];
let home;

/** Base URLs of the simulator and the main daemon, and each daemon's configuration file. Set by `startWorld`. */
export const world = { gateway: "", pages: "", admin: "", shortLived: "", patient: "", operated: "" };

/** Polls until `probe` returns something truthy. */
export async function until(what, probe) {
  const end = Date.now() + TIMEOUT;
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < end, `timed out waiting for ${what}`);
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

export const command = (config, ...args) => promisify(execFile)(PROGRAM, ["--config", config, ...args], { cwd: home });

/** Members that no test has taken yet, by daemon and language. */
const unused = Object.fromEntries(["main", "shortLived", "patient", "operated"].map((name) => [name, { en: [], es: [] }]));

/** Takes a member for one test. The daemon knows that their connections work. */
export function member(locale = "en", daemon = "main") {
  const id = unused[daemon][locale].pop();
  assert.ok(id, "there are enough members");
  return id;
}

/** `links`: further settings of this section. `prepare`: what changes the database before the daemon runs. */
async function startDaemon(name, links, members, { admin = 'listen = "127.0.0.1:0"', prepare } = {}) {
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
expired.first_after = "0s"
disconnected.first_after = "0s"
recovered.enabled = true
disconnected.direct = true
quiet_hours = ""
app_url = "${world.gateway}/?app"
[storm]
min_members = 0
[email]
from = "Example Health <no-reply@example.org>"
[admin]
${admin}
[links]
listen = "127.0.0.1:${port}"
public_url = "http://127.0.0.1:${port}"
trusted_proxies = 1
${links}`;
  writeFileSync(config, gateway.replace(/^#.*$/gm, "") + text);
  const lines = members.map(([id, locale]) =>
    JSON.stringify({ member_id: id, email: `${id}@example.org`, locale, refresh_token: `rt-${id}` }),
  );
  writeFileSync(join(home, `${name}.jsonl`), lines.join("\n"));
  await command(config, "keys", "generate");
  await command(config, "members", "import", `${name}.jsonl`);
  await command(config, "once");
  await prepare?.(join(home, `${name}.db`));
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
  await until("the simulator", () => /: curl /.test(simulator.output));
  world.gateway = simulator.output.match(/control page\s+(http:\S+?)\/\n/)[1];
  const ids = Array.from({ length: MEMBERS }, (_, n) => [`m${n + 1}`, n % 2 ? "es" : "en"]);
  world.pages = await startDaemon("main", "", ids.slice(0, 106));
  await startDaemon("shortLived", 'ttl = "2s"', ids.slice(106, 116));
  await startDaemon("patient", "max_redemptions = 3", ids.slice(116, 130));
}

/** Starts a daemon with an open dashboard, and a month of history. Returns its members. */
export async function startOperated() {
  const port = await freePort();
  const ids = Array.from({ length: 40 }, (_, n) => `m${n + 131}`);
  for (const [n, id] of ids.entries()) {
    await set(id, { "kaiser-north": "CONNECTED", ...(n % 3 ? {} : { labcorp: "CONNECTED" }) });
  }
  const history = (database) => promisify(execFile)("python3", [join(import.meta.dirname, "history.py"), database, String(Date.now())]);
  const sha256 = createHash("sha256").update("operator-token").digest("hex");
  const admin = `listen = "127.0.0.1:${port}"\ntokens = [{ name = "operator", sha256 = "${sha256}", scope = "write" }]`;
  await startDaemon("operated", "", ids.map((id) => [id, "en"]), { admin, prepare: history });
  world.admin = `http://127.0.0.1:${port}`;
  return ids;
}

/** Every state of every page in a language, with all settings of the section `brand`: name and HTML. */
export async function previews(lang) {
  const [config, folder] = [join(home, "previews.toml"), join(home, `previews-${lang}`)];
  writeFileSync(config, `
[brand]
name = "Example Health"
help = "Questions? Call 555-0100 or write to help@example.org."
color = "#ffd200"
privacy_url = "https://example.org/privacy"
[notices]
app_url = "https://app.example.org/connections"
`);
  await command(config, "notices", "preview", "--locale", lang, "--output", folder);
  const files = readdirSync(join(folder, lang)).filter((file) => file.startsWith("page-"));
  return files.map((file) => [file.slice(5, -5), readFileSync(join(folder, lang, file), "utf8")]);
}

/** Stops all processes, and prints the output of those that failed. */
export async function stopWorld() {
  for (const { child } of running.reverse()) child.kill("SIGTERM");
  for (const { name, ended, output } of running) {
    const code = await ended;
    if (code !== 0) console.error(`-- ${name} exited with ${code}\n${output}`);
    assert.equal(code, 0, `${name} exits with 0`);
  }
  rmSync(home, { recursive: true, force: true });
}

async function control(method, path, body) {
  const response = await fetch(`${world.gateway}/control/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}

/** Runs a list command for one member and returns its rows. */
export async function list(what, id, daemon = "main") {
  const { stdout } = await command(world[daemon], ...what.split(" "), "--member", id, "--json");
  return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Runs a list command of the operated daemon. */
export async function fleet(what) {
  const { stdout } = await command(world.operated, ...what.split(" "), "--json");
  return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** The mail server rejects the member's address. */
export const rejectRecipient = (id) =>
  control("POST", "mails/faults", {
    stage: "rcpt", recipient: `${id}@example.org`, action: { reply: { code: 550, text: "5.1.1 unknown" } },
  });

/** The gateway no longer accepts the member's tokens. */
export const revoke = (id) => control("POST", `tokens/${id}/revoke`);

/** Changes the statuses of connections at the gateway, all at once. */
export async function set(id, statuses) {
  const changes = Object.entries(statuses).map(([connection, status]) => [connection, { status }]);
  await control("POST", `members/${id}/connections`, Object.fromEntries(changes));
}

/** Reconnect URLs of this member fail. */
export const gatewayDown = (id) =>
  control("POST", "faults", { operation: "getOauthUrl", member: id, fault: { http: { status: 503, retry_after: "180" } } });

/** Reconnect URLs of this member take 300 ms. */
export const gatewaySlow = (id) =>
  control("POST", "faults", { operation: "getOauthUrl", member: id, fault: { delay: { ms: 300 } } });

/** The gateway no longer knows the member's source. */
export const sourceGone = (id) =>
  control("POST", "faults", { operation: "getOauthUrl", member: id, fault: { graphql_error: { code: "not-found" } } });

export const gatewayUp = () => control("DELETE", "faults");

export const emailsTo = async (id) =>
  (await (await fetch(`${world.gateway}/control/mails`)).json()).filter((email) => email.to.includes(`${id}@example.org`));

/** The member's newest email, once there are `count`. */
export async function emailTo(id, count = 1) {
  const emails = await until(`email ${count} to ${id}`, async () => {
    const emails = await emailsTo(id);
    return emails.length >= count && emails;
  });
  return emails.at(-1);
}

/** The first URL in the email's text whose path contains `path`. */
export const linkIn = (email, path = "/r/") =>
  email.text.split(/\s+/).find((word) => word.startsWith("http") && word.includes(path));

/** Breaks a member's connections and returns the link from the email. */
export async function emailedLink(id, statuses = { epic: "EXPIRED" }) {
  await set(id, statuses);
  return linkIn(await emailTo(id));
}

export const untilRecovered = (id, daemon) =>
  until(`the recovery of ${id}`, async () =>
    (await list("lapses list", id, daemon)).every((lapse) => lapse.outcome === "recovered"),
  );
