"""deploy/kubernetes: valid, confined, probed, and scaled no further than there are partitions."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.app import STOP_DEADLINE_S
from agents.broker import channel_config
from agents.health import METHODS
from agents.settings import FILE_VARIABLE, Settings, load_settings
from schemas.channels import SIGNALS
from tests.deploy.kustomized import build, check_schemas
from tests.deploy.ours import check_command, check_variables
from tests.deploy.pods import check_confined, check_secret_files
from tests.deploy.told import DEPLOY

FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: dict[str, dict[str, Any]] = {
    document["kind"]: document
    for name in KUSTOMIZATION["resources"]
    for document in yaml.safe_load_all((FOLDER / name).read_text())
}
ENVIRONMENT = dict(literal.split("=", 1) for literal in KUSTOMIZATION["configMapGenerator"][0]["literals"])
PODS = {kind: OBJECTS[kind]["spec"]["template"] for kind in ("Deployment", "Job")}
WORKER = PODS["Deployment"]["spec"]["containers"][0]

every_pod = pytest.mark.parametrize("kind", PODS)


def test_the_objects_fit_the_schemas_of_kubernetes() -> None:
    """Fields that Kubernetes does not know are refused, too: a misspelt one would be ignored by some versions."""
    check_schemas(FOLDER, (name for name in KUSTOMIZATION["resources"] if name != "scaling.yaml"))


def test_kustomize_builds_it() -> None:
    """References between the files are right, and the environment is rolled out with a name of its content."""
    objects = {document["kind"]: document for document in build(FOLDER)}
    assert set(objects) == {*OBJECTS, "ConfigMap"}
    source = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    assert source == objects["ConfigMap"]["metadata"]["name"] != "overgrowth-environment"


def test_every_file_is_in_the_kustomization() -> None:
    """What lies beside it would be forgotten."""
    assert {path.name for path in FOLDER.glob("*.yaml")} == {"kustomization.yaml", *KUSTOMIZATION["resources"]}


@every_pod
def test_pods_may_do_no_more_than_they_must(kind: str) -> None:
    """What Kubernetes calls restricted: not root, nothing to write, no capabilities, no token, a limit of memory."""
    pod = PODS[kind]["spec"]
    check_confined(pod)
    assert pod["serviceAccountName"] == OBJECTS["ServiceAccount"]["metadata"]["name"]
    assert OBJECTS["ServiceAccount"]["automountServiceAccountToken"] is False


@every_pod
def test_secrets_are_files_and_settings_are_ours(kind: str) -> None:
    """The environment of a process is seen by its children, and told in many a dump."""
    pod = PODS[kind]["spec"]
    container = pod["containers"][0]
    given = ENVIRONMENT | {entry["name"]: entry["value"] for entry in container.get("env", ())}
    settings = check_variables(given)
    assert (settings.kafka, settings.redis) == (Settings().kafka, Settings().redis)
    folders = check_secret_files(pod)
    assert Path(given[FILE_VARIABLE]).parent == Path(folders["settings"])


@every_pod
def test_commands_are_ours(kind: str) -> None:
    """With the flags that they have."""
    check_command(["overgrowth", *PODS[kind]["spec"]["containers"][0]["args"]])


def test_probes_ask_what_they_are_for() -> None:
    """Each is patient for a minute at least; starting may take as long as it takes to read the tables."""
    assert "GET" in METHODS
    ports = {port["name"]: port["containerPort"] for port in WORKER["ports"]}
    assert ports == {"metrics": int(ENVIRONMENT["OVERGROWTH_METRICS_PORT"])}
    for probe, path in (("startupProbe", "/startup"), ("livenessProbe", "/live"), ("readinessProbe", "/ready")):
        asked = WORKER[probe]
        assert asked["httpGet"] == {"path": path, "port": "metrics"}
        assert asked["periodSeconds"] * asked["failureThreshold"] >= 60
    startup = WORKER["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 900


def test_a_worker_has_time_to_drain() -> None:
    """It ends by itself before Kubernetes ends it, and never more than one at a time."""
    assert PODS["Deployment"]["spec"]["terminationGracePeriodSeconds"] > STOP_DEADLINE_S
    assert OBJECTS["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert OBJECTS["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_workers_scale_on_the_lag_up_to_the_partitions() -> None:
    """One more would stand by; and a file that names replicas would undo what was scaled."""
    scaling, trigger = OBJECTS["ScaledObject"]["spec"], OBJECTS["ScaledObject"]["spec"]["triggers"][0]
    assert "replicas" not in OBJECTS["Deployment"]["spec"]
    assert scaling["scaleTargetRef"]["name"] == OBJECTS["Deployment"]["metadata"]["name"]
    assert scaling["maxReplicaCount"] == int(ENVIRONMENT["OVERGROWTH_PARTITIONS"])
    assert 2 <= scaling["minReplicaCount"] < scaling["maxReplicaCount"]
    assert trigger["type"] == "kafka"
    assert trigger["metadata"]["topic"] == SIGNALS.name
    assert trigger["metadata"]["consumerGroup"] == Settings().group
    assert trigger["metadata"]["excludePersistentLag"] == "true"
    assert (
        scaling["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"]
        >= 600
    )


def test_selectors_meet_their_pods() -> None:
    """A label that differs would leave pods without a budget, or without a policy."""
    labels = {kind: pod["metadata"]["labels"] for kind, pod in PODS.items()}
    worker = labels["Deployment"].items()
    assert OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"].items() <= worker
    assert OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= worker
    for constraint in PODS["Deployment"]["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= worker
    policy = OBJECTS["NetworkPolicy"]["spec"]
    assert all(policy["podSelector"]["matchLabels"].items() <= found.items() for found in labels.values())
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [8808]
    annotations = PODS["Deployment"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == ENVIRONMENT["OVERGROWTH_METRICS_PORT"]


def test_channels_are_kept_by_three_brokers() -> None:
    """One of them may be away, and an acknowledged record lies on two."""
    settings = load_settings({name: value for name, value in ENVIRONMENT.items() if name != FILE_VARIABLE})
    assert settings.replication == 3
    assert channel_config(SIGNALS, settings)["min.insync.replicas"] == "2"
