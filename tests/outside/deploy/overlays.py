"""Builds an overlay of deploy/kubernetes as kustomize does, as far as these files need it; anything else is an error."""

import pathlib
import shutil
import subprocess

import yaml

FIELDS = {"apiVersion", "kind", "namespace", "resources", "components", "images", "configMapGenerator",
          "generatorOptions", "patches"}
# How the elements of a list are told apart when a patch is merged. Any other list is replaced.
KEYS = {"containers": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "containerPort"}
NOT_IN_A_NAMESPACE = {"Namespace"}


def load(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def merged(old, patch, field=None):
    if isinstance(old, dict) and isinstance(patch, dict):
        keys = [*old, *(key for key in patch if key not in old)]
        return {key: merged(old.get(key), patch[key], key) if key in patch else old[key] for key in keys}
    if isinstance(old, list) and isinstance(patch, list) and field in KEYS:
        key = KEYS[field]
        changed = {element[key]: element for element in patch}
        known = {element[key] for element in old}
        new = [element for element in patch if element[key] not in known]
        return new + [merged(element, changed.get(element[key], {})) for element in old]
    return patch


def apply_operations(resource, operations):
    for operation in operations:
        assert operation["op"] == "add" and operation["path"].endswith("/-"), operation
        at = resource
        for part in operation["path"].split("/")[1:-1]:
            at = at[part]
        at.append(operation["value"])


def patched(resources, folder, patch):
    assert set(patch) <= {"path", "target"}, patch
    content = yaml.safe_load((folder / patch["path"]).read_text())
    target = patch.get("target") or {"kind": content["kind"], "name": content["metadata"]["name"]}
    found = [at for at, each in enumerate(resources)
             if (each["kind"], each["metadata"]["name"]) == (target["kind"], target["name"])]
    assert len(found) == 1, (patch, found)
    if isinstance(content, list):
        apply_operations(resources[found[0]], content)
    else:
        resources[found[0]] = merged(resources[found[0]], content)


def built(folder):
    """The resources of the kustomization in `folder`."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(kustomization) <= FIELDS, set(kustomization) - FIELDS
    resources = []
    for name in kustomization.get("resources", []) + kustomization.get("components", []):
        path = folder / name
        resources += built(path) if path.is_dir() else load(path)
    if generators := kustomization.get("configMapGenerator", []):
        assert kustomization["generatorOptions"] == {"disableNameSuffixHash": True}
        for each in generators:
            assert set(each) == {"name", "files"}, each
            data = {pathlib.Path(file).name: (folder / file).read_text() for file in each["files"]}
            resources.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": each["name"]}, "data": data})
    for patch in kustomization.get("patches", []):
        patched(resources, folder, patch)
    for resource in resources:
        if "namespace" in kustomization and resource["kind"] not in NOT_IN_A_NAMESPACE:
            resource["metadata"]["namespace"] = kustomization["namespace"]
        if resource["kind"] == "Deployment":
            for container in resource["spec"]["template"]["spec"]["containers"]:
                for image in kustomization.get("images", []):
                    if container["image"] == image["name"]:
                        container["image"] = f"{image['newName']}:{image['newTag']}"
    return resources


def built_by_kustomize(folder):
    """The same by the real one; None where there is none of a recent version."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, folder], capture_output=True, text=True)
            # Debian 12 has a kubectl that knows no `components`.
            if "unknown field" not in done.stderr:
                assert (done.returncode, done.stderr) == (0, ""), done.stderr
                return list(yaml.safe_load_all(done.stdout))
    return None
