"""Answers the commands' prompts on a pseudo-terminal, as a person would."""

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
TIMEOUT = 30


class Terminal:
    """A command on its own pseudo-terminal."""

    def __init__(self, home, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execv(PROGRAM, [PROGRAM, "--config", "reconnectd.toml", *arguments])
        self.output = ""

    def wait_for(self, text):
        """Reads until the terminal shows the text."""
        end = time.monotonic() + TIMEOUT
        while text not in self.output:
            if not self._read(end):
                raise AssertionError(f"{text!r} is not in {self.output!r}")

    def wait_until_hidden(self):
        """Waits until echo is off. The command discards earlier input."""
        end = time.monotonic() + TIMEOUT
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            if time.monotonic() > end:
                raise AssertionError(f"the terminal still echoes after {self.output!r}")
            time.sleep(0.01)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        """Returns the whole output and the exit code."""
        end = time.monotonic() + TIMEOUT
        while self._read(end):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return self.output, os.waitstatus_to_exitcode(status)

    def _read(self, end):
        if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError(f"timed out after {self.output!r}")
        try:
            piece = os.read(self.fd, 4096)
        except OSError:  # Linux reports EIO when the other side has closed.
            return False
        self.output += piece.decode(errors="replace")
        return bool(piece)


class Prompts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        ports = ["--listen", "127.0.0.1:0", "--smtp", "127.0.0.1:0"]
        simulator = subprocess.Popen([PROGRAM, "simulate", *ports], stdout=subprocess.PIPE, text=True)
        self.addCleanup(simulator.wait)
        self.addCleanup(simulator.terminate)
        self.addCleanup(simulator.stdout.close)
        settings, members = [], []
        while len(members) < 3:
            line = simulator.stdout.readline()
            self.assertTrue(line, "the simulator ended")
            (members if line.startswith("{") else settings).append(line)
        (self.home / "reconnectd.toml").write_text("".join(settings))
        (self.home / "members.jsonl").write_text("".join(members))
        for arguments in (["keys", "generate"], ["members", "import", "members.jsonl"]):
            self.run_plain(*arguments)

    def run_plain(self, *arguments):
        done = subprocess.run(
            [PROGRAM, "--config", "reconnectd.toml", *arguments],
            cwd=self.home, capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def status(self, connection):
        listed = self.run_plain("connections", "list", "--member", "alice")
        return next(re.split(r"\s+", line) for line in listed.splitlines() if connection in line)

    def test_a_password_prompt_does_not_echo(self):
        terminal = Terminal(self.home, "connections", "establish", "basicins", "--member", "alice")
        terminal.wait_for("User name: ")
        terminal.type("alice\n")
        terminal.wait_for("Password: ")
        terminal.wait_until_hidden()
        terminal.type("open sesame\n")
        output, code = terminal.wait()
        self.assertEqual(code, 0, output)
        self.assertIn("CONNECTED", output)
        self.assertNotIn("open sesame", output)

    def test_an_empty_password_is_rejected(self):
        named = ["--username", "alice"]
        terminal = Terminal(self.home, "connections", "establish", "basicins", "--member", "alice", *named)
        terminal.wait_for("Password: ")
        terminal.wait_until_hidden()
        terminal.type("\n")
        output, code = terminal.wait()
        self.assertEqual(code, 2, output)
        self.assertIn("the password is empty", output)

    def test_nothing_is_disconnected_without_a_yes(self):
        for answer in ("n\n", "\n", "\x04"):
            terminal = Terminal(self.home, "connections", "disconnect", "epic", "--member", "alice")
            terminal.wait_for("[y/N] ")
            terminal.type(answer)
            output, code = terminal.wait()
            self.assertEqual(code, 1, output)
            self.assertIn("nothing was done", output)
        self.assertIn("CONNECTED", self.status("epic"))

    def test_a_yes_disconnects(self):
        terminal = Terminal(self.home, "connections", "disconnect", "epic", "--member", "alice")
        terminal.wait_for("Disconnect epic of alice? [y/N] ")
        terminal.type("y\n")
        output, code = terminal.wait()
        self.assertEqual(code, 0, output)
        self.assertIn("DISCONNECTED", self.status("epic"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
