"""The systemd unit, its commands, and its configuration."""

import pathlib
import re
import subprocess
import tempfile
import tomllib
import unittest

from processes import BINARY, CLEAN

ROOT = pathlib.Path(__file__).resolve().parents[3]
UNIT = (ROOT / "deploy/reconnectd.service").read_text()
CREDENTIALS = "/run/credentials/reconnectd.service"
# Where the unit puts each secret of the configuration.
SECRETS = {
    "database.url": "database_url",
    "gateway.client_key": "client_key",
    "gateway.webhook_secret": "gateway_webhook_secret",
    "gateway.auth.signing_key": "signing_key",
    "gateway.auth.broker_token": "broker_token",
    "bounces.password": "bounces_password",
    "webhook.secret": "webhook_secret",
    "webhook.previous_secret": "webhook_previous_secret",
    "email.smtp.password": "smtp_password",
    "admin.token": "admin_token",
    "telemetry.heartbeat_url": "heartbeat_url",
}
VALUES = {
    "database_url": "postgres://reconnectd:hush@db.example.org/reconnectd",
    "heartbeat_url": "https://monitor.example.org/ping",
    "webhook_secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


def settings(text):
    section = text.split("\n[Service]\n", 1)[1].split("\n[", 1)[0]
    return re.findall(r"^[A-Z]\w*=.*$", section, re.MULTILINE)


def credentials():
    return [re.fullmatch(r"LoadCredential=(\w+):reconnectd\.(\w+)", line).groups()
            for line in settings(UNIT) if line.startswith("LoadCredential=")]


class Unit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def analyze(self, *arguments):
        """With a program that exists here."""
        unit = self.folder / "reconnectd.service"
        unit.write_text(UNIT.replace("/usr/bin/reconnectd", str(BINARY)))
        return subprocess.run(["systemd-analyze", *arguments, unit], capture_output=True, text=True)

    def test_systemd_accepts_every_line(self):
        done = self.analyze("verify", "--man=no")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_sandbox_is_tight(self):
        done = self.analyze("security", "--offline=true")
        rating = re.search(r"Overall exposure level for reconnectd.service: ([\d.]+)", done.stdout)
        self.assertIsNotNone(rating, done.stderr)
        self.assertLessEqual(float(rating[1]), 1.5)
        for line in ("DynamicUser=yes", "StateDirectory=reconnectd", "Type=notify"):
            self.assertIn(line, settings(UNIT))

    def test_each_secret_of_the_configuration_is_a_credential_that_may_be_missing(self):
        # Systemd leaves out one whose source has no path, if it is not there.
        loaded = credentials()
        self.assertEqual([name for name, source in loaded if name != source], [])
        names = [name for name, _ in loaded]
        self.assertEqual(sorted(names), sorted(["keys", *SECRETS.values()]))
        defaults, section, marked = (ROOT / "config/reconnectd.toml").read_text(), "", set()
        for line in defaults.splitlines():
            if table := re.match(r"\[([\w.]+)\]", line):
                section = table[1]
            elif setting := re.match(r"(\w+) = ", line):
                last = f"{section}.{setting[1]}"
            if re.search(r"\(a secret|\ba secret\b(?!s)", line) and not line.startswith("#"):
                marked.add(last)
        self.assertGreaterEqual(len(marked), 10)
        self.assertEqual(marked - set(SECRETS), set())


class Configuration(unittest.TestCase):
    def print_with(self, text):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name, _ in credentials():
                (folder / name).write_text(VALUES.get(name, "secret"))
                # As systemd leaves them.
                (folder / name).chmod(0o400)
            self.assertIn(CREDENTIALS, text)
            file = folder / "reconnectd.toml"
            file.write_text(text.replace(CREDENTIALS, str(folder)))
            command = [BINARY, "--config", file, "config", "print"]
            done = subprocess.run(command, env=CLEAN, capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return tomllib.loads(done.stdout)

    def test_it_is_valid_and_so_is_everything_that_it_suggests(self):
        text = (ROOT / "deploy/reconnectd.toml").read_text()
        self.assertEqual(self.print_with(text)["database"]["url"], "sqlite:///var/lib/reconnectd/reconnectd.db")
        suggested = re.sub(r"^# (\w+ = |\[)", r"\1", text, flags=re.MULTILINE)
        suggested = suggested.replace('url = "sqlite:///var/lib/reconnectd/reconnectd.db"\n', "")
        printed = self.print_with(suggested)
        for section, key in [("database", "url_file"), ("admin", "token_file"), ("telemetry", "heartbeat_url_file"),
                             ("bounces", "password_file"), ("webhook", "secret_file")]:
            self.assertIn(key, printed[section])

    def test_it_names_only_credentials_that_the_unit_loads(self):
        named = re.findall(rf"{CREDENTIALS}/(\w+)", (ROOT / "deploy/reconnectd.toml").read_text())
        self.assertEqual(set(named) - {name for name, _ in credentials()}, set())


class Commands(unittest.TestCase):
    """reconnectd-ctl, with stand-ins for systemctl and systemd-run."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "unit").write_text(
            UNIT + "\n# a drop-in\n[Service]\nEnvironment=RECONNECTD__BRAND__NAME=A \\\nRECONNECTD__BRAND__HELP=B\n"
            "[Unit]\nAfter=other.service\n")
        self.stand_in("systemctl", f'[ "$1" = cat ] && cat {self.folder}/unit')
        self.stand_in("systemd-run", f'printf "%s\\0" "$@" >{self.folder}/arguments; exit 3')
        self.stand_in("id", "echo 0")

    def stand_in(self, name, script):
        (self.folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.folder / name).chmod(0o755)

    def ctl(self, *arguments):
        environment = {**CLEAN, "PATH": f"{self.folder}:{CLEAN['PATH']}", "SUDO_USER": "ann"}
        command = [ROOT / "deploy/reconnectd-ctl", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)

    def test_a_command_runs_as_the_service_runs(self):
        done = self.ctl("hold", "add", "--reason", "an outage: $(ls) \"*\"")
        self.assertEqual((done.returncode, done.stderr), (3, ""), "the command's exit code")
        given = (self.folder / "arguments").read_text().split("\0")[:-1]
        end = given.index("--")
        self.assertEqual(given[end + 1:], ["/usr/bin/reconnectd", "hold", "add", "--reason", "an outage: $(ls) \"*\""])
        properties = [value for option, value in zip(given, given[1:]) if option == "--property"]
        life = r"(Type|ExecStart|ExecReload|Restart|RestartSec|RestartPreventExitStatus|TimeoutStopSec|WatchdogSec|WorkingDirectory)=.*"
        expected = [line for line in settings(UNIT) if not re.fullmatch(life, line)]
        self.assertEqual([line for line in properties if line in expected], expected, "in the same order")
        others = [line for line in properties if line not in expected]
        self.assertEqual(others[:2], ["WorkingDirectory=/var/lib/reconnectd",
                                      "Environment=RECONNECTD__BRAND__NAME=A  RECONNECTD__BRAND__HELP=B"])
        [unit] = [value.removeprefix("--unit=") for value in given if value.startswith("--unit=")]
        self.assertEqual(others[2:], [f"BindReadOnlyPaths=/run/credentials/{unit}.service:{CREDENTIALS}"])
        self.assertIn("SUDO_USER=ann", given)

    def test_the_daemon_itself_is_left_to_the_service(self):
        for arguments in ([], ["run"]):
            self.assertEqual(self.ctl(*arguments).returncode, 2)
        self.assertFalse((self.folder / "arguments").exists())

    def test_only_root_can_use_it(self):
        self.stand_in("id", "echo 1000")
        self.assertEqual(self.ctl("status").returncode, 1)
        self.assertFalse((self.folder / "arguments").exists())


if __name__ == "__main__":
    unittest.main()
