"""Each file under deploy/ belongs to a check that fails when the file is broken."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
# The check of each file. A name that ends with a slash stands for what is below it.
CHECKS = {
    "deploy/Dockerfile": "tests/outside/deploy/image_test.py",
    "deploy/README.md": "tests/outside/guide/story.py",
    "deploy/compose.yaml": "tests/outside/deploy/compose_test.py",
    "deploy/compose/": "tests/outside/deploy/compose_test.py",
    "deploy/debian/": "tests/outside/deploy/package_test.py",
    "deploy/faults.md": "tests/flows/fault_table/mod.rs",
    "deploy/grafana/reconnectd.json": "tests/outside/metrics/story.py",
    "deploy/kubernetes/": "tests/outside/deploy/kubernetes_test.py",
    "deploy/nginx.conf": "tests/outside/deploy/proxy_test.py",
    "deploy/prometheus/reconnectd.rules.yaml": "tests/outside/metrics/run",
    "deploy/prometheus/reconnectd.rules_test.yaml": "tests/outside/metrics/run",
    "deploy/prometheus/reconnectd.slow_rules_test.yaml": "tests/outside/metrics/run",
    "deploy/reconnectd-ctl": "tests/outside/deploy/service_test.py",
    "deploy/reconnectd.service": "tests/outside/deploy/service_test.py",
    "deploy/reconnectd.toml": "tests/outside/deploy/service_test.py",
    "deploy/sbom": "tests/outside/deploy/sbom_test.py",
}
# Files that their check finds by a pattern.
PATTERNS = {"tests/outside/metrics/run": "deploy/prometheus/*rules_test.yaml"}


def line_of(path):
    """The name above that stands for the file, or None."""
    return next((name for name in CHECKS if name == path or name.endswith("/") and path.startswith(name)), None)


class Files(unittest.TestCase):
    def test_each_file_has_a_check_that_reads_it(self):
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "deploy"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        files = [path for path in listed if (ROOT / path).exists()]
        self.assertGreater(len(files), 20)
        self.assertEqual([path for path in files if line_of(path) is None], [], "add a check, and a line above")
        for path in files:
            name = line_of(path)
            text = (ROOT / CHECKS[name]).read_text()
            is_matched = pathlib.PurePath(path).match(PATTERNS.get(CHECKS[name], "-"))
            self.assertTrue(is_matched or name.rstrip("/") in text, f"{CHECKS[name]} does not name {path}")

    def test_each_line_names_files_that_exist(self):
        self.assertEqual([name for name in CHECKS if not (ROOT / name).exists()], [])
        self.assertEqual([check for check in CHECKS.values() if not (ROOT / check).is_file()], [])

    def test_no_kustomization_leaves_out_a_file(self):
        folder = ROOT / "deploy/kubernetes"
        for part in (path for path in folder.iterdir() if path.is_dir()):
            text = (part / "kustomization.yaml").read_text()
            named = set(re.findall(r"[\w-]+\.(?:yaml|toml)", text.split("apiVersion", 1)[1]))
            present = {path.name for path in part.iterdir() if path.suffix} - {"kustomization.yaml"}
            self.assertEqual(present - named, set(), part.name)


if __name__ == "__main__":
    unittest.main()
