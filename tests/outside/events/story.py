"""Each type that one machine can cause, verified by the published library; the order of each member; a rotation."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from receiver import Receiver
from stories import BINARY, CLEAN, expect, fetch, free_port, press, until

FIRST, SECOND = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class World:
    """The simulated gateway and mailbox, and the product's configuration."""

    def __init__(self, folder, receiver):
        self.folder, self.receiver = pathlib.Path(folder), receiver
        self.gateway = f"http://127.0.0.1:{free_port()}"
        self.smtp, self.pages, self.admin = free_port(), free_port(), free_port()
        command = [BINARY, "simulate", "--listen", self.gateway.removeprefix("http://"),
                   "--smtp", f"127.0.0.1:{self.smtp}", "--members", "1"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=CLEAN)
        until("the gateway", self.answers)

    def answers(self):
        try:
            return urllib.request.urlopen(self.gateway, timeout=5).status == 200
        except OSError:
            return False

    def configure(self, secret, previous="", channel="email"):
        file = self.folder / "reconnectd.toml"
        file.touch(mode=0o600)
        file.write_text(f"""
[database]
url = "sqlite://{self.folder}/reconnectd.db"
[keys]
file = "{self.folder}/reconnectd.keys"
[gateway]
url = "{self.gateway}/v1/graphql"
client_key = "any"
[sweep]
confirm_sweeps = 1
recheck = ["1s", "2s"]
[notices]
channel = "{channel}"
min_gap = "0s"
quiet_hours = ""
expired.first_after = "0s"
[storm]
min_members = 2
share = 0.5
fleet_share = 1.0
[webhook]
url = "{self.receiver.url}"
secret = "{secret}"
previous_secret = "{previous}"
[email.smtp]
host = "127.0.0.1"
port = {self.smtp}
tls = "none"
[links]
listen = "127.0.0.1:{self.pages}"
public_url = "http://127.0.0.1:{self.pages}"
[admin]
listen = "127.0.0.1:{self.admin}"
[telemetry]
log = "warn"
""")

    def __call__(self, *arguments, code=0):
        command = [BINARY, "--config", self.folder / "reconnectd.toml", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=CLEAN)
        if ended.returncode != code:
            raise SystemExit(f"{arguments} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def json(self, *arguments):
        return [json.loads(line) for line in self(*arguments, "--json").splitlines()]

    def happens(self, member, connection, status):
        url = f"{self.gateway}/control/members/{member}/connections/{connection}"
        urllib.request.urlopen(urllib.request.Request(
            url, json.dumps({"status": status}).encode(), {"Content-Type": "application/json"}), timeout=5).close()

    def emails(self):
        return json.loads(fetch(f"{self.gateway}/control/mails")[2])

    def link(self):
        _, _, emails = fetch(self.gateway + "/control/mails")
        return re.findall(rf"http://127\.0\.0\.1:{self.pages}/r/[\w-]+", emails)[-1]


def story(world, receiver):
    receiver.secret = FIRST
    world.configure(FIRST)
    world("keys", "generate")
    members = world.folder / "members.jsonl"
    members.write_text("".join(json.dumps({"member_id": member, "email": f"{member}@example.org",
                                           "refresh_token": f"rt-{member}"}) + "\n" for member in ("alice", "bob", "carol", "m1", "unknown")))
    world("members", "import", str(members))
    world("once", code=3)
    print("a credential that the gateway rejects")
    expect("the unknown member's events", receiver.types("unknown"), ["credential.rejected"])
    world("members", "remove", "unknown")
    print("a test event")
    world("events", "test")
    expect("events about no member", receiver.types(), ["test"])

    print("a connection expires while the receiver is down; then it recovers")
    receiver.status = 503
    world.happens("alice", "epic", "EXPIRED")
    world("once")
    with Daemon(world):
        link = world.link()
        press(link)
        until("alice recovers", lambda: any(
            row["outcome"] == "recovered" for row in world.json("lapses", "list") if row["member_id"] == "alice"))
    expect("nothing is delivered", receiver.types("alice"), [])
    states = {(row["type"], row["state"]) for row in world.json("events", "list")}
    print(f"    events list: {sorted(states)}")
    receiver.status = 204
    for row in world.json("events", "list", "--state", "queued"):
        if row["next_at"]:
            world("events", "retry", row["event_id"])
    with Daemon(world):
        until("all are delivered", lambda: not world.json("events", "list", "--state", "queued"))
    expect("alice's events, in their order", receiver.types("alice"),
           ["connection.lapsed", "notice.sent", "link.redeemed", "connection.recovered"])

    print("commands beside the daemon, a storm, and a rotation of the secret")
    world.configure(SECOND, previous=FIRST)
    world("connections", "disconnect", "epic", "--member", "bob", "--yes")
    world("suppress", "add", "bob@example.org")
    world("once")
    expect("bob's events", receiver.types("bob"), ["connection.disconnected", "address.suppressed"])
    receiver.secret = SECOND
    for member in ("alice", "carol"):
        world.happens(member, "epic", "EXPIRED")
    world("once")
    for hold in world.json("hold", "list"):
        if hold["state"] != "ended":
            world("hold", "release", hold["hold_id"])
    world("once")
    types = set(receiver.types())
    expect("storms", sorted(types & {"storm.started", "storm.ended"}), ["storm.ended", "storm.started"])

    print("a notice for the operator's own systems")
    world.configure(SECOND, channel="webhook")
    emails = len(world.emails())
    world.happens("m1", "epic", "EXPIRED")
    world("once")
    expect("the member's events", receiver.types("m1"), ["notice.due", "connection.lapsed", "notice.sent"])
    due = next(event["data"] for _, event in receiver.events if event["type"] == "notice.due")
    expect("emails", len(world.emails()) - emails, 0)
    with Daemon(world):
        press(due["url"])

    expect("none was refused", receiver.refused, 0)
    ids = [event_id for event_id, _ in receiver.events]
    expect("ids that came twice", len(ids) - len(set(ids)), 0)
    seen = sorted({event["type"] for _, event in receiver.events})
    print(f"verified: {', '.join(seen)}")
    for event in (event for _, event in receiver.events if event["type"] != "notice.due"):
        text = json.dumps(event)
        if "@" in text or "http" in text:
            raise SystemExit(f"an event has an address or a URL: {text}")

    print("a receiver with another secret confirms nothing")
    receiver.secret = "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB="
    world("events", "test", code=1)


class Daemon:
    def __init__(self, world):
        self.world = world

    def __enter__(self):
        command = [BINARY, "--config", self.world.folder / "reconnectd.toml", "run"]
        self.process = subprocess.Popen(command, env=CLEAN, stdout=subprocess.DEVNULL)
        until("the daemon", self.answers)

    def answers(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.world.admin}/healthz", timeout=5).status == 200
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(40)


def main():
    with tempfile.TemporaryDirectory() as folder, Receiver() as receiver:
        world = World(folder, receiver)
        try:
            story(world, receiver)
        finally:
            world.process.terminate()
            world.process.wait(10)


sys.exit(main())
