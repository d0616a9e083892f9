"""A daemon with traffic; its metrics in promtool and in a Prometheus that scrapes it each second."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import queries
from stories import BINARY, CLEAN, fetch, free_port, until

ROOT = pathlib.Path(__file__).resolve().parents[3]
MEMBERS = ("alice", "bob", "carol", "m1", "m2")


class Processes:
    """What the story starts, and stops at its end."""

    def __init__(self):
        self.started = []

    def start(self, *command):
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, env=CLEAN)
        self.started.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.terminate()
        for process in reversed(self.started):
            process.wait(60)


class World:
    def __init__(self, folder, processes):
        self.folder, self.processes = pathlib.Path(folder), processes
        self.gateway = f"http://127.0.0.1:{free_port()}"
        self.smtp, self.pages, self.admin, self.prometheus = (free_port() for _ in range(4))
        processes.start(BINARY, "simulate", "--listen", self.gateway.removeprefix("http://"),
                        "--smtp", f"127.0.0.1:{self.smtp}", "--members", "2")
        until("the gateway", lambda: fetch(self.gateway)[0] == 200)
        self.config = self.folder / "reconnectd.toml"
        self.config.touch(mode=0o600)
        self.config.write_text(f"""
[database]
url = "sqlite://{self.folder}/reconnectd.db"
[keys]
file = "{self.folder}/reconnectd.keys"
[gateway]
url = "{self.gateway}/v1/graphql"
client_key = "any"
[sweep]
schedule = "* * * * * *"
confirm_sweeps = 1
recheck = ["1s", "2s"]
[notices]
min_gap = "0s"
quiet_hours = ""
expired.first_after = "0s"
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

    def __call__(self, *arguments):
        command = [BINARY, "--config", self.config, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=CLEAN)
        if ended.returncode != 0:
            raise SystemExit(f"{arguments} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def control(self, path, body):
        status, _, text = fetch(f"{self.gateway}/control/{path}", json.dumps(body).encode(), "application/json")
        if status // 100 != 2:
            raise SystemExit(f"{path}: {status} {text}")

    def links(self):
        emails = fetch(self.gateway + "/control/mails")[2]
        return re.findall(rf"http://127\.0\.0\.1:{self.pages}/r/[\w-]+", emails)

    def metrics(self):
        return fetch(f"http://127.0.0.1:{self.admin}/metrics")[2]

    def press(self, link):
        """Presses the only button of a page, and allows access at the source."""
        page = fetch(link)[2]
        time.sleep(1.2)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        status, headers, _ = fetch(link, urllib.parse.urlencode(fields).encode())
        if status != 303:
            raise SystemExit(f"a press: {status}")
        source = headers["Location"]
        page = fetch(source)[2]
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page)) | {"answer": "allow"}
        fetch(source, urllib.parse.urlencode(fields).encode())

    def begin(self):
        """A daemon that sweeps each second, with emails, a press, a recovery, and a gateway that fails for one member."""
        self("keys", "generate")
        members = self.folder / "members.jsonl"
        rows = ({"member_id": member, "email": f"{member}@example.org", "refresh_token": f"rt-{member}"} for member in MEMBERS)
        members.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self("members", "import", str(members))
        self.processes.start(BINARY, "--config", self.config, "run")
        until("a complete sweep", lambda: 'reconnectd_sweeps_total{outcome="complete"} 0' not in self.metrics() and self.metrics())
        self.scrape()
        self.control("faults", {"fault": {"http": {"status": 503}}, "operation": "getMemberConnections", "member": "m2"})
        for member in ("alice", "bob"):
            self.control(f"members/{member}/connections/epic", {"status": "EXPIRED"})
        link = until("an email", self.links)[0]
        self.press(link)
        until("a recovery", lambda: 'reconnectd_lapses_closed_total{outcome="recovered"} 1' in self.metrics())

    def scrape(self):
        file = self.folder / "prometheus.yml"
        file.write_text(f"""
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{ROOT}/deploy/prometheus/reconnectd.rules.yaml"]
scrape_configs:
  - job_name: reconnectd
    static_configs: [{{ targets: ["127.0.0.1:{self.admin}"] }}]
""")
        self.processes.start("prometheus", f"--config.file={file}", f"--storage.tsdb.path={self.folder}/tsdb",
                             f"--web.listen-address=127.0.0.1:{self.prometheus}", "--log.level=error")

    def query(self, text):
        status, _, body = fetch(f"http://127.0.0.1:{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": text}))
        if status != 200:
            raise SystemExit(f"{text}: {status} {body}")
        return json.loads(body)["data"]["result"]


def is_answered(world, query):
    """NaN is an answer, too: nothing happened within the window."""
    return bool(world.query(query))


def main():
    with tempfile.TemporaryDirectory() as folder, Processes() as processes:
        world = World(folder, processes)
        world.begin()
        # The counts of the fleet are published every 15 seconds.
        until("the fleet's counts", lambda: 'reconnectd_funnel_lapses{stage="recovered"} 1' in world.metrics())
        text = world.metrics()
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
        if checked.returncode != 0:
            raise SystemExit(f"promtool check metrics:\n{checked.stdout}{checked.stderr}")
        print("    promtool check metrics: fine")
        undocumented = queries.undocumented(text, (ROOT / "README.md").read_text())
        if undocumented:
            raise SystemExit(f"not in the README: {undocumented}")
        dashboard = queries.of_dashboard(ROOT / "deploy/grafana/reconnectd.json")
        selectors = queries.selectors_of_rules(ROOT / "deploy/prometheus/reconnectd.rules.yaml")
        unanswered = [query for query in dashboard + selectors if not is_answered(world, query)]
        if unanswered:
            raise SystemExit("no data for:\n  " + "\n  ".join(unanswered))
        print(f"    queries of the dashboard with data: {len(dashboard)}; selectors of the alerts with data: {len(selectors)}")


if __name__ == "__main__":
    sys.exit(main())
