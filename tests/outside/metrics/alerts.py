"""Each alert has a summary, a case in which it fires, and one in which it does not."""

import pathlib

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "deploy/prometheus"
rules = yaml.safe_load((FOLDER / "reconnectd.rules.yaml").read_text())
alerts = {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}
fires, is_silent = set(), set()
for file in FOLDER.glob("*rules_test.yaml"):
    for test in yaml.safe_load(file.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case.get("exp_alerts") else is_silent).add(case["alertname"])
faults = [f"{name} has no summary" for name, rule in alerts.items() if not rule["annotations"].get("summary")]
faults += [f"{name} has no test in which it fires" for name in alerts.keys() - fires]
faults += [f"{name} has no test in which it does not fire" for name in alerts.keys() - is_silent]
if faults:
    raise SystemExit("\n".join(sorted(faults)))
print(f"    alerts with a summary and two tests: {len(alerts)}")
