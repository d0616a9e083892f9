"""The schema accepts what the program accepts, and rejects what it rejects, as far as a schema can say it. Then the manual
pages and the completions, as their readers see them."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import jsonschema

sys.path.append(str(pathlib.Path(__file__).parent.parent / "support"))
from stories import BINARY, CLEAN, expect

ROOT = pathlib.Path(__file__).parents[3]
SNAPSHOT = ROOT / "src/base/config/tests/snapshots/messages.snap"
DURATIONS = ["0s", "90s", "1m 30s", "1.5h", "  7 d ", "1h30m", "2weeks", "500ms"]

# Rules about several settings, about the machine, or about more than the form of a text.
BEYOND_A_SCHEMA = {
    'mode = "broker"',
    'channel = "webhook"',
    'recheck = ["2m", "1m"]',
    'reminders = ["10d", "3d"]',
    'schedule = "0 61 * * * *"',
    'time_zone = "Mars/Base"',
    'templates = "/no/such"',
    'name = "a\\nb"',
    'help = "a\\tb"',
    'color = "#7a7a7a"',
    "share = nan",
    'url = "postgres://x"',
    'url = "postgres://x/y?sslmode=no"',
    'url = "https://user:hush@a.example"',
    'url = "https://a.example"',
    'secret = "whsec_c2hvcnQ="',
    'host = "a b"',
    'host = "mail.localhost"',
    'host = ""',
    'host = "h.example"',
    'username = "u"',
    'ca_file = "/no/such"',
    'public_url = "https://a.example/?x"',
    'public_url = "https://a:b@c.example"',
    'listen = "127.0.0.1:8080"',
    'log = "verbose"',
    'log = "reconnectd=loud"',
    'otlp_endpoint = "https://a.example/?key=1"',
    'confirm_after = "11y"',
    'notices = "30d"',
    'notices = "60d"',
}


def run(*arguments, code=0, **options):
    ended = subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, env=CLEAN, timeout=60, check=False, **options
    )
    if ended.returncode != code:
        raise SystemExit(f"{arguments}: exit code {ended.returncode}: {ended.stdout}{ended.stderr}")
    return ended.stdout


def schema():
    text = run("config", "schema")
    found = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(found)
    expect("the published schema is that of the program", (ROOT / "config/reconnectd.schema.json").read_text() == text, True)
    expect("lines of `config schema --json`", run("config", "schema", "--json").count("\n"), 1)
    return jsonschema.Draft202012Validator(found, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def problems(validator, text):
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(tomllib.loads(text))]


def examples():
    """Every configuration in the repository, by its place."""
    yield "the defaults", (ROOT / "config/reconnectd.toml").read_text()
    yield "the printed defaults", run("config", "print")
    readme = (ROOT / "README.md").read_text()
    for at, block in enumerate(re.findall(r"^ *```toml\n(.*?)^ *```$", readme, re.M | re.S)):
        # A digest is shortened.
        yield f"block {at + 1} of the README", block.replace("5e0c…", "0" * 64)
    for path in sorted((ROOT / "deploy").rglob("*.toml")):
        yield path.name, path.read_text()
    for path in sorted((ROOT / "deploy").glob("*.yaml")):
        for block in re.findall(r"^  reconnectd\.toml: \|\n((?:    .*\n|\n)+)", path.read_text(), re.M):
            yield path.name, re.sub("^    ", "", block, flags=re.M)


def rejected():
    """The wrong files of the loader's own tests."""
    blocks = SNAPSHOT.read_text().split("\n\n")
    for block in blocks:
        lines = block.removeprefix("---\nsource: src/base/config/tests/diagnostics.rs\n---\n").split("\n")
        end = next((at for at, line in enumerate(lines) if line.startswith("  FILE:")), None)
        if end is not None:
            yield "\n".join(lines[:end])


def validate(validator):
    count = 0
    for place, text in examples():
        count += 1
        if found := problems(validator, text):
            raise SystemExit(f"{place}: {found}")
    expect("examples that are valid", count >= 6, True)
    for duration in DURATIONS:
        text = f'[sweep]\nconfirm_after = "{duration}"'
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            run("config", "print", "--config", file.name)
        expect(f"a duration of {duration!r}", problems(validator, text), [])

    unexpressed, count = set(), 0
    for text in rejected():
        try:
            found = problems(validator, text)
        except tomllib.TOMLDecodeError:
            continue
        count += 1
        if not found:
            unexpressed.add(text.split("\n")[1])
    expect("wrong files", count > 70, True)
    expect("wrong files that only the program rejects", sorted(unexpressed ^ BEYOND_A_SCHEMA), [])


def read_manual():
    with tempfile.TemporaryDirectory() as folder:
        run("man", folder)
        pages = sorted(pathlib.Path(folder).iterdir())
        expect("manual pages", len(pages) > 40, True)
        for page in pages:
            ended = subprocess.run(
                ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-P-cbou", page], capture_output=True, text=True, check=False
            )
            if ended.returncode or ended.stderr or "SYNOPSIS" not in ended.stdout:
                raise SystemExit(f"{page.name}: {ended.stderr}{ended.stdout}")


COMPLETE = """
source <("$0" completions bash)
complete_words() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
    _reconnectd reconnectd "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[*]}"
}
complete_words reconnectd memb
complete_words reconnectd members imp
complete_words reconnectd completions ""
complete_words reconnectd check --se
"""


def complete():
    ended = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, BINARY], capture_output=True, text=True, env=CLEAN, check=False
    )
    expected = ["members", "import", "bash elvish fish powershell zsh", "--send-test"]
    found = [" ".join(word for word in line.split() if not word.startswith("-") or "--se" in word) for line in ended.stdout.splitlines()]
    expect("completions", found, expected)
    expect("errors of the completions", ended.stderr, "")
    for shell in ["zsh", "fish", "elvish", "powershell"]:
        expect(f"completions for {shell}", "members" in run("completions", shell), True)


validate(schema())
read_manual()
complete()
