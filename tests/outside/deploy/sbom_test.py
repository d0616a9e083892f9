"""The bill of materials lists what Cargo builds, no more and no less."""

import json
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
# What deny.toml bans although Cargo.lock mentions some of it.
BANNED = {"ring", "quinn-proto", "openssl", "rsa"}
# From [dev-dependencies] alone.
FOR_TESTS = {"apollo-compiler", "insta", "proptest", "rcgen"}


def printed(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def crates(edges, *options):
    lines = printed("cargo", "tree", "--locked", "--edges", edges, "--prefix", "none", "--format", "{p}", *options)
    listed = {tuple(line.split()[:2]) for line in lines.splitlines() if line}
    return {f"pkg:cargo/{name}@{version.removeprefix('v')}" for name, version in listed if name != "reconnectd"}


class BillOfMaterials(unittest.TestCase):
    def bill(self, *options):
        return json.loads(printed("deploy/sbom", *options))

    def test_it_lists_exactly_the_crates_of_the_build(self):
        for options in [["--target", target] for target in TARGETS] + [["--no-default-features"]]:
            components = self.bill(*options)["components"]
            required = {each["purl"] for each in components if each["scope"] == "required"}
            self.assertEqual(required, crates("normal", *options))
            self.assertEqual({each["purl"] for each in components}, crates("normal,build", *options))
            names = {each["name"] for each in components}
            self.assertEqual(names & (BANNED | FOR_TESTS), set())
        self.assertNotIn("async-graphql", names, "the simulator is not in the lean build")

    def test_each_component_has_its_purl_its_license_and_its_hash(self):
        bill = self.bill()
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.6"))
        self.assertRegex(bill["serialNumber"], r"^urn:uuid:[0-9a-f-]{36}$")
        self.assertEqual(bill["metadata"]["component"]["name"], "reconnectd")
        for each in bill["components"]:
            self.assertEqual(each["purl"], f"pkg:cargo/{each['name']}@{each['version']}")
            self.assertTrue(re.fullmatch(r"[A-Za-z0-9.() -]+", each["licenses"][0]["expression"]), each)
            self.assertRegex(each["hashes"][0]["content"], r"^[0-9a-f]{64}$")

    def test_the_dependencies_form_one_graph(self):
        bill = self.bill()
        uses = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
        root = bill["metadata"]["component"]["bom-ref"]
        self.assertEqual(set(uses), {root} | {each["bom-ref"] for each in bill["components"]})
        reached, waiting = set(), [root]
        while waiting:
            if (at := waiting.pop()) not in reached:
                reached.add(at)
                waiting += uses[at]
        self.assertEqual(reached, set(uses))


if __name__ == "__main__":
    unittest.main()
