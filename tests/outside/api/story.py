"""Members come by the API; then its document is validated, and tried out with thousands of requests."""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import openapi_spec_validator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from stories import BINARY, CLEAN, expect, fetch, free_port, until

MEMBERS = 40
BROKEN = 8
# The requests to one operation, in each phase.
EXAMPLES = os.environ.get("EXAMPLES", "15")
# All others must succeed at least once. The notice was sent, and the event may just be under way.
EXPECTED = {"POST /notices/{id}/retry": (409,), "POST /events/{id}/retry": (200, 409)}
# `positive_data_acceptance`: JSON Schema cannot say what `after` comes from a page, nor which members, languages, and time
# zones exist. `ignored_auth`: it sends so many unknown tokens that they are limited (429).
EXCEPT = "positive_data_acceptance,ignored_auth"


class World:
    """The simulated gateway and mailbox, and a daemon with a token for each scope."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.gateway = f"http://127.0.0.1:{free_port()}"
        self.smtp, self.pages, self.admin = free_port(), free_port(), free_port()
        self.tokens, self.processes = {}, []
        self.log = self.folder / "daemon.log"

    def start(self):
        self.spawn("simulate", "--listen", self.gateway.removeprefix("http://"), "--smtp", f"127.0.0.1:{self.smtp}",
                   "--members", str(MEMBERS), log=subprocess.DEVNULL)
        until("the gateway responds", lambda: fetch(self.gateway)[0] == 200)
        entries = [self.token(scope) for scope in ("read", "write")]
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
schedule = "*/2 * * * * *"
confirm_sweeps = 1
[notices]
quiet_hours = ""
expired.first_after = "0s"
[webhook]
url = "http://127.0.0.1:{free_port()}/"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[email.smtp]
host = "127.0.0.1"
port = {self.smtp}
tls = "none"
[links]
listen = "127.0.0.1:{self.pages}"
public_url = "http://127.0.0.1:{self.pages}"
[admin]
listen = "127.0.0.1:{self.admin}"
tokens = [{", ".join(entries)}]
""")
        configured = ("--config", str(file))
        subprocess.run([BINARY, *configured, "keys", "generate"], check=True, env=CLEAN, stdout=subprocess.DEVNULL)
        self.spawn(*configured, "run", log=self.log.open("wb"))
        until("the daemon is ready", lambda: fetch(f"http://127.0.0.1:{self.admin}/healthz")[0] == 200)

    def token(self, scope):
        """Returns the configuration's entry."""
        command = [BINARY, "tokens", "generate", "--name", scope, "--scope", scope, "--json"]
        made = json.loads(subprocess.run(command, check=True, capture_output=True, env=CLEAN).stdout)
        self.tokens[scope] = made["token"]
        return f'{{ name = "{scope}", sha256 = "{made["sha256"]}", scope = "{scope}" }}'

    def spawn(self, *arguments, log):
        command = [BINARY, *arguments]
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=CLEAN))

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(timeout=30)

    def api(self, method, path, body=None, kind="application/json", scope="write"):
        headers = {"Authorization": f"Bearer {self.tokens[scope]}", "Content-Type": kind}
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}/api/v1{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as response:
            return response.code, json.load(response)

    def items(self, path):
        return self.api("GET", path, scope="read")[1]["items"]

    def breaks(self, member):
        url = f"{self.gateway}/control/members/{member}/connections/epic"
        urllib.request.urlopen(urllib.request.Request(
            url, b'{"status": "EXPIRED"}', {"Content-Type": "application/json"}), timeout=5).close()


def statuses_by_operation(document, entries):
    """The responses to each operation of the document, except the one that returns the document: nobody tests that."""
    found = {f"{method.upper()} {path}": collections.Counter() for path, item in document["paths"].items()
             for method in item if path != "/openapi.json"}
    # Paths without a parameter first: they take precedence.
    patterns = sorted(((re.sub(r"\{id\}", "[^/]*", operation), operation) for operation in found),
                      key=lambda pattern: "{" in pattern[1])
    for entry in entries:
        path = urllib.parse.urlsplit(entry["request"]["url"]).path.removeprefix("/api/v1")
        request = f"{entry['request']['method']} {path}"
        for pattern, operation in patterns:
            if re.fullmatch(pattern, request):
                found[operation][entry["response"]["status"]] += 1
                break
    return found


def story(world):
    print("members come by the API, some with a broken connection")
    members = [f"m{number}" for number in range(1, MEMBERS + 1)]
    for member in members[:BROKEN]:
        world.breaks(member)
    rows = "".join(f"{member},{member}@example.org,rt-{member}\n" for member in members)
    status, imported = world.api("POST", "/members/import", f"member_id,email,refresh_token\n{rows}".encode(), "text/csv")
    expect("imported", (status, imported["imported"]), (200, MEMBERS))
    until("emails are sent", lambda: len(world.items("/notices?state=sent")) == BROKEN)
    expect("open lapses", len(world.items("/lapses?state=open")), BROKEN)

    # Only while an event waits for its next attempt.
    until("a failed event is sent again", lambda: any(
        world.api("POST", f"/events/{row['event_id']}/retry")[0] == 200 for row in world.items("/events?state=queued")))

    print("the document")
    status, document = world.api("GET", "/openapi.json", scope="read")
    openapi_spec_validator.validate(document)
    expect("the document is valid OpenAPI", document["openapi"][:3], "3.1")

    print("requests that it permits, and others")
    # Nobody guesses an id, and what is found has other responses than what is not.
    notice, event = world.items("/notices?state=sent")[0]["notice_id"], world.items("/events")[0]["event_id"]
    (world.folder / "schemathesis.toml").write_text("".join(f"""
[[operations]]
include-path = "{path}"
parameters = {{ "path.id" = "{found}" }}
""" for path, found in (("/notices/{id}", notice), ("/notices/{id}/retry", notice), ("/events/{id}/retry", event))))
    sent = world.folder / "sent.har"
    command = ["schemathesis", "run", f"http://127.0.0.1:{world.admin}/api/v1/openapi.json", "--checks", "all",
               "--exclude-checks", EXCEPT, "--max-examples", EXAMPLES, "--seed", "1", "--workers", "1", "--no-color",
               "--header", f"Authorization: Bearer {world.tokens['write']}", "--warnings", "off",
               "--continue-on-failure", "--report", "har", "--report-har-path", sent]
    ended = subprocess.run(command, cwd=world.folder, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode != 0:
        raise SystemExit(ended.stdout)
    statuses = statuses_by_operation(document, json.loads(sent.read_text())["log"]["entries"])
    for operation, counts in statuses.items():
        print(f"    {operation:30} {dict(sorted(counts.items()))}")
    # Refused requests alone would prove nothing.
    missing = [operation for operation, counts in statuses.items()
               if not any(status in counts for status in EXPECTED.get(operation, (200, 201)))]
    expect("operations that were only refused", missing, [])

    expect("the daemon is healthy", fetch(f"http://127.0.0.1:{world.admin}/healthz")[0], 200)
    status, audit = world.api("GET", "/audit?limit=1000", scope="read")
    actors = {row["actor"] for row in audit["items"]}
    expect("the audit names the token", "token:write" in actors, True)
    log = world.log.read_text()
    expect("addresses and tokens in the log", [text for text in ("@example.org", *world.tokens.values()) if text in log], [])


with tempfile.TemporaryDirectory() as folder:
    world = World(folder)
    try:
        world.start()
        story(world)
    finally:
        world.stop()
        if "VERBOSE" in os.environ:
            print(world.log.read_text()[-4000:])
