"""A Postfix of the test's own: TLS and log-in required, delivery into folders, and an access policy that says 450 once."""

import os
import pathlib
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from ports import free_port

PATH = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
USER, PASSWORD = "reconnectd", "a pass:word with \"signs\" é"


def run(*command, **options):
    options = {"check": True, "capture_output": True, "text": True, "timeout": 30, "env": PATH, **options}
    try:
        return subprocess.run([str(part) for part in command], **options)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{command[0]} failed ({error.returncode}):\n{error.stdout}{error.stderr}") from error


class Policy(socketserver.ThreadingTCPServer):
    """Postfix asks it about each recipient (postfix.org, SMTPD_POLICY_README).

    It rejects some recipients with 450 until greylisting ends.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, greylisted):
        self.greylisted = set(greylisted)
        super().__init__(("127.0.0.1", 0), Asked)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end_greylisting(self):
        self.greylisted.clear()


class Asked(socketserver.StreamRequestHandler):
    def handle(self):
        question = {}
        for line in self.rfile:
            key, _, value = line.decode().rstrip("\n").partition("=")
            if key:
                question[key] = value
                continue
            to = question.get("recipient", "")
            is_greylisted = to in self.server.greylisted
            action = "450 4.2.0 Greylisted, try again later" if is_greylisted else "DUNNO"
            self.wfile.write(f"action={action}\n\n".encode())
            question = {}


class Postfix:
    def __init__(self, folder, recipients, greylisted):
        self.folder, self.port = pathlib.Path(folder), free_port()
        self.boxes, self.conf = self.folder / "boxes", self.folder / "conf"
        self.ca = self.folder / "ca.pem"
        self.policy = Policy(greylisted)
        for name in ("conf/sasl", "data", "spool", "boxes", "tls"):
            (self.folder / name).mkdir(parents=True)
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.boxes, "nobody")
        self._certificates()
        self._login()
        self._configure(recipients)

    def _certificates(self):
        tls = self.folder / "tls"
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        run("openssl", "req", "-x509", *ec, "-keyout", tls / "ca.key", "-out", self.ca, "-subj", "/CN=Test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        run("openssl", "req", "-x509", *ec, "-keyout", tls / "key.pem", "-out", tls / "cert.pem",
            "-CA", self.ca, "-CAkey", tls / "ca.key", "-subj", "/CN=localhost",
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost",
            "-addext", "extendedKeyUsage=serverAuth")

    def _login(self):
        # Debian's Postfix looks below its own configuration, whatever cyrus_sasl_config_path says; others look there.
        database = self.conf / "sasl" / "sasldb2"
        run("saslpasswd2", "-p", "-c", "-f", database, "-u", "mail.test", USER, input=PASSWORD + "\n")
        shutil.chown(database, "postfix")
        (self.conf / "sasl" / "smtpd.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n"
            f"sasldb_path: {database}\n")

    def _configure(self, recipients):
        folder = self.folder
        (folder / "recipients").write_text("".join(f"{to} {box}/\n" for to, box in recipients.items()))
        domains = {to.rpartition("@")[2] for to in recipients}
        (self.conf / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = mail.test
mydestination =
mynetworks =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
biff = no
smtputf8_enable = yes
virtual_mailbox_domains = {", ".join(sorted(domains))}
virtual_mailbox_base = {self.boxes}
virtual_mailbox_maps = texthash:{folder}/recipients
virtual_uid_maps = static:{shutil._get_uid("nobody")}
virtual_gid_maps = static:{shutil._get_gid("nogroup")}
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {folder}/tls/key.pem, {folder}/tls/cert.pem
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = mail.test
cyrus_sasl_config_path = {self.conf}/sasl
smtpd_sasl_path = smtpd
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
    reject_unlisted_recipient
    check_policy_service inet:127.0.0.1:{self.policy.server_address[1]}
    permit_sasl_authenticated
    reject
""")
        (self.conf / "master.cf").write_text(f"""
127.0.0.1:{self.port} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
anvil     unix - - n - 1 anvil
tlsmgr    unix - - n 1000? 1 tlsmgr
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
showq     unix n - n - - showq
postlog   unix-dgram n - n - 1 postlogd
""")

    def __enter__(self):
        try:
            run("postfix", "-c", self.conf, "start", timeout=40)
            until("Postfix to listen", self._listens)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.policy.shutdown()
        pid = self.folder / "spool" / "pid" / "master.pid"
        master = int(pid.read_text()) if pid.exists() else None
        subprocess.run(["postfix", "-c", str(self.conf), "stop"], env=PATH, capture_output=True, timeout=30)
        if master is not None and pathlib.Path(f"/proc/{master}").exists():
            subprocess.run(["kill", "-KILL", str(master)])

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        return (self.folder / "maillog").read_text()

    def emails(self, box):
        """What was delivered into a box, as bytes."""
        path = self.boxes / box
        if not (path / "new").exists():
            return []
        return [mail.read_bytes() for mail in sorted((path / "new").iterdir())]

    def deliveries(self):
        return sum(len(self.emails(box.name)) for box in self.boxes.iterdir())


def until(what, done, limit=20):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if result := done():
            return result
        time.sleep(0.05)
    raise SystemExit(f"timed out after {limit} s waiting for {what}")
