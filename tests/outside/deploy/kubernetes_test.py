"""The overlays for Kubernetes: valid for its last three releases, restricted, and consistent with the daemon."""

import pathlib
import re
import subprocess
import tomllib
import unittest

import kubernetes_validate
import yaml

import overlays

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy/kubernetes"
RELEASES = ["1.35", "1.36", "1.37"]
OVERLAYS = {name: overlays.built(FOLDER / name) for name in ("sqlite", "postgres")}
POD_LABELS = {"app.kubernetes.io/name": "reconnectd"}


def identity(resource):
    return resource["kind"], resource["metadata"]["name"]


class Kubernetes(unittest.TestCase):
    def each(self):
        for name, resources in OVERLAYS.items():
            yield name, {identity(resource): resource for resource in resources}

    def pod(self, resources):
        return resources["Deployment", "reconnectd"]["spec"]["template"]["spec"]

    def configuration(self, resources):
        return tomllib.loads(resources["ConfigMap", "reconnectd"]["data"]["reconnectd.toml"])

    def test_kustomize_builds_the_same(self):
        for name, resources in OVERLAYS.items():
            found = overlays.built_by_kustomize(FOLDER / name)
            if found is None:
                self.skipTest("there is no kustomize here")
            self.assertEqual(sorted(found, key=identity), sorted(resources, key=identity))

    def test_the_last_three_releases_accept_every_resource(self):
        for resources in OVERLAYS.values():
            self.assertEqual(len({identity(resource) for resource in resources}), len(resources))
            for resource in resources:
                if not resource["apiVersion"].startswith("monitoring.coreos.com/"):
                    for release in RELEASES:
                        kubernetes_validate.validate(resource, release, strict=True)

    def test_the_pods_are_restricted(self):
        """As the profile `restricted` of the pod security standards demands, and with a read-only root."""
        for _, resources in self.each():
            labels = resources["Namespace", "reconnectd"]["metadata"]["labels"]
            self.assertEqual(labels["pod-security.kubernetes.io/enforce"], "restricted")
            pod = self.pod(resources)
            self.assertEqual(set(pod) & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}, set())
            self.assertIs(pod["automountServiceAccountToken"], False)
            self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
            self.assertEqual({kind for volume in pod["volumes"] for kind in volume} - {"name"} - allowed, set())
            [container] = pod["containers"]
            self.assertEqual(container["securityContext"], {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}})
            self.assertEqual({"requests", "limits"}, set(container["resources"]))
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                self.assertIn(container[probe]["httpGet"]["path"], ("/healthz", "/readyz"))

    def test_the_user_is_that_of_the_image_and_can_read_the_secrets(self):
        [user] = re.findall(r"^USER (\d+):\1$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
        for _, resources in self.each():
            pod = self.pod(resources)
            context = pod["securityContext"]
            self.assertEqual({context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")}, {int(user)})
            [secret] = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
            self.assertEqual(secret, {"secretName": "reconnectd", "defaultMode": 0o440})

    def test_the_configuration_fits_to_the_pod(self):
        for name, resources in self.each():
            settings, pod = self.configuration(resources), self.pod(resources)
            [container] = pod["containers"]
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            for section, port in (("links", "public"), ("admin", "admin")):
                self.assertEqual(settings[section]["listen"], f"[::]:{ports[port]}")
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            self.assertEqual(len(mounts), len(container["volumeMounts"]))
            self.assertEqual(sorted(mounts), sorted(volume["name"] for volume in pod["volumes"]))
            self.assertEqual(container["args"], ["run", "--config", f"{mounts['config']}/reconnectd.toml"])
            [source] = [volume["configMap"] for volume in pod["volumes"] if volume["name"] == "config"]
            self.assertEqual(source, {"name": "reconnectd"})
            text = resources["ConfigMap", "reconnectd"]["data"]["reconnectd.toml"]
            files = re.findall(r'^\w*file = "(.+)/(\w+)"', text, re.MULTILINE)
            self.assertEqual({folder for folder, _ in files}, {mounts["secrets"]})
            # The command at the top creates each of them.
            command = (FOLDER / name / "kustomization.yaml").read_text()
            for _, file in files:
                self.assertRegex(command, rf"--from-file={file}\b")

    def test_sqlite_has_one_pod_with_a_volume_and_postgresql_two_apart(self):
        sqlite, postgres = ({identity(each): each for each in OVERLAYS[name]} for name in ("sqlite", "postgres"))
        spec = sqlite["Deployment", "reconnectd"]["spec"]
        self.assertEqual((spec["replicas"], spec["strategy"]), (1, {"type": "Recreate"}))
        claims = [volume["persistentVolumeClaim"]["claimName"] for volume in self.pod(sqlite)["volumes"]
                  if "persistentVolumeClaim" in volume]
        self.assertEqual([("PersistentVolumeClaim", claim) in sqlite for claim in claims], [True])
        claim = sqlite["PersistentVolumeClaim", "reconnectd"]["spec"]
        self.assertEqual(claim["accessModes"], ["ReadWriteOnce"])
        self.assertRegex(claim["resources"]["requests"]["storage"], r"^\d+Gi$")
        [state] = [mount["mountPath"] for mount in self.pod(sqlite)["containers"][0]["volumeMounts"]
                   if mount["name"] == "state"]
        self.assertEqual(self.configuration(sqlite)["database"]["url"], f"sqlite://{state}/reconnectd.db")

        spec = postgres["Deployment", "reconnectd"]["spec"]
        self.assertGreaterEqual(spec["replicas"], 2)
        self.assertEqual(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0)
        spread = self.pod(postgres)["topologySpreadConstraints"]
        self.assertEqual({each["labelSelector"]["matchLabels"] == POD_LABELS for each in spread}, {True})
        self.assertIn("kubernetes.io/hostname", {each["topologyKey"] for each in spread})
        self.assertIn("url_file", self.configuration(postgres)["database"])

    def test_everything_selects_the_pods(self):
        for _, resources in self.each():
            self.assertEqual({resource["metadata"].get("namespace", resource["metadata"]["name"])
                              for resource in resources.values()}, {"reconnectd"})
            deployment = resources["Deployment", "reconnectd"]["spec"]
            self.assertEqual(deployment["template"]["metadata"]["labels"], POD_LABELS)
            self.assertEqual(deployment["selector"]["matchLabels"], POD_LABELS)
            budget = resources["PodDisruptionBudget", "reconnectd"]["spec"]
            self.assertEqual(budget, {"maxUnavailable": 1, "selector": {"matchLabels": POD_LABELS}})
            policy = resources["NetworkPolicy", "reconnectd"]["spec"]
            self.assertEqual(policy["podSelector"]["matchLabels"], POD_LABELS)
            for (kind, _), resource in resources.items():
                if kind == "Service":
                    self.assertEqual(resource["spec"]["selector"], POD_LABELS)

    def test_the_ingresses_lead_to_the_public_port_and_log_no_path(self):
        for _, resources in self.each():
            ingresses = {name: each for (kind, name), each in resources.items() if kind == "Ingress"}
            public_url = self.configuration(resources)["links"]["public_url"]
            paths = {}
            for name, ingress in ingresses.items():
                [rule] = ingress["spec"]["rules"]
                [path] = rule["http"]["paths"]
                paths[name] = path["path"]
                service = resources["Service", path["backend"]["service"]["name"]]
                self.assertEqual([(port["name"], port["targetPort"]) for port in service["spec"]["ports"]],
                                 [(path["backend"]["service"]["port"]["name"], "public")])
                self.assertEqual(f"https://{rule['host']}", public_url)
                self.assertEqual(ingress["spec"]["tls"][0]["hosts"], [rule["host"]])
                annotations = ingress["metadata"]["annotations"]
                self.assertTrue(all(isinstance(value, str) for value in annotations.values()))
                self.assertEqual(annotations["nginx.ingress.kubernetes.io/enable-access-log"], "false")
            self.assertEqual(paths, {"reconnectd": "/", "reconnectd-hooks": "/hooks"})

    def test_the_network_policy_permits_what_the_configuration_needs_and_no_more(self):
        for name, resources in self.each():
            policy, settings = resources["NetworkPolicy", "reconnectd"]["spec"], self.configuration(resources)
            self.assertEqual(sorted(policy["policyTypes"]), ["Egress", "Ingress"])
            ports = {port["name"]: port["containerPort"] for port in self.pod(resources)["containers"][0]["ports"]}
            comes = {rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]:
                     [port["port"] for port in rule["ports"]] for rule in policy["ingress"]}
            self.assertEqual(comes, {"ingress-nginx": [ports["public"]], "monitoring": [ports["admin"]]})
            goes = sorted({port["port"] for rule in policy["egress"] for port in rule["ports"]})
            database = [5432] if name == "postgres" else []
            self.assertEqual(goes, sorted([53, 443, settings["email"]["smtp"]["port"], *database]))
            self.assertTrue(all(rule["ports"] for rule in policy["egress"]))


class Monitoring(unittest.TestCase):
    def test_the_service_monitor_finds_the_admin_port_under_the_name_of_the_job(self):
        rules = (ROOT / "deploy/prometheus/reconnectd.rules.yaml").read_text()
        [job] = set(re.findall(r'job="(\w+)"', rules))
        for resources in OVERLAYS.values():
            resources = {identity(resource): resource for resource in resources}
            monitor = resources["ServiceMonitor", "reconnectd"]
            self.assertEqual(set(monitor), {"apiVersion", "kind", "metadata", "spec"})
            self.assertEqual(monitor["apiVersion"], "monitoring.coreos.com/v1")
            spec = monitor["spec"]
            self.assertEqual(set(spec), {"jobLabel", "selector", "endpoints"})
            wanted = spec["selector"]["matchLabels"].items()
            [service] = [each for (kind, _), each in resources.items()
                         if kind == "Service" and wanted <= each["metadata"]["labels"].items()]
            self.assertEqual(service["metadata"]["labels"][spec["jobLabel"]], job)
            [endpoint] = spec["endpoints"]
            self.assertEqual(set(endpoint), {"port", "path", "interval"})
            self.assertRegex(endpoint["interval"], r"^\d+s$")
            self.assertEqual(endpoint["path"], "/metrics")
            self.assertEqual([(port["name"], port["targetPort"]) for port in service["spec"]["ports"]],
                             [(endpoint["port"], "admin")])
            self.assertEqual(service["spec"]["clusterIP"], "None")

    def test_the_rules_are_those_of_prometheus(self):
        made = subprocess.run([FOLDER / "monitoring/rules"], check=True, capture_output=True, text=True).stdout
        file = FOLDER / "monitoring/prometheus-rule.yaml"
        self.assertEqual(file.read_text(), made, "run deploy/kubernetes/monitoring/rules again")
        rule = yaml.safe_load(made)
        self.assertEqual((rule["apiVersion"], rule["kind"]), ("monitoring.coreos.com/v1", "PrometheusRule"))
        alerts = yaml.safe_load((ROOT / "deploy/prometheus/reconnectd.rules.yaml").read_text())
        self.assertEqual(rule["spec"], alerts)


if __name__ == "__main__":
    unittest.main()
