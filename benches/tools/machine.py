"""Processes, cores, and foreign CPU time. Ends only processes that it started, by id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

# Another program's share of all cores above which a measurement is marked as disturbed.
FOREIGN_LIMIT = 0.04
TICK = os.sysconf("SC_CLK_TCK")


def find_cores():
    """The core of the measured program, and the core of everything that serves or drives it."""
    cores = sorted(os.sched_getaffinity(0))
    return ({cores[0]}, {cores[1]}) if len(cores) > 1 else ({cores[0]}, {cores[0]})


MEASURED, SUPPORT = find_cores()


def find_tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Failed(Exception):
    """A measurement that gave no result."""


class Ended:
    def __init__(self, code, output, seconds, peak_bytes):
        self.code, self.output, self.seconds, self.peak_bytes = code, output, seconds, peak_bytes


class Machine:
    """Starts the processes, and knows the CPU time that they used."""

    def __init__(self, folder, deadline):
        self.folder, self.deadline = folder, deadline
        self.live = {}
        self.count = 0

    def remaining(self, at_most):
        """Seconds that a step may take."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Failed("the time limit is over; raise --minutes")
        return min(left, at_most)

    def start(self, command, cores, env=None, pipe=False):
        """Starts a process on these cores. Its output goes to files, or stdout to a pipe."""
        self.count += 1
        name = f"{self.folder}/{self.count}-{os.path.basename(command[0])}"
        with open(name + ".out", "wb") as out, open(name + ".err", "wb") as err:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if pipe else out, stderr=err,
                env={**os.environ, **(env or {})}, cwd=self.folder,
                preexec_fn=lambda: os.sched_setaffinity(0, cores))
        child.name = name
        self.live[child.pid] = child
        return child

    def run(self, command, cores, env=None, codes=(0,), limit=600):
        """Runs a process to its end."""
        started = time.monotonic()
        child = self.start(command, cores, env)
        return self.wait(child, started, codes, self.remaining(limit))

    def wait(self, child, started, codes, limit):
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            now = time.monotonic()
            if pid:
                break
            if now - started > limit:
                self.end(child)
                raise Failed(f"{os.path.basename(child.args[0])} took longer than {limit:.0f} s")
            time.sleep(0.002)
        self.forget(child, status)
        output, errors = read(child.name + ".out"), read(child.name + ".err")
        if child.returncode not in codes:
            raise Failed(f"{' '.join(child.args[:3])}: exit code {child.returncode}: {(errors or output)[-600:]}")
        return Ended(child.returncode, output, now - started, usage.ru_maxrss * 1024)

    def forget(self, child, status):
        child.returncode = os.waitstatus_to_exitcode(status)
        self.live.pop(child.pid, None)

    def end(self, child, limit=20, first=signal.SIGTERM):
        """Asks a process to end, and kills it when it does not."""
        if child.pid not in self.live:
            return
        # Not `child.terminate`, which would reap a child that has just ended. Until it is reaped, its id stays its own.
        for number, seconds in ((first, limit), (signal.SIGKILL, 5)):
            os.kill(child.pid, number)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self.forget(child, status)
                    return
                time.sleep(0.01)

    @contextlib.contextmanager
    def running(self, command, cores, env=None, pipe=False):
        child = self.start(command, cores, env, pipe)
        try:
            yield child
        finally:
            self.end(child)

    def end_all(self):
        for child in list(self.live.values()):
            self.end(child, limit=5)

    def own_seconds(self):
        """CPU seconds of this process, its live children, and those that ended."""
        spent = sum(os.times()[:4])
        for pid in self.live:
            # It has ended and is not reaped yet.
            with contextlib.suppress(OSError, IndexError):
                fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
                spent += sum(map(int, fields[11:15])) / TICK
        return spent

    def foreign_share(self, before):
        """The share of all cores that other programs used since `before`, from `snapshot`."""
        now = self.snapshot()
        elapsed, busy, own = (after - earlier for after, earlier in zip(now, before))
        return max(0.0, busy - own) / (max(elapsed, 0.01) * os.cpu_count())

    def snapshot(self):
        return time.monotonic(), busy_seconds(), self.own_seconds()

    def wait_until_quiet(self, limit):
        """Waits until other programs leave the machine alone for a second."""
        until = min(time.monotonic() + limit, self.deadline)
        while time.monotonic() < until:
            before = self.snapshot()
            time.sleep(1)
            if self.foreign_share(before) <= FOREIGN_LIMIT:
                return


def busy_seconds():
    """CPU seconds of all programs, and what the host took away. Interrupts belong to no program and do not count."""
    user, nice, system, _idle, _wait, _irq, _softirq, steal = map(int, read("/proc/stat").split("\n", 1)[0].split()[1:9])
    return (user + nice + system + steal) / TICK


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


def wait_for_port(port, limit=20):
    until = time.monotonic() + limit
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise Failed(f"nothing listens on port {port}")
