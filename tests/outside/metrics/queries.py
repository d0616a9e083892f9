"""Reads the queries of the dashboard and of the alerts, and the names of metrics in texts."""

import json
import re

import yaml

NAME = r"\b(?:reconnectd|process)_[a-z_]+\b"
# A metric with its labels, as in `name{label="value"}`.
SELECTOR = re.compile(rf"(?:{NAME}|\bup\b)(?:\{{[^}}]*\}})?")


def of_dashboard(path):
    panels = json.loads(path.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return [query.replace("[$__rate_interval]", "[30s]") for query in queries]


def selectors_of_rules(path):
    """A rule without an alarm has no result, but what it reads must exist."""
    groups = yaml.safe_load(path.read_text())["groups"]
    texts = [rule["expr"] for group in groups for rule in group["rules"]]
    return sorted({selector for text in texts for selector in SELECTOR.findall(text)})


def undocumented(metrics, readme):
    types = re.findall(r"^# TYPE (\w+) ", metrics, re.MULTILINE)
    return sorted(name for name in set(types) if name not in set(re.findall(NAME, readme)))
