"""The story: a password that is wrong, then every kind of email in two languages, one address refused, one put off."""

import pathlib
import signal
import sys
import tempfile
import time

import reader
import spam
from postfix import Postfix, until
from product import Gateway, Product

NEEDS_YOU = "One of your Clínica Example, S.L. connections stopped updating"
ES_NEEDS_YOU = "Una de tus conexiones con Clínica Example, S.L. dejó de actualizarse"

# member: (address, box, locale, what happens to the connections, subject)
MEMBERS = {
    "alice": ("alice@example.org", "alice", "en", {"epic": "EXPIRED"}, NEEDS_YOU),
    "bob": ("bob@example.org", "bob", "es", {"epic": "DISCONNECTED"}, ES_NEEDS_YOU),
    "carol": ("carol@example.org", "carol", "en", {"epic": "EXPIRED", "cerner": "DISCONNECTED"},
              "2 of your Clínica Example, S.L. connections stopped updating"),
    "m1": ("m1@example.org", "m1", "es", {"epic": "EXPIRED", "cerner": "EXPIRED"},
           "2 de tus conexiones con Clínica Example, S.L. dejaron de actualizarse"),
    "m2": ("josé@example.org", "jose", "es", {"epic": "EXPIRED"}, ES_NEEDS_YOU),
    "m3": ("ana@exámple.net", "ana", "en", {"epic": "DISCONNECTED"}, NEEDS_YOU),
    "m4": ("nobody@example.org", None, "en", {"epic": "EXPIRED"}, None),
    "m5": ("grey@example.org", "grey", "es", {"epic": "EXPIRED"}, ES_NEEDS_YOU),
    "m6": ("m6@example.org", "m6", "en", {}, "Connect an account to Clínica Example, S.L."),
    "m7": ("m7@example.org", "m7", "es", {}, "Conecta una cuenta a Clínica Example, S.L."),
}
REFUSED, GREYLISTED, INVITED = "m4", "m5", ("m6", "m7")


def ascii_domain(address):
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def step(words):
    print(f"  {words}", flush=True)


def states(product):
    return {member: (row["state"], row["reason"]) for member, row in product.notices().items()}


def story(folder):
    recipients = {ascii_domain(address): box for address, box, *_ in MEMBERS.values() if box}
    recipients["ops@example.org"] = "ops"
    with Postfix(folder / "postfix", recipients, ["grey@example.org"]) as postfix, Gateway(7) as gateway:
        product = Product(folder / "product", gateway, postfix)
        product("keys", "generate")
        lines = [f'{{"member_id": "{member}", "email": "{address}", "locale": "{locale}", "refresh_token": "rt-{member}"}}'
                 for member, (address, _, locale, _, _) in MEMBERS.items()]
        (product.folder / "members.jsonl").write_text("\n".join(lines))
        product("members", "import", str(product.folder / "members.jsonl"))
        product("once")
        for member, (_, _, _, happens, _) in MEMBERS.items():
            for connection, status in happens.items():
                gateway.happens(member, connection, status)
        for member in INVITED:
            product("connections", "establish", "cerner", "--member", member, "--send")

        wrong_password(product, postfix)
        everything_but_two(product, postfix)
        tried_again(product, postfix)
        emails = as_delivered(postfix)
        emails += recovered(product, gateway, postfix)
        dots(product, postfix)
        judged(product, emails, folder / "spam")


def wrong_password(product, postfix):
    product.configure(password="wrong")
    said = product("check", code=1)
    assert any("FAILED" in line and "mail server" in line and "535" in line for line in said.splitlines()), said
    product("once", code=3)
    waiting = states(product)
    assert set(waiting) == set(MEMBERS), waiting
    assert all(state == "queued" for state, _ in waiting.values()), waiting
    assert ("queued", "smtp_misconfigured") in waiting.values(), waiting
    assert postfix.deliveries() == 0
    step(f"wrong password: {len(waiting)} emails wait, none abandoned, `notices list` says smtp_misconfigured")
    product.configure()
    product("check", "--send-test", "ops@example.org")
    step("right password: `check --send-test` is content, over STARTTLS with a private CA and a log-in")


def everything_but_two(product, postfix):
    product.time_passes()
    product("once")
    after = states(product)
    assert after[REFUSED] == ("abandoned", "permanent_failure"), after
    assert after[GREYLISTED] == ("queued", "transient_failure"), after
    others = {member: how for member, how in after.items() if member not in (REFUSED, GREYLISTED)}
    assert all(state == "sent" for state, _ in others.values()), others
    shown = product("notices", "show", product.notices()[REFUSED]["notice_id"])
    assert "550" in shown and "nobody@" not in shown, shown
    until("the deliveries", lambda: postfix.deliveries() == len(others) + 1)
    step(f"{len(others)} delivered; the address that is refused (550) is abandoned, the greylisted one (450) waits")


def tried_again(product, postfix):
    before = postfix.deliveries()
    product("once")
    assert states(product)[GREYLISTED][0] == "queued", "it waits for its time"
    postfix.policy.end_greylisting()
    product.time_passes()
    product("once")
    assert states(product)[GREYLISTED] == ("sent", "accepted"), states(product)
    until("the greylisted mail", lambda: postfix.deliveries() == before + 1)
    step("the greylisted mail is delivered at the second attempt, and nothing else twice")


def as_delivered(postfix):
    links, emails = set(), []
    for member, (address, box, locale, _, subject) in MEMBERS.items():
        if box is None:
            continue
        found = postfix.emails(box)
        assert len(found) == 1, f"{member} has {len(found)} emails"
        links.add(reader.check(found[0], to=ascii_domain(address), language=locale, subject=subject))
        emails.append((f"delivered-{member}", found[0]))
    assert len(links) == len(emails), "every link is different"
    assert all(b"using TLSv1." in raw for _, raw in emails), "every email came over TLS"
    step(f"{len(emails)} emails read by Python's parser: headers, both parts, the same link, no defects")
    return emails


def recovered(product, gateway, postfix):
    before = postfix.deliveries()
    for member in ("alice", "bob"):
        gateway.happens(member, "epic", "CONNECTED")
    product("once")
    until("the emails of recovery", lambda: postfix.deliveries() == before + 2)
    emails = []
    for member, words in (("alice", "One of your Clínica Example, S.L. connections is working again"),
                          ("bob", "Una de tus conexiones con Clínica Example, S.L. ya funciona otra vez")):
        address, box, locale, _, _ = MEMBERS[member]
        mail = next(raw for raw in postfix.emails(box) if words == reader.read(raw)["Subject"])
        reader.check(mail, to=address, language=locale, subject=words, link=False)
        emails.append((f"recovered-{member}", mail))
    step("2 emails of recovery, without a link to press")
    return emails


def dots(product, postfix):
    """A line that is a dot alone ends a mail in SMTP, unless it is sent with care."""
    own = product.folder / "own" / "en"
    own.mkdir(parents=True)
    (own / "base.txt").write_text("Before\n\n.\n\n..two\n\nAfter {{ link }}\n")
    product.configure(templates=own.parent)
    product("check", "--send-test", "ops@example.org")
    product.configure()
    until("the email with dots", lambda: len(postfix.emails("ops")) == 2)
    texts = [reader.read(raw).get_body(("plain",)).get_content() for raw in postfix.emails("ops")]
    assert any(text.startswith("Before\n\n.\n\n..two\n\nAfter\nhttps://") or
               text.startswith("Before\n\n.\n\n..two\n\nAfter https://") for text in texts), texts
    step("a dot alone on a line of an operator's template arrives as it was written")


def judged(product, emails, folder):
    # As a member's own mail server would take it from the operator's: with no trust in advance.
    hop = (b"Received: from mail.example.org (mail.example.org [11.22.33.44]) by mx.example.net with ESMTPS\n"
           b"\tid 4XyZ; " + reader.read(emails[0][1])["Date"].encode() + b"\n")
    emails = [(name, hop + raw[raw.index(b"From: "):]) for name, raw in emails]
    for level in ("generic", "kind", "name"):
        product.configure(disclosure=level)
        for mail in product.json("notices", "preview", "--part", "eml"):
            raw = hop + mail["eml"].encode().replace(b"\r\n", b"\n")
            emails.append((f"{level}-{mail['locale']}-{mail['kind']}", raw))
    product.configure()
    found = spam.judge(emails, folder)
    by_rules = {}
    for name, (score, rules) in found.items():
        by_rules.setdefault((score, rules), []).append(name)
    for (score, rules), names in sorted(by_rules.items(), reverse=True):
        step(f"SpamAssassin {score:4.1f} for {len(names)} emails, such as {names[0]}: {rules}")
    worst = {name: score for name, (score, _) in found.items() if score >= spam.LIMIT}
    assert not worst, f"too much like spam: {worst}"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("timed out"))
    since = time.monotonic()
    print("Emails through Postfix, Python's mail parser and SpamAssassin:")
    with tempfile.TemporaryDirectory(prefix="reconnectd-mail-") as name:
        folder = pathlib.Path(name)
        # Postfix's parts, which are not root, must get through.
        folder.chmod(0o755)
        try:
            story(folder)
        except BaseException:
            log = folder / "postfix" / "maillog"
            if log.exists():
                print("\nWhat Postfix said last:", *log.read_text().splitlines()[-25:], sep="\n  ", file=sys.stderr)
            raise
    print(f"All well, in {time.monotonic() - since:.0f} s.")


if __name__ == "__main__":
    main()
