"""Members reach the real binary through nginx with deploy/nginx.conf, and no log of nginx contains a token."""

import base64
import concurrent.futures
import email
import email.policy
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from processes import BINARY, CLEAN, Processes, free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOST = "reconnect.example.org"


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        processes = Processes()
        cls.addClassCleanup(processes.stop)
        cls.ports = {name: free_port() for name in ("gateway", "smtp", "public", "admin", "http", "https")}
        cls.start_gateway(processes)
        cls.enroll()
        cls.links, cls.unsubscribe = cls.read_emails()
        cls.daemon = processes.start([BINARY, "--config", cls.folder / "reconnectd.toml", "run"], cls.ports["public"],
                                     cwd=cls.folder, stderr=subprocess.DEVNULL)
        cls.start_nginx(processes)

    @classmethod
    def start_gateway(cls, processes):
        at = [f"127.0.0.1:{cls.ports[name]}" for name in ("gateway", "smtp")]
        command = [BINARY, "simulate", "--listen", at[0], "--smtp", at[1]]
        processes.start(command, cls.ports["gateway"], stdout=subprocess.DEVNULL)

    @classmethod
    def enroll(cls):
        """Every member has a lapse and its email."""
        gateway = f"http://127.0.0.1:{cls.ports['gateway']}"
        (cls.folder / "reconnectd.toml").write_text(f"""
[gateway]
url = "{gateway}/v1/graphql"
oauth_hosts = ["127.0.0.1"]
client_key = "any"
[sweep]
confirm_sweeps = 1
[notices]
quiet_hours = ""
[notices.expired]
first_after = "0s"
reminders = []
[email]
from = "Example Health <no-reply@example.org>"
transport = "file"
[links]
listen = "127.0.0.1:{cls.ports['public']}"
public_url = "https://{HOST}"
trusted_proxies = 1
requests_per_minute = 40
[bounces]
password = "sesame"
[admin]
listen = "127.0.0.1:{cls.ports['admin']}"
""")
        members = [{"member_id": name, "email": f"{name}@example.org", "refresh_token": f"rt-{name}"}
                   for name in ("alice", "bob", "carol")]
        (cls.folder / "members.jsonl").write_text("\n".join(map(json.dumps, members)))
        for arguments in (["keys", "generate"], ["members", "import", "members.jsonl"], ["once"]):
            cls.run_product(*arguments)
        for member in members:
            address = f"{gateway}/control/members/{member['member_id']}/connections/epic"
            request = urllib.request.Request(address, b'{"status": "EXPIRED"}', {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=5).close()
        cls.run_product("once")

    @classmethod
    def run_product(cls, *arguments):
        command = [BINARY, "--config", "reconnectd.toml", *arguments]
        done = subprocess.run(command, cwd=cls.folder, env=CLEAN, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    @classmethod
    def read_emails(cls):
        """The paths of the links, and of the one-click unsubscribe links."""
        links, unsubscribe = [], []
        for path in sorted((cls.folder / "outbox").iterdir()):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            text = message.get_body(("plain",)).get_content()
            links += re.findall(rf"https://{HOST}(/r/[\w-]+)", text)
            unsubscribe += re.findall(rf"https://{HOST}(/u/[\w-]+)", message["List-Unsubscribe"])
        assert len(links) == len(unsubscribe) == 3, (links, unsubscribe)
        return links, unsubscribe

    @classmethod
    def start_nginx(cls, processes):
        certificate, key = cls.folder / "certificate.pem", cls.folder / "certificate.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                        "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        cls.tls = ssl.create_default_context(cafile=certificate)
        logs = cls.folder / "logs"
        logs.mkdir()
        # Only addresses and paths of this machine differ from what an operator installs.
        site = (ROOT / "deploy/nginx.conf").read_text()
        for ours, here in [
            ("listen [::]:80;", ""), ("listen [::]:443 ssl;", ""),
            ("listen 80;", f"listen {cls.ports['http']};"), ("listen 443 ssl;", f"listen {cls.ports['https']} ssl;"),
            (f"/etc/ssl/certs/{HOST}.pem", str(certificate)), (f"/etc/ssl/private/{HOST}.key", str(key)),
            ("127.0.0.1:8080", f"127.0.0.1:{cls.ports['public']}"), ("/var/log/nginx", str(logs)),
        ]:
            assert ours in site, ours
            site = site.replace(ours, here)
        (cls.folder / "site.conf").write_text(site)
        temporary = "".join(f"{kind}_temp_path {cls.folder}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        main = cls.folder / "nginx.conf"
        main.write_text(f"""
{"user root;" if os.getuid() == 0 else ""}
daemon off;
pid {cls.folder}/nginx.pid;
error_log {logs}/main-error.log info;
events {{}}
http {{
{temporary}
include {cls.folder}/site.conf;
}}
""")
        nginx = ["nginx", "-c", str(main), "-p", str(cls.folder), "-e", str(logs / "main-error.log")]
        checked = subprocess.run([*nginx, "-t"], capture_output=True, text=True)
        assert checked.returncode == 0 and "warn" not in checked.stderr, checked.stderr
        processes.start(nginx, cls.ports["https"])

    def request(self, method, path, body=None, headers=None, client="127.0.0.1"):
        """Every test is a client of its own: another loopback address."""
        plain = socket.create_connection(("127.0.0.1", self.ports["https"]), 20, (client, 0))
        with self.tls.wrap_socket(plain, server_hostname=HOST) as stream:
            connection = http.client.HTTPConnection(HOST)
            connection.sock = stream
            connection.putrequest(method, path, skip_host=True)
            fields = {"Host": HOST, "Origin": f"https://{HOST}", "Connection": "close", **(headers or {})}
            if body is not None:
                fields |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
            for name, value in fields.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

    def logs(self):
        """All that nginx wrote, by file."""
        return {path.name: path.read_text() for path in (self.folder / "logs").iterdir()}

    def test_a_member_reconnects_through_the_proxy(self):
        link = self.links[0]
        status, headers, page = self.request("GET", link, client="127.0.1.1")
        self.assertEqual(status, 200, page)
        self.assertIn('data-state="ready"', page)
        self.assertEqual(headers["Strict-Transport-Security"], "max-age=31536000")
        self.assertEqual(headers["Cache-Control"], "no-store")
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        time.sleep(1.1)
        form = urllib.parse.urlencode(fields).encode()
        status, headers, page = self.request("POST", link, form, client="127.0.1.1")
        self.assertEqual(status, 303, page)
        self.assertTrue(headers["Location"].startswith(f"http://127.0.0.1:{self.ports['gateway']}/"))
        status, _, page = self.request("GET", "/oauth/return?status_code=success&state=secret-state", client="127.0.1.1")
        self.assertIn('data-state="signed_in"', page)
        status, _, page = self.request("POST", self.unsubscribe[0], b"List-Unsubscribe=One-Click", client="127.0.1.1")
        self.assertEqual(status, 200, page)

    def test_nothing_but_the_public_pages_can_be_reached(self):
        for path in ("/healthz", "/readyz", "/metrics"):
            self.assertEqual(self.request("GET", path, client="127.0.1.2")[0], 404)

    def test_plain_http_leads_to_https(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=20)
        connection.request("GET", self.links[1], headers={"Host": HOST})
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["Location"]), (301, f"https://{HOST}{self.links[1]}"))
        connection.close()

    def test_a_client_is_told_by_its_own_address_whatever_it_claims(self):
        claims = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(60)]
        answers = [self.request("GET", "/", headers=claim, client="127.0.1.3") for claim in claims]
        limited = [page for status, _, page in answers if status == 429]
        self.assertGreater(len(limited), 10)
        self.assertTrue(any('data-state="too_many_requests"' in page for page in limited), "the daemon's own limit")
        self.assertEqual(self.request("GET", "/", client="127.0.1.4")[0], 200)

    def test_a_flood_and_a_large_body_stop_at_the_proxy(self):
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            paths = [f"{self.links[1]}?{number}" for number in range(150)]
            answers = list(pool.map(lambda path: self.request("GET", path, client="127.0.1.5"), paths))
        by_nginx = [page for status, _, page in answers if status == 429 and "<hr><center>nginx" in page]
        self.assertGreater(len(by_nginx), 10)
        large = b"connection=" + b"x" * 17_000
        self.assertEqual(self.request("POST", self.links[1], large, client="127.0.1.6")[0], 413)

    def test_reports_of_mail_providers_pass_with_larger_bodies_and_in_bursts(self):
        right = {"Authorization": "Basic " + base64.b64encode(b"any:sesame").decode()}
        report = {"email": "nobody@example.org", "kind": "complaint", "padding": "x" * 400_000}
        body = json.dumps(report).encode()
        for _ in range(100):
            self.assertEqual(self.request("POST", "/hooks/bounces", body, right, client="127.0.1.8")[0], 200)
        self.assertEqual(self.request("POST", "/hooks/bounces", body, client="127.0.1.8")[0], 401)
        self.assertEqual(self.request("POST", "/hooks/bounces", body * 2, right, client="127.0.1.8")[0], 413)

    def test_z_no_log_contains_a_token(self):
        """Runs last, because it stops the daemon."""
        link, client = self.links[2], "127.0.1.7"
        token = link.removeprefix("/r/")
        mangled = [
            f"{link}?utm=1", f"{link}/resend", f"//r//{token}", f"/R/{token}", f"/%72/{token}", f"/r/%22{token}%3E",
            f"/members/r/{token}", f"/{token}", f"/?link={token}", f"/oauth/return?state={token}", f"/x/../r/{token}",
        ]
        for path in mangled:
            self.assertLess(self.request("GET", path, client=client)[0], 500, path)
        self.request("GET", f"https://{HOST}{link}", client=client)
        self.request("GET", "/", headers={"Referer": f"https://{HOST}{link}", "User-Agent": token}, client=client)
        self.assertIn(self.request("GET", link + "a" * 20_000, client=client)[0], (400, 414))
        self.daemon.terminate()
        self.daemon.wait(20)
        self.assertEqual(self.request("GET", link, client=client)[0], 502)
        self.assertEqual(self.request("POST", self.unsubscribe[2], b"", client=client)[0], 502)
        self.passes_the_longest_location()

        logs = self.logs()
        access = logs["reconnectd.log"]
        for expected in ("GET /r/* 200", "POST /r/* 303", "POST /u/* 200", "GET /oauth/return 200", "POST /hooks/* 200",
                         "upstream=502"):
            self.assertIn(expected, access)
        self.assertNotIn("sesame", "".join(logs.values()))
        secrets = [path.rsplit("/", 1)[1] for path in self.links + self.unsubscribe] + ["secret-state"]
        for name, text in logs.items():
            leaked = [line for line in text.splitlines() if any(secret[:12] in line for secret in secrets)]
            self.assertEqual(leaked, [], name)

    def passes_the_longest_location(self):
        """In place of the daemon, which has ended: its longest response header."""
        location = "https://source.example/?state=" + "x" * 8_150
        with socket.create_server(("127.0.0.1", self.ports["public"])) as listener:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                answer = pool.submit(self.request, "GET", "/", client="127.0.1.8")
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    head = ["HTTP/1.1 303 See Other", f"Location: {location}", "Content-Length: 0", "", ""]
                    connection.sendall("\r\n".join(head).encode())
                    status, headers, _ = answer.result(20)
        self.assertEqual((status, headers["Location"]), (303, location))


if __name__ == "__main__":
    unittest.main()
