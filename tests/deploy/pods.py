"""What Kubernetes calls restricted, and a little more: checked of every pod that we have manifests of."""

from typing import Any


def check_confined(pod: dict[str, Any]) -> None:
    """Fail unless a pod is not root, has nothing to write, no capabilities, no token, and a limit of memory."""
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        resources = container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert "cpu" in resources["requests"]
        assert "cpu" not in resources["limits"]
        assert not container["image"].endswith(":latest")


def check_secret_files(pod: dict[str, Any]) -> dict[str, str]:
    """Fail unless every secret is a file that only our user reads; return the folder of each volume with one."""
    volumes = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
    assert {secret["defaultMode"] for secret in volumes.values()} == {0o440}
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] in volumes}
    assert mounts.keys() == volumes.keys()
    assert all(mount["readOnly"] is True for mount in mounts.values())
    return {name: mount["mountPath"] for name, mount in mounts.items()}
