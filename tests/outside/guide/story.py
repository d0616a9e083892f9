"""The commands of the guide's rehearsal, as they are written, on ports of their own."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from stories import BINARY, CLEAN, expect, fetch, free_port, press, until

GUIDE = pathlib.Path("deploy/README.md").read_text()
PORTS = {port: str(free_port()) for port in ("8080", "8081", "2525", "9090")}


def commands():
    """The blocks of the section, in order."""
    section = GUIDE.split("\n## Rehearse on one machine\n")[1].split("\n## ")[0]
    for port, free in PORTS.items():
        section = section.replace(f":{port}", f":{free}").replace(f"port = {port}", f"port = {free}")
    return [textwrap.dedent(block) for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)]


class Terminal:
    """Shells in one folder, with the program on the path."""

    def __init__(self, folder):
        self.folder = folder
        path = f"{BINARY.parent}:{CLEAN['PATH']}"
        self.env = CLEAN | {"PATH": path, "RECONNECTD_CONFIG": f"{folder}/reconnectd.toml"}
        self.started = []

    def run(self, block):
        """What the commands print. The first that fails ends the story."""
        ended = subprocess.run(["bash", "-euc", block], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60)
        if ended.returncode != 0:
            raise SystemExit(f"{block}\nended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def start(self, block):
        process = subprocess.Popen(["bash", "-euc", f"exec {block}"], cwd=self.folder, env=self.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.started.append(process)
        return process

    def end(self):
        for process in reversed(self.started):
            process.terminate()
            _, errors = process.communicate(timeout=60)
            if process.returncode != 0:
                raise SystemExit(f"{process.args} ended with {process.returncode}:\n{errors}")


def emails():
    return json.loads(fetch(f"http://127.0.0.1:{PORTS['8081']}/control/mails")[2] or "[]")


def story(terminal):
    simulate, configure, prepare, run, expire, look = commands()
    terminal.start(simulate)
    until("the simulator", lambda: fetch(f"http://127.0.0.1:{PORTS['8081']}/mail")[0] == 200)
    terminal.run(configure)
    terminal.run(prepare)
    terminal.start(run)
    until("the first sweep", lambda: "CONNECTED" in terminal.run("reconnectd transitions"))
    terminal.run(expire)
    email = until("the email", emails)[0]
    link = re.findall(r"http://127\.0\.0\.1:\d+/r/[\w-]+", email["text"])[0]
    press(link)
    until("the recovery", lambda: terminal.run("reconnectd lapses list --json").count('"outcome":"recovered"') == 1)
    report = terminal.run(look)
    expect("the report tells of the recovery", "recovered" in report, True)


with tempfile.TemporaryDirectory(prefix="reconnectd-guide-") as folder:
    terminal = Terminal(folder)
    try:
        story(terminal)
    finally:
        terminal.end()
