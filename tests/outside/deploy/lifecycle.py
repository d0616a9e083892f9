"""Installs, starts, upgrades, removes, and purges the package in a view of this machine: an empty layer above its files.

Called in namespaces of its own, with a folder that has reconnectd.deb and newer.deb. The daemon is started by hand as the
unit starts it: with its command, a user without rights, its state, and its credentials.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

PACKAGES = pathlib.Path(sys.argv[1]).resolve()
USER = 61234
CONFIGURATION = "/etc/reconnectd/reconnectd.toml"
STATE = "/var/lib/private/reconnectd"
SECRETS = {"client_key": "any", "smtp_password": "any"}


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def expect(what, holds):
    if not holds:
        raise SystemExit(f"it is not true that {what}")


def enter():
    layer = pathlib.Path("/mnt")
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", layer)
    for name in ("changes", "work", "root"):
        (layer / name).mkdir()
    root = layer / "root"
    run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={layer}/changes,workdir={layer}/work", "overlay", root)
    run("mount", "-t", "proc", "proc", root / "proc")
    run("mount", "--rbind", "/dev", root / "dev")
    # Without the socket of a service manager.
    run("mount", "-t", "tmpfs", "tmpfs", root / "run")
    run("mount", "-t", "tmpfs", "tmpfs", root / "tmp")
    for name in ("reconnectd.deb", "newer.deb"):
        shutil.copy(PACKAGES / name, root / "tmp" / name)
    os.chroot(root)
    os.chdir("/")
    run("ip", "link", "set", "lo", "up")


def dpkg(*arguments):
    # Whether this machine has the packages that it depends on is no matter of this test.
    return run("dpkg", "--force-depends", *arguments, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
               stdin=subprocess.DEVNULL)


def exists(path):
    return pathlib.Path(path).exists()


def configure():
    pathlib.Path("/etc/credstore").mkdir(exist_ok=True)
    ring = pathlib.Path("/etc/credstore/reconnectd.keys")
    run("reconnectd", "--config", "/dev/null", "keys", "generate", env={**os.environ, "RECONNECTD__KEYS__FILE": str(ring)})
    text = pathlib.Path(CONFIGURATION).read_text()
    for ours, here in [("https://api.client-sandbox.icanbwell.com", "http://127.0.0.1:8081"),
                       ("smtp.example.org", "127.0.0.1"), ("port = 587", 'port = 2525\ntls = "none"'),
                       ('username = "reconnectd"\n', ""), (re.search("password_file.*\n", text)[0], "")]:
        expect(f"{ours} is in the configuration", ours in text)
        text = text.replace(ours, here)
    pathlib.Path(CONFIGURATION).write_text(text)


def as_the_unit_does():
    """What systemd prepares for the daemon, and a prefix for its commands."""
    for folder in (STATE, "/run/credentials/reconnectd.service"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        os.chown(folder, USER, USER)
        os.chmod(folder, 0o700)
    if not exists("/var/lib/reconnectd"):
        # Systemd lets only the daemon into /var/lib/private, by mounts.
        os.chmod("/var/lib/private", 0o711)
        os.symlink("private/reconnectd", "/var/lib/reconnectd")
    secrets = {**SECRETS, "keys": pathlib.Path("/etc/credstore/reconnectd.keys").read_text()}
    for name, value in secrets.items():
        file = pathlib.Path("/run/credentials/reconnectd.service", name)
        file.unlink(missing_ok=True)
        file.write_text(value)
        os.chown(file, USER, USER)
        file.chmod(0o400)
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]


def is_ready():
    try:
        with urllib.request.urlopen("http://127.0.0.1:9090/readyz", timeout=5) as response:
            return response.read().startswith(b"ready")
    except OSError:
        return False


def start_and_stop(prefix):
    unit = pathlib.Path("/usr/lib/systemd/system/reconnectd.service").read_text()
    command = shlex.split(re.search(r"^ExecStart=(.+)$", unit, re.MULTILINE)[1])
    daemon = subprocess.Popen([*prefix, *command], cwd=STATE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 30
    while not is_ready():
        if daemon.poll() is not None or time.monotonic() > end:
            daemon.kill()
            raise SystemExit(f"the daemon is not ready:\n{daemon.communicate()[0]}")
        time.sleep(0.05)
    daemon.terminate()
    expect("the daemon stops well", daemon.wait(30) == 0)


def members(prefix):
    return run(*prefix, "reconnectd", "--json", "members", "list", cwd=STATE)


def main():
    enter()
    dpkg("--install", "/tmp/reconnectd.deb")
    expect("an installation does not enable the service", not exists("/etc/systemd/system/multi-user.target.wants/reconnectd.service"))
    expect("there is a place for secrets", exists("/etc/credstore"))
    configure()
    changed = pathlib.Path(CONFIGURATION).read_text()
    simulator = subprocess.Popen(["reconnectd", "simulate", "--listen", "127.0.0.1:8081", "--smtp", "127.0.0.1:2525"],
                                 stdout=subprocess.DEVNULL)
    prefix = as_the_unit_does()
    enrolled = '{"member_id": "alice", "email": "alice@example.org", "refresh_token": "rt-alice"}'
    run(*prefix, "reconnectd", "members", "import", "-", cwd=STATE, input=enrolled)
    start_and_stop(prefix)

    dpkg("--install", "/tmp/newer.deb")
    expect("the newer version is installed", run("dpkg-query", "--show", "--showformat=${Version}", "reconnectd") == "99")
    expect("an upgrade keeps a changed configuration", pathlib.Path(CONFIGURATION).read_text() == changed)
    start_and_stop(prefix)
    expect("an upgrade keeps the members", "alice" in members(prefix))

    dpkg("--remove", "reconnectd")
    expect("a removal removes the program", not exists("/usr/bin/reconnectd"))
    for kept in (CONFIGURATION, f"{STATE}/reconnectd.db", "/etc/credstore/reconnectd.keys"):
        expect(f"a removal keeps {kept}", exists(kept))
    dpkg("--install", "/tmp/newer.deb")
    start_and_stop(prefix)
    expect("the members are there again", "alice" in members(prefix))

    told = dpkg("--purge", "reconnectd")
    for gone in ("/etc/reconnectd", STATE, "/var/lib/reconnectd", "/usr/share/doc/reconnectd"):
        expect(f"a purge deletes {gone}", not exists(gone) and not os.path.islink(gone))
    expect("a purge keeps the key ring, and says so",
           exists("/etc/credstore/reconnectd.keys") and "/etc/credstore/reconnectd.keys is kept" in told)
    simulator.terminate()
    simulator.wait(20)


main()
