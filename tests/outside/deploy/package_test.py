"""The Debian package: what it contains, and what happens to a machine that installs, upgrades, removes, and purges it.

It is built of the program that the tests use. The machine is a view of this one with a layer of its own above, so nothing of
this one changes. There is no service manager in it: tests/outside/deploy/machine has one.
"""

import gzip
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
MANIFEST = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
FILES = {
    "/etc/reconnectd/reconnectd.toml": "deploy/reconnectd.toml",
    "/usr/bin/reconnectd": None,
    "/usr/bin/reconnectd-ctl": "deploy/reconnectd-ctl",
    "/usr/lib/systemd/system/reconnectd.service": "deploy/reconnectd.service",
    "/usr/share/doc/reconnectd/README.md": "README.md",
    "/usr/share/doc/reconnectd/SECURITY.md": "SECURITY.md",
    "/usr/share/doc/reconnectd/changelog.Debian.gz": "deploy/debian/changelog",
    "/usr/share/doc/reconnectd/copyright": "deploy/debian/copyright",
    "/usr/share/doc/reconnectd/examples/defaults.toml": "config/reconnectd.toml",
    "/usr/share/doc/reconnectd/examples/grafana.json": "deploy/grafana/reconnectd.json",
    "/usr/share/doc/reconnectd/examples/nginx.conf": "deploy/nginx.conf",
    "/usr/share/doc/reconnectd/examples/reconnectd.rules.yaml": "deploy/prometheus/reconnectd.rules.yaml",
    "/usr/share/doc/reconnectd/reconnectd.cdx.json.gz": None,
    "/usr/share/man/man8/reconnectd-ctl.8.gz": "deploy/debian/reconnectd-ctl.8",
}
# What the program prints.
GENERATED = re.compile(r"/usr/share/(man/man1/reconnectd.*\.1\.gz|bash-completion/completions/reconnectd"
                       r"|zsh/vendor-completions/_reconnectd|fish/vendor_completions\.d/reconnectd\.fish)")

# Mounts and addresses of its own.
OWN_VIEW = ["unshare", "--mount", "--net", "--pid", "--fork"]


def can_make_views():
    """Whether this is root, and on a machine that permits layers: some containers do not."""
    layers = ("mount -t tmpfs tmpfs /mnt && mkdir /mnt/changes /mnt/work /mnt/root && mount -t overlay"
              " -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work overlay /mnt/root")
    return os.geteuid() == 0 and subprocess.run([*OWN_VIEW, "sh", "-c", layers], capture_output=True).returncode == 0


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, timeout=120, **options)
    if done.returncode != 0:
        raise AssertionError((done.stdout + done.stderr).decode())
    return done.stdout.decode()


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.file = cls.folder / "reconnectd.deb"
        # Quick, and large.
        output(ROOT / "deploy/debian/build", "--profile", "dev", "--is-built", "--fast", "-Z", "gz", "--compress-system",
               "--output", cls.file)
        output("dpkg-deb", "--raw-extract", cls.file, cls.folder / "tree")

    def tree(self, path):
        return self.folder / "tree" / path.lstrip("/")

    def test_it_contains_these_files_and_no_others(self):
        listed = output("dpkg-deb", "--contents", self.file).splitlines()
        found = {}
        for line in listed:
            mode, owner, *_, path = line.split()
            self.assertEqual(owner, "0/0", line)
            if not mode.startswith("d"):
                found[path.removeprefix(".")] = mode
        generated = {path for path in found if GENERATED.fullmatch(path)}
        self.assertEqual(found.keys() - generated, FILES.keys())
        for path, mode in found.items():
            self.assertEqual(mode, "-rwxr-xr-x" if path.startswith("/usr/bin/") else "-rw-r--r--", path)
        for path, source in FILES.items():
            if source:
                content = self.tree(path).read_bytes()
                content = gzip.decompress(content) if path.endswith(".gz") else content
                self.assertEqual(content, (ROOT / source).read_bytes(), path)

    def test_it_says_what_it_is_and_what_it_needs(self):
        fields = dict(line.split(": ", 1) for line in output("dpkg-deb", "--field", self.file).splitlines()
                      if re.match(r"[A-Z]", line))
        self.assertEqual(fields["Version"], f"{MANIFEST['version']}-1")
        self.assertIn("ca-certificates", fields["Depends"])
        self.assertRegex(fields["Depends"], r"libc6 \(>= [\d.]+\)")
        self.assertRegex(fields["Depends"], r"systemd \(>= 251\)")
        self.assertEqual(self.tree("DEBIAN/conffiles").read_text().split(), ["/etc/reconnectd/reconnectd.toml"])
        changes = output("dpkg-parsechangelog", "--file", ROOT / "deploy/debian/changelog", "--show-field", "Version")
        self.assertEqual(changes.strip(), fields["Version"])
        terms = (ROOT / "deploy/debian/copyright").read_text()
        self.assertTrue(terms.startswith("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"))
        self.assertIn(f"License: {MANIFEST['license'].replace('OR', 'or')}", terms)

    def test_the_manual_page_of_the_commands_has_no_error(self):
        page = ROOT / "deploy/debian/reconnectd-ctl.8"
        done = subprocess.run(["man", "--warnings", "--local-file", page], capture_output=True, text=True,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}, timeout=20)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "FILES", "SEE ALSO"):
            self.assertIn(heading, done.stdout)

    def test_its_scripts_are_shell_and_handle_the_service_as_debian_does(self):
        for name in ("postinst", "prerm", "postrm"):
            script = self.tree(f"DEBIAN/{name}")
            output("sh", "-n", script)
            self.assertTrue(script.read_text().startswith("#!/bin/sh\nset -e\n"), name)
            self.assertNotIn("#DEBHELPER#", script.read_text())
        # It is configured first, so an installation neither enables nor starts it.
        self.assertIn("deb-systemd-helper --quiet was-enabled reconnectd.service", self.tree("DEBIAN/postinst").read_text())
        self.assertIn("deb-systemd-invoke try-restart reconnectd.service", self.tree("DEBIAN/postinst").read_text())
        self.assertIn("deb-systemd-invoke stop reconnectd.service", self.tree("DEBIAN/prerm").read_text())
        self.assertIn("deb-systemd-helper purge reconnectd.service", self.tree("DEBIAN/postrm").read_text())

    @unittest.skipUnless(can_make_views(), "this machine permits no view of it, so nothing was installed")
    def test_a_machine_installs_upgrades_removes_and_purges_it(self):
        newer = self.folder / "newer"
        output("cp", "--archive", self.folder / "tree", newer)
        control = (newer / "DEBIAN/control").read_text()
        (newer / "DEBIAN/control").write_text(re.sub(r"^Version: .*$", "Version: 99", control, flags=re.MULTILINE))
        output("dpkg-deb", "-Znone", "--root-owner-group", "--build", newer, self.folder / "newer.deb")
        output(*OWN_VIEW, sys.executable, "-B", pathlib.Path(__file__).with_name("lifecycle.py"), self.folder)


if __name__ == "__main__":
    unittest.main()
