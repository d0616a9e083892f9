"""Starts the program and others, and waits for what happens."""

import os
import pathlib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from ports import free_port

BINARY = pathlib.Path(os.environ["RECONNECTD_BINARY"]).resolve()
# No setting of the caller reaches the program.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("RECONNECTD")}


def until(what, happened):
    end = time.monotonic() + 20
    while not (found := happened()):
        if time.monotonic() > end:
            raise AssertionError(f"timed out: {what}")
        time.sleep(0.05)
    return found


def is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Processes:
    def __init__(self):
        self.running = []

    def start(self, command, port, **options):
        process = subprocess.Popen(command, **{"env": CLEAN, **options})
        self.running.append(process)
        until(f"{command[0]} listens", lambda: process.poll() is not None or is_open(port))
        assert process.poll() is None, f"{command[0]} ended"
        return process

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
            process.wait(20)
