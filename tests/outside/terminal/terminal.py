"""The questions that commands ask, answered on a pseudo-terminal as a person would."""

import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import tempfile
import termios
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
PATIENCE = 30


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, home, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execv(PROGRAM, [PROGRAM, "--config", "reconnectd.toml", *arguments])
        self.shown = ""

    def wait_for(self, words):
        """Reads until the words are shown."""
        end = time.monotonic() + PATIENCE
        while words not in self.shown:
            if not self._read(end):
                raise AssertionError(f"{words!r} is not in {self.shown!r}")

    def wait_until_hidden(self):
        """Waits until what is typed is not shown. What was typed before that is thrown away."""
        end = time.monotonic() + PATIENCE
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            if time.monotonic() > end:
                raise AssertionError(f"shows what is typed after {self.shown!r}")
            time.sleep(0.01)

    def type(self, text):
        os.write(self.fd, text.encode())

    def ended(self):
        """All that was shown, and the exit code."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return self.shown, os.waitstatus_to_exitcode(status)

    def _read(self, end):
        if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError(f"nothing more than {self.shown!r}")
        try:
            piece = os.read(self.fd, 4096)
        except OSError:  # Linux says so when the other side has closed.
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


class Questions(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        ports = ["--listen", "127.0.0.1:0", "--smtp", "127.0.0.1:0"]
        world = subprocess.Popen([PROGRAM, "simulate", *ports], stdout=subprocess.PIPE, text=True)
        self.addCleanup(world.wait)
        self.addCleanup(world.terminate)
        self.addCleanup(world.stdout.close)
        settings, members = [], []
        while len(members) < 3:
            line = world.stdout.readline()
            self.assertTrue(line, "the simulator ended")
            (members if line.startswith("{") else settings).append(line)
        (self.home / "reconnectd.toml").write_text("".join(settings))
        (self.home / "members.jsonl").write_text("".join(members))
        for arguments in (["keys", "generate"], ["members", "import", "members.jsonl"]):
            self.run_plain(*arguments)

    def run_plain(self, *arguments):
        done = subprocess.run(
            [PROGRAM, "--config", "reconnectd.toml", *arguments],
            cwd=self.home, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def status(self, connection):
        listed = self.run_plain("connections", "list", "--member", "alice")
        return next(re.split(r"\s+", line) for line in listed.splitlines() if connection in line)

    def test_a_password_is_asked_for_and_not_shown(self):
        terminal = Terminal(self.home, "connections", "establish", "basicins", "--member", "alice")
        terminal.wait_for("User name: ")
        terminal.type("alice\n")
        terminal.wait_for("Password: ")
        terminal.wait_until_hidden()
        terminal.type("open sesame\n")
        shown, code = terminal.ended()
        self.assertEqual(code, 0, shown)
        self.assertIn("CONNECTED", shown)
        self.assertNotIn("open sesame", shown)

    def test_an_empty_password_is_refused(self):
        named = ["--username", "alice"]
        terminal = Terminal(self.home, "connections", "establish", "basicins", "--member", "alice", *named)
        terminal.wait_for("Password: ")
        terminal.wait_until_hidden()
        terminal.type("\n")
        shown, code = terminal.ended()
        self.assertEqual(code, 2, shown)
        self.assertIn("the password is empty", shown)

    def test_nothing_is_cut_without_a_yes(self):
        for answer in ("n\n", "\n", "\x04"):
            terminal = Terminal(self.home, "connections", "disconnect", "epic", "--member", "alice")
            terminal.wait_for("[y/N] ")
            terminal.type(answer)
            shown, code = terminal.ended()
            self.assertEqual(code, 1, shown)
            self.assertIn("nothing was done", shown)
        self.assertIn("CONNECTED", self.status("epic"))

    def test_a_yes_cuts_it(self):
        terminal = Terminal(self.home, "connections", "disconnect", "epic", "--member", "alice")
        terminal.wait_for("Disconnect epic of alice? [y/N] ")
        terminal.type("y\n")
        shown, code = terminal.ended()
        self.assertEqual(code, 0, shown)
        self.assertIn("DISCONNECTED", self.status("epic"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
