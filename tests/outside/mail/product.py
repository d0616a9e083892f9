"""The program under test, its configuration, and the simulated gateway that it asks."""

import json
import os
import pathlib
import sqlite3
import subprocess
import urllib.request

from postfix import PASSWORD, USER, free_port, until

BINARY = pathlib.Path(os.environ["RECONNECTD_BINARY"]).resolve()
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("RECONNECTD")}


class Gateway:
    """`reconnectd simulate`."""

    def __init__(self, members):
        self.url, self.members = f"http://127.0.0.1:{free_port()}", members

    def __enter__(self):
        listen, smtp = self.url.removeprefix("http://"), f"127.0.0.1:{free_port()}"
        command = [BINARY, "simulate", "--listen", listen, "--smtp", smtp, "--members", str(self.members)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=CLEAN)
        try:
            until("the gateway", self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _answers(self):
        try:
            return urllib.request.urlopen(self.url, timeout=5).status == 200
        except OSError:
            return False

    def happens(self, member, connection, status):
        request = urllib.request.Request(
            f"{self.url}/control/members/{member}/connections/{connection}",
            json.dumps({"status": status}).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=5).close()


class Product:
    """The real binary with a configuration of its own."""

    def __init__(self, folder, gateway, postfix):
        self.folder, self.gateway, self.postfix = pathlib.Path(folder), gateway, postfix
        self.folder.mkdir()
        self.configure()

    def _write(self, name, text):
        """Only the daemon's user may read secrets."""
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)

    def configure(self, password=PASSWORD, disclosure="generic", templates=""):
        quoted = json.dumps
        self._write("password", password)
        self._write("reconnectd.toml", f"""
[database]
url = {quoted(f"sqlite://{self.folder}/reconnectd.db")}
[keys]
file = {quoted(f"{self.folder}/reconnectd.keys")}
[gateway]
url = "{self.gateway.url}/v1/graphql"
oauth_hosts = ["127.0.0.1"]
client_key = "any"
[sweep]
confirm_sweeps = 1
[notices]
min_gap = "0s"
quiet_hours = ""
expired.first_after = "0s"
disconnected.first_after = "0s"
disclosure = "{disclosure}"
templates = {quoted(str(templates))}
[notices.recovered]
enabled = true
[storm]
min_members = 0
[email]
from = "Clínica Example, S.L. <no-reply@example.org>"
reply_to = "\\"Help, desk\\" <help@example.org>"
[email.smtp]
host = "localhost"
port = {self.postfix.port}
tls = "starttls"
username = "{USER}"
password_file = {quoted(f"{self.folder}/password")}
ca_file = {quoted(str(self.postfix.ca))}
[links]
public_url = "https://reconnect.example.org"
[telemetry]
log = "warn"
""")

    def __call__(self, *arguments, code=0, read=None):
        command = [BINARY, "--config", self.folder / "reconnectd.toml", *arguments]
        ended = subprocess.run(command, input=read, capture_output=True, text=True, timeout=60, env=CLEAN)
        if ended.returncode != code:
            raise SystemExit(f"{' '.join(arguments)} ended with {ended.returncode}, not {code}:\n"
                             f"{ended.stdout}{ended.stderr}")
        return ended.stdout

    def json(self, *arguments):
        return [json.loads(line) for line in self(*arguments, "--json").splitlines()]

    def notices(self):
        return {row["member_id"]: row for row in self.json("notices", "list")}

    def time_passes(self):
        """What waits to be tried again becomes due: nobody wants to wait a minute here."""
        with sqlite3.connect(self.folder / "reconnectd.db", timeout=10) as database:
            database.execute("UPDATE notices SET not_before = 0 WHERE state = 'queued'")
