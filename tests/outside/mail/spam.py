"""SpamAssassin's scores, by its offline rules."""

import email
import email.policy
import pathlib
import re
import subprocess

# A higher score means that our email is at fault; 5 is spam.
LIMIT = 2.0


def judge(emails, folder):
    """The score and the rules that hit, for each of `emails` (name and bytes)."""
    folder = pathlib.Path(folder)
    folder.mkdir()
    box = b""
    for name, raw in emails:
        marked = f"X-Test-Name: {name}\n".encode() + raw.replace(b"\r\n", b"\n")
        box += b"From test@example.org Mon Nov 23 12:00:00 2026\n" + marked.replace(b"\nFrom ", b"\n>From ") + b"\n"
    (folder / "emails").write_bytes(box)
    # No network, no learning, nothing of this machine's user.
    (folder / "prefs").write_text("use_bayes 0\nuse_auto_whitelist 0\nreport_safe 0\n")
    command = ["spamassassin", "--local", "--mbox", "--prefspath", folder / "prefs", folder / "emails"]
    ended = subprocess.run(command, capture_output=True, timeout=60, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
    assert ended.returncode == 0, f"spamassassin failed: {ended.stderr.decode()}"
    found = {}
    for raw in re.split(rb"(?m)^From test@example\.org .*\n", ended.stdout)[1:]:
        mail = email.message_from_bytes(raw, policy=email.policy.compat32)
        status = re.sub(r"\s+", " ", mail["X-Spam-Status"] or "")
        score = re.search(r"score=(-?[\d.]+)", status)
        assert score, f"no judgement of {mail['X-Test-Name']}: {status!r}"
        rules = re.search(r"tests=(.*?) (?:autolearn|version)=", status)
        found[mail["X-Test-Name"]] = (float(score[1]), rules[1].replace(" ", "") if rules else "")
    assert len(found) == len(emails), f"judged {len(found)} of {len(emails)}"
    return found
