"""The context of the image has what the build reads, and no secret."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SECRETS = [
    ".env", ".git/config", "client_key", "config/production.toml", "config/reconnectd.local.toml", "outbox/1.eml",
    "reconnectd.db", "reconnectd.db-wal", "reconnectd.keys", "reconnectd.toml", "smtp_password", "src/server.key",
    "src/reconnectd.db-wal", "src/tls.pem", "src/.env.local", "members.jsonl", "target/debug/reconnectd",
]


def rules():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    for line in filter(None, (line.split("#", 1)[0].strip() for line in lines)):
        glob = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        yield re.compile(f"{glob}(/.*)?"), line.startswith("!")


def is_sent(path):
    """As Docker decides: the last rule that matches a file or a folder above it."""
    sent = True
    for rule, keeps in rules():
        if rule.fullmatch(path):
            sent = keeps
    return sent


class Image(unittest.TestCase):
    def test_what_the_build_reads_is_sent(self):
        dep_info = pathlib.Path(os.environ["RECONNECTD_BINARY"]).with_suffix(".d").read_text()
        read = [pathlib.Path(path) for path in dep_info.split(": ", 1)[1].split()]
        read = [str(path.relative_to(ROOT)) for path in read if path.is_relative_to(ROOT)]
        self.assertGreater(len(read), 100)
        benches = [f"benches/{path.name}" for path in (ROOT / "benches").iterdir()]
        missing = [path for path in ["Cargo.toml", "Cargo.lock", *benches, *read] if not is_sent(path)]
        self.assertEqual(missing, [])

    def test_no_configuration_and_no_secret_is_sent(self):
        self.assertEqual([path for path in SECRETS if is_sent(path)], [])

    def test_little_else_is_sent(self):
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        tops = {path.split("/")[0] for path in tracked.splitlines() if is_sent(path)}
        self.assertEqual(tops, {"Cargo.toml", "Cargo.lock", "benches", "config", "migrations", "src"})

    def test_the_linter_finds_nothing(self):
        # DL3008: the base image's repositories hold one version of a package.
        command = [pathlib.Path(sys.executable).parent / "hadolint", "--ignore", "DL3008", "deploy/Dockerfile"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_the_base_images_are_pinned(self):
        bases = re.findall(r"^FROM (\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
        self.assertEqual(len(bases), 2)
        for base in bases:
            self.assertRegex(base, r"^[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}$")


if __name__ == "__main__":
    unittest.main()
