"""What the stories of several suites share: the program, ports, waits, and requests."""

import os
import pathlib
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from ports import free_port

BINARY = pathlib.Path(os.environ["RECONNECTD_BINARY"]).resolve()
# No setting of the caller reaches the program.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("RECONNECTD")}


def until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"did not happen within {seconds} seconds: {what}")
        time.sleep(0.1)
    return found


def expect(what, found, expected):
    if found != expected:
        raise SystemExit(f"{what}: {found}, not {expected}")
    print(f"    {what}: {found}")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def fetch(url, data=None, kind=None):
    """The status, the headers, and the body; status 0 without a response."""
    headers = {"User-Agent": "Mozilla/5.0"} | ({"Content-Type": kind} if kind else {})
    try:
        with OPENER.open(urllib.request.Request(url, data, headers), timeout=10) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as response:
        return response.code, response.headers, response.read().decode()
    except OSError:
        return 0, {}, ""


def press(link):
    """Presses the only button of a page, and allows access at the source."""
    _, _, page = fetch(link)
    # A press counts from a second on.
    time.sleep(1.2)
    status, headers, _ = fetch(link, urllib.parse.urlencode(fields(page)).encode())
    expect("the press leads to the source", status, 303)
    source = headers["Location"]
    _, _, page = fetch(source)
    fetch(source, urllib.parse.urlencode(fields(page) | {"answer": "allow"}).encode())


def fields(page):
    """The hidden fields of the forms."""
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
