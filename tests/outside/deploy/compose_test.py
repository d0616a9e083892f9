"""deploy/compose.yaml is valid, and its commands play the whole flow. There is no container here: the same commands run as
processes, with the variables of the image and with other ports."""

import html
import pathlib
import re
import subprocess
import tempfile
import unittest
import urllib.request

import compose_spec
import yaml

from processes import BINARY, CLEAN, Processes, free_port, until

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy"
TEXT = (FOLDER / "compose.yaml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
PORTS = (2525, 8080, 8081, 9090)


def image_variables():
    """Those that the image sets."""
    lines = re.findall(r"^ENV (.+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


class Compose(unittest.TestCase):
    def test_the_specification_accepts_it(self):
        self.assertEqual(compose_spec.PyCompose.from_yaml(TEXT).service_names(), ["simulator", "daemon"])

    def test_its_containers_are_restricted_and_reached_from_this_machine_only(self):
        for name, service in SERVICES.items():
            self.assertIs(service["read_only"], True, name)
            self.assertEqual((service["cap_drop"], service["security_opt"]), (["ALL"], ["no-new-privileges:true"]))
            self.assertEqual(service["image"], SERVICES["simulator"]["image"])
        build = SERVICES["simulator"]["build"]
        self.assertTrue((FOLDER / build["context"] / build["dockerfile"]).is_file())
        published = [port.split(":") for port in SERVICES["simulator"]["ports"]]
        self.assertEqual([host for host, _, _ in published], ["127.0.0.1"] * 3)
        self.assertEqual([outside for _, outside, _ in published], [inside for _, _, inside in published])
        self.assertEqual(SERVICES["daemon"]["network_mode"], "service:simulator")
        [user] = re.findall(r"^USER (\d+):", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
        self.assertEqual(SERVICES["daemon"]["tmpfs"], [f"/var/lib/reconnectd:uid={user},gid={user},mode=0700"])


class Flow(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.processes = Processes()
        self.addCleanup(self.processes.stop)
        self.ports = {port: free_port() for port in PORTS}
        (self.folder / "state").mkdir()
        (self.folder / "bin").mkdir()
        (self.folder / "bin/reconnectd").symlink_to(BINARY)
        [volume] = SERVICES["daemon"]["volumes"]
        source, self.mounted, access = volume.split(":")
        self.assertEqual(access, "ro")
        (self.folder / "etc").mkdir()
        for file in (FOLDER / source).iterdir():
            (self.folder / "etc" / file.name).write_text(self.here(file.read_text()))

    def here(self, text):
        for port, free in self.ports.items():
            text = re.sub(rf"(:|= ){port}\b", rf"\g<1>{free}", text)
        return text

    def start(self, service, port):
        entrypoint = service.get("entrypoint", ["reconnectd"])
        command = [self.here(part).replace(self.mounted, str(self.folder / "etc"))
                   for part in entrypoint + service["command"]]
        variables = {name: self.here(value) for name, value in image_variables().items()}
        # The only file that the program finds by itself.
        variables |= {"RECONNECTD_CONFIG": str(self.folder / "etc/reconnectd.toml"),
                      "PATH": f"{self.folder}/bin:{CLEAN['PATH']}"}
        self.processes.start(command, self.ports[port], cwd=self.folder / "state", env=CLEAN | variables,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def page(self, port, path, data=None):
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        headers = {"Content-Type": "application/json", "User-Agent": "Mozilla/5.0"}
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as response:
            return response.read().decode()

    def test_an_expired_connection_brings_an_email_whose_link_works(self):
        self.assertEqual(self.mounted, "/etc/reconnectd", "where the program looks")
        self.start(SERVICES["simulator"], 8081)
        self.start(SERVICES["daemon"], 8080)
        ready = until("the daemon is ready", lambda: self.page(9090, "/readyz"))
        self.assertTrue(ready.startswith("ready"), ready)
        until("the first sweep", lambda: re.search(r"^reconnectd_last_complete_sweep_timestamp_seconds [1-9]",
                                                   self.page(9090, "/metrics"), re.MULTILINE))
        self.assertIn('reconnectd_members{state="active"} 3\n', self.page(9090, "/metrics"))
        self.page(8081, "/control/members/alice/connections/epic", b'{"status": "EXPIRED"}')
        mailbox = until("the email", lambda: re.search(r'href="(/mail/[^"]+)"', self.page(8081, "/mail")))
        message = html.unescape(self.page(8081, mailbox[1]))
        # The port that compose.yaml publishes.
        link = re.search(r"http://127\.0\.0\.1:8080(/r/[\w-]+)", message)
        self.assertIsNotNone(link, message)
        self.assertIn('data-state="ready"', self.page(8080, link[1]))


if __name__ == "__main__":
    unittest.main()
