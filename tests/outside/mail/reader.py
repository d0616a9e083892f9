"""Reads a delivered email with Python's own mail parser, and holds it to the rules for an email of reconnectd."""

import email
import email.errors
import email.policy
import html.parser
import re


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.lang = [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a":
            self.found.append(attributes["href"])
        if tag == "html":
            self.lang = attributes.get("lang")


def read(raw):
    if raw.isascii():
        return email.message_from_bytes(raw, policy=email.policy.default)
    # An address in another script: its header is UTF-8 as it stands (RFC 6532); everything else is ASCII.
    return email.message_from_string(raw.decode(), policy=email.policy.SMTPUTF8)


def defects(value):
    """Python's parser calls every local part in another script a defect; RFC 6532 does not."""
    found = getattr(value, "defects", ())
    return [each for each in found if not isinstance(each, email.errors.NonASCIILocalPartDefect)]


def check(raw, *, to, language, subject, link=True):
    """Raises AssertionError with words; gives the mail's link."""
    assert raw.isascii() == to.isascii(), f"{to}: a mail is ASCII unless its address is not"
    mail = read(raw)
    for part in mail.walk():
        assert not part.defects, f"{to}: {part.defects}"
    for name, value in mail.items():
        assert not defects(value), f"{to}: {name}: {defects(value)}"

    assert mail["From"].addresses[0].display_name == "Clínica Example, S.L.", mail["From"]
    assert mail["From"].addresses[0].addr_spec == "no-reply@example.org"
    assert mail["Reply-To"].addresses[0].display_name == "Help, desk", mail["Reply-To"]
    assert [each.addr_spec for each in mail["To"].addresses] == [to], mail["To"]
    assert mail["Subject"] == subject, mail["Subject"]
    assert mail["Date"].datetime.utcoffset() is not None
    assert re.fullmatch(r"<[0-9a-f-]{36}@example\.org>", mail["Message-ID"]), mail["Message-ID"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == language
    for once in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"):
        assert len(mail.get_all(once)) == 1, f"{once} more than once"
    unsubscribe = mail["List-Unsubscribe"]
    assert re.fullmatch(r"<https://reconnect\.example\.org/u/[\w-]+>", unsubscribe), unsubscribe
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.get_payload()
    assert [part.get_content_type() for part in (text, html)] == ["text/plain", "text/html"]
    assert all(part.get_content_charset() == "utf-8" for part in (text, html))
    assert len(html.get_content()) < 102_000, "clipped by some readers"
    longest = max(len(line) for line in raw.splitlines())
    assert longest <= 998, f"a line of {longest} bytes"
    long_lines = [line for line in raw.splitlines() if len(line) > 78 and not line.startswith(b"List-Unsubscribe:")]
    ours = [line for line in long_lines if not line.startswith((b"Received:", b"\t", b" "))]
    assert not ours, f"longer than 78: {ours}"

    page = Links(html.get_content())
    assert page.lang == language, page.lang
    pattern = r"https://reconnect\.example\.org/r/[\w-]+"
    in_text, in_html = set(re.findall(pattern, text.get_content())), set(re.findall(pattern, html.get_content()))
    if not link:
        assert not in_text and not in_html
        return None
    assert len(in_text) == 1 and in_text == in_html, "both parts have the same one link"
    assert in_text <= set(page.found), "the button leads to it"
    return in_text.pop()
