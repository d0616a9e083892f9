"""The measurements. Each returns its values by name; rates are per second."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import sys
import time
import urllib.request

from machine import MEASURED, SUPPORT, Failed, find_tool, free_port, read, wait_for_port

LIST = ("query getMemberConnections { getMemberConnections { id name category type integrationType isDirect status "
        "syncStatus syncErrors { coding { code } } } }")
CONNECTIONS_OF_PAGES = 16


class Measures:
    def __init__(self, machine, fleet, options, tools):
        self.machine, self.fleet, self.options, self.tools = machine, fleet, options, tools
        self.members, self.emails = options.members, options.emails

    # The gateway

    def wrk(self, url, connections, cores, script=None):
        seconds = self.options.seconds
        extra = ["-s", script] if script else []
        command = [find_tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", *extra, url]
        output = self.machine.run(command, cores, limit=seconds + 30).output
        if "Non-2xx" in output or "Socket errors" in output:
            raise Failed(f"wrk: {output}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))

    def gateway_ceiling(self, mode, name):
        token = "e30.e30.bm9uZQ" + "0" * 60
        body = json.dumps({"query": LIST, "operationName": "getMemberConnections", "variables": {}})
        script = f"{self.machine.folder}/list.lua"
        with open(script, "w") as out:
            out.write(f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.body = [==[{body}]==]
""")
        url = f"http://127.0.0.1:{self.fleet.gateway_port}/{mode}/v1/graphql"
        return {name: self.wrk(url, self.options.in_flight, MEASURED, script)}

    def wrk_lists(self):
        return self.gateway_ceiling("connected", "wrk")

    def wrk_slow(self):
        return self.gateway_ceiling("slow", "wrk_slow")

    def node_lists(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "undici_loop.cjs")
        command = [find_tool("node"), script, str(self.fleet.gateway_port), "/connected/v1/graphql", str(self.members),
                   str(self.options.in_flight)]
        ended = self.machine.run(command, MEASURED, {"NODE_PATH": self.tools["undici"]})
        return {"node": float(ended.output)}

    # Sweeps

    def sweep(self, kind, origin, mode="connected", transitions=0):
        config = self.fleet.fresh(kind, origin=origin, mode=mode)
        ended = self.fleet.once(config, self.members, transitions)
        self.fleet.discard(config)
        return self.members / ended.seconds, ended.peak_bytes / 1e6

    def first_sweep(self):
        rate, peak = self.sweep("first", "imported", transitions=None)
        return {"first": rate, "first_memory": peak}

    def token_commit(self):
        """The mean time from the arrival of new tokens to their commit, in the first sweep of the daemon."""
        port = free_port()
        config = self.fleet.fresh("tokens", origin="imported", admin_port=port, schedule="* * * * * *")
        with self.fleet.daemon(config) as daemon:
            until = time.monotonic() + self.machine.remaining(300)
            while time.monotonic() < until:
                count, seconds = self.histogram(port, "reconnectd_token_commit_duration_seconds")
                if count >= self.members:
                    break
                time.sleep(0.2)
            else:
                raise Failed(f"{count} of {self.members} renewals; {self.fleet.log(daemon)}")
        self.fleet.discard(config)
        return {"token_commit": 1000 * seconds / count}

    def histogram(self, port, name):
        """The count and the sum of a metric of the daemon."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
                text = response.read().decode()
        except OSError:
            return 0, 0.0
        value = {end: re.search(rf"^{name}_{end} (\S+)$", text, re.M) for end in ("count", "sum")}
        return tuple(float(value[end].group(1)) if value[end] else 0.0 for end in ("count", "sum"))

    def unchanged(self):
        rate, peak = self.sweep("unchanged", "swept")
        return {"unchanged": rate, "unchanged_memory": peak}

    def changed(self):
        return {"changed": self.sweep("changed", "swept", "expired", self.members)[0]}

    def slow(self):
        return {"slow": self.sweep("slow", "swept", "slow")[0]}

    # The import

    def import_members(self):
        """A second program asks for the write lock all the time, and notes its longest wait."""
        config = self.fleet.fresh("import")
        # Creates the database, so that the other program finds it.
        self.fleet.command(config, "members", "import", f"{self.fleet.folder}/one.jsonl")
        command = [self.fleet.program, "members", "import", f"{self.fleet.folder}/members.jsonl"]
        database = config.replace(".toml", ".db")
        waiter = self.machine.start([sys.executable, __file__, "wait", database], SUPPORT)
        try:
            ended = self.machine.run(command, MEASURED, {"RECONNECTD_CONFIG": config})
        finally:
            # It prints a line for each longer wait, so that the last line is the longest.
            self.machine.end(waiter)
        waits = read(waiter.name + ".out").split()
        self.fleet.discard(config)
        return {"import": self.members / ended.seconds, "import_wait": float(waits[-1]) if waits else 0.0}

    def insert_rows(self):
        database = f"{self.fleet.folder}/plain.db"
        source = f"{self.fleet.folder}/members.jsonl"
        ended = self.machine.run([sys.executable, __file__, "insert", database, source], MEASURED)
        os.remove(database)
        return {"inserts": self.members / ended.seconds}

    # Email

    def sink(self, port):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [find_tool("smtp-sink"), *user, "-c", f"127.0.0.1:{port}", "128"]
        return self.machine.running(command, SUPPORT, pipe=True)

    def smtp_source(self):
        port = free_port()
        count = max(self.emails, 5000)
        with self.sink(port) as sink:
            wait_for_port(port)
            drain = Counter(sink)
            command = [find_tool("smtp-source"), "-s", "16", "-m", str(count), "-l", str(self.fleet.email_bytes),
                       "-f", "a@example.org", "-t", "b@example.org", f"127.0.0.1:{port}"]
            with self.machine.running(command, MEASURED):
                return {"smtp_source": drain.rate(count, self.machine.remaining(120))}

    def delivery(self):
        """Delivers queued notices, then runs `once`, when every lapse is open and nothing is due."""
        config = self.deliver("delivery", lambda config: self.fleet.daemon(config))
        open_lapses = self.fleet.once(config["path"], self.emails, 0)
        self.fleet.discard(config["path"])
        return {"delivery": config["rate"], "once_open": open_lapses.seconds}

    def once_without_lapses(self):
        config = self.fleet.fresh("none", origin="small")
        ended = self.fleet.once(config, self.emails, 0)
        self.fleet.discard(config)
        return {"once_none": ended.seconds}

    def deliver(self, kind, start):
        port = free_port()
        path = self.fleet.fresh(kind, origin="queued", mode="expired", smtp_port=port)
        with self.sink(port) as sink:
            wait_for_port(port)
            counter = Counter(sink)
            with start(path) as daemon:
                try:
                    rate = counter.rate(self.emails, self.machine.remaining(300))
                except Failed as failure:
                    raise Failed(f"{failure}; {self.fleet.log(daemon)}") from None
        return {"path": path, "rate": rate}

    def flushes(self):
        """Counts the daemon's flushes in the kernel, which slows nothing."""
        summary = f"{self.machine.folder}/flushes"
        calls = ("fsync", "fdatasync", "sync_file_range", "msync")
        events = ",".join(f"syscalls:sys_enter_{call}" for call in calls)

        @contextlib.contextmanager
        def counted(config):
            with self.fleet.daemon(config) as daemon:
                # It starts before the daemon has threads, and counts those that come.
                command = [find_tool("perf"), "stat", "-x,", "-o", summary, "-e", events, "-p", str(daemon.pid)]
                counting = self.machine.start(command, SUPPORT)
                try:
                    yield daemon
                finally:
                    # It writes what it has counted when it is interrupted, and only then.
                    self.machine.end(counting, first=signal.SIGINT)

        config = self.deliver("flushes", counted)
        self.fleet.discard(config["path"])
        counts = [line.split(",")[0] for line in read(summary).splitlines() if "sys_enter_" in line]
        if len(counts) != len(calls) or not all(count.isdigit() for count in counts):
            raise Failed(f"perf counted nothing: {read(summary)}")
        return {"flushes": sum(map(int, counts)) / self.emails}

    # Pages

    def under_page_load(self, port, path):
        """The rate of a server, and its 99th percentile at the daemon's half load."""
        wait_for_port(port)
        rate = self.wrk(f"http://127.0.0.1:{port}{path}", CONNECTIONS_OF_PAGES, SUPPORT)
        if not hasattr(self, "half_load"):
            self.half_load = rate / 2
        loader = [self.tools["paced_load"], str(port), path, str(self.half_load), str(self.options.seconds),
                  str(CONNECTIONS_OF_PAGES)]
        return rate, float(self.machine.run(loader, SUPPORT, limit=self.options.seconds + 60).output.split()[1])

    def pages(self):
        port = free_port()
        config = self.fleet.fresh("page", origin="page", mode="expired", pages_port=port)
        with self.fleet.daemon(config):
            rate, p99 = self.under_page_load(port, self.fleet.page_path)
            self.save_page(port)
        self.fleet.discard(config)
        return {"page": rate, "page_p99": p99}

    def save_page(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{self.fleet.page_path}", timeout=10) as response:
            self.page, self.page_headers = response.read(), response.headers.items()

    def nginx(self):
        """Serves the bytes of a page, with its headers."""
        if not hasattr(self, "page"):
            self.pages()
        port, folder = free_port(), f"{self.machine.folder}/nginx"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/page.html", "wb") as out:
            out.write(self.page)
        own = {"date", "content-length", "content-type", "connection", "server", "etag", "set-cookie"}
        headers = "".join(f'add_header {name} "{value}";\n' for name, value in self.page_headers
                          if name.lower() not in own and not set(value) & set('"$\\'))
        user = "user root;" if os.geteuid() == 0 else ""
        paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(f"{folder}/nginx.conf", "w") as out:
            out.write(f"""{user} daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{ {paths} access_log off; keepalive_requests 100000000; default_type "text/html; charset=utf-8";
server {{ listen 127.0.0.1:{port}; root {folder}; {headers} }} }}
""")
        with self.machine.running([find_tool("nginx"), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"], MEASURED):
            rate, p99 = self.under_page_load(port, "/page.html")
        return {"nginx": rate, "nginx_p99": p99}


class Counter:
    """Reads how many emails a sink has received."""

    def __init__(self, sink):
        self.stream = sink.stdout
        os.set_blocking(self.stream.fileno(), False)

    def rate(self, count, limit):
        """Emails per second, from the first tenth to the last twentieth, when every session is in use.

        Returns when all emails have arrived.
        """
        until = time.monotonic() + limit
        first, last, text, received = None, None, "", 0
        while time.monotonic() < until:
            chunk = self.stream.read()
            if not chunk:
                time.sleep(0.005)
                continue
            now = time.monotonic()
            text = text[-200:] + chunk.decode()
            received = max(map(int, re.findall(r"mesg=(\d+)(?=\D)", text)), default=received)
            if first is None and received >= count / 10:
                first = (now, received)
            if last is None and received >= count * 0.95:
                last = (now, received)
            if received >= count:
                return (last[1] - first[1]) / max(last[0] - first[0], 1e-3)
        raise Failed(f"the sink received {received} of {count} emails in {limit:.0f} s")


def wait_for_lock(database):
    """Takes and releases the write lock until it is ended. Prints each wait in milliseconds that is longer than before."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=0)
    longest = 0.0
    while True:
        started = time.monotonic()
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError:
                time.sleep(0.001)
                waited = time.monotonic() - started
                if waited > longest + 0.005:
                    longest = waited
                    print(f"{longest * 1000:.0f}", flush=True)
        connection.execute("ROLLBACK")
        time.sleep(0.01)


def insert_plainly(database, source):
    """Reads the import file and inserts its rows in one transaction."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE members (member_id TEXT PRIMARY KEY, email TEXT, refresh_token TEXT) WITHOUT ROWID")
    with open(source) as lines, connection:
        rows = map(json.loads, lines)
        connection.executemany("INSERT INTO members VALUES (:member_id, :email, :refresh_token)", rows)


if __name__ == "__main__":
    {"wait": wait_for_lock, "insert": insert_plainly}[sys.argv[1]](*sys.argv[2:])
