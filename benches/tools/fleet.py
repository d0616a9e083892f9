"""Configurations and databases of the measured daemon."""

import email
import email.policy
import glob
import json
import os
import re
import shutil

from machine import MEASURED, Failed, free_port, read


class Fleet:
    """A folder with a key ring, an import file, and databases in each state that a measurement starts from."""

    def __init__(self, machine, program, gateway_port, options):
        self.machine, self.program, self.gateway_port, self.options = machine, program, gateway_port, options
        self.folder = machine.folder
        # A version that knows this setting waits before a first email.
        self.has_patience = "first_after" in machine.run([program, "config", "print"], MEASURED).output
        self.runs = 0

    def prepare(self):
        """Builds the databases. Nothing is measured here."""
        self.command(self.config("keys"), "keys", "generate")
        members, emails = self.options.members, self.options.emails
        self.write_members("members.jsonl", members)
        self.write_members("recipients.jsonl", emails)
        for name, file, count in (("imported", "members.jsonl", members), ("recipients", "recipients.jsonl", emails)):
            config = self.config(name)
            self.command(config, "members", "import", f"{self.folder}/{file}")
        self.derive("swept", "imported", members)
        self.derive("small", "recipients", emails)
        # Nobody listens on that port, so every notice stays in the queue.
        queued = self.config("queued", origin="small", mode="expired", smtp_port=free_port())
        self.once(queued, emails, codes=(0, 3))
        self.prepare_page()

    def derive(self, name, origin, members):
        self.once(self.config(name, origin=origin), members)

    def prepare_page(self):
        """A database with one member and a link to their page."""
        self.write_members("one.jsonl", 1)
        config = self.config("page", mode="expired", transport="file")
        self.command(config, "members", "import", f"{self.folder}/one.jsonl")
        self.once(config, 1)
        found = glob.glob(f"{self.folder}/page.outbox/**/*.eml", recursive=True)
        if not found:
            raise Failed("no email with a link")
        with open(found[0], "rb") as file:
            raw = file.read()
        text = email.message_from_bytes(raw, policy=email.policy.default).get_body(("plain",)).get_content()
        self.email_bytes = len(raw)
        self.page_path = re.search(r"/r/[\w-]+", text).group()

    def write_members(self, file, count):
        with open(f"{self.folder}/{file}", "w") as out:
            for n in range(count):
                row = {"member_id": f"m{n}", "email": f"m{n}@example.org", "refresh_token": f"rt-m{n}"}
                out.write(json.dumps(row) + "\n")

    def config(self, name, origin=None, mode="connected", transport="smtp", smtp_port=25, pages_port=None,
               admin_port=None, schedule="0 0 0 1 1 *"):
        """Writes a configuration, with a copy of another one's database."""
        folder = self.folder
        if origin:
            for suffix in ("", "-wal"):
                if os.path.exists(f"{folder}/{origin}.db{suffix}"):
                    shutil.copy(f"{folder}/{origin}.db{suffix}", f"{folder}/{name}.db{suffix}")
        patience = 'first_after = "0s"' if self.has_patience else ""
        pages_port = pages_port or free_port()
        with open(f"{folder}/{name}.toml", "w") as out:
            out.write(f"""
[database]
url = "sqlite://{folder}/{name}.db"
[keys]
file = "{folder}/bench.keys"
[gateway]
url = "http://127.0.0.1:{self.gateway_port}/{mode}/v1/graphql"
client_key = "any"
max_in_flight = {self.options.in_flight}
[sweep]
schedule = "{schedule}"
confirm_sweeps = {2 if name.startswith("changed") else 1}
[notices]
quiet_hours = ""
[notices.expired]
{patience}
[storm]
min_members = 0
[email]
transport = "{transport}"
directory = "{folder}/{name}.outbox"
per_minute = 0
connections = 16
[email.smtp]
host = "127.0.0.1"
port = {smtp_port}
tls = "none"
helo_name = "bench.example.org"
[links]
listen = "127.0.0.1:{pages_port}"
public_url = "http://127.0.0.1:{pages_port}"
requests_per_minute = 0
[admin]
listen = "127.0.0.1:{admin_port or free_port()}"
[telemetry]
log = "error"
""")
        return f"{folder}/{name}.toml"

    def fresh(self, kind, **settings):
        """A configuration for one measurement; `discard` deletes its database."""
        self.runs += 1
        return self.config(f"{kind}-{self.runs}", **settings)

    def discard(self, config):
        stem = config.removesuffix(".toml")
        for path in [config, *glob.glob(stem + ".db*")]:
            os.remove(path)

    def command(self, config, *arguments, **settings):
        return self.machine.run([self.program, *arguments], MEASURED, {"RECONNECTD_CONFIG": config}, **settings)

    def once(self, config, members, transitions=None, codes=(0,)):
        """Runs `once` and checks that it polled every member."""
        ended = self.command(config, "once", "--json", codes=codes)
        report = json.loads(ended.output)
        is_complete = report["members"] == members and report["unclear"] == report["skipped"] == 0
        if not is_complete or transitions not in (None, report["transitions"]):
            raise Failed(f"the sweep is not the expected one: {ended.output.strip()}")
        return ended

    def daemon(self, config, prefix=()):
        command = [*prefix, self.program, "run"]
        return self.machine.running(command, MEASURED, {"RECONNECTD_CONFIG": config})

    def log(self, child):
        return read(child.name + ".err")[-600:]
