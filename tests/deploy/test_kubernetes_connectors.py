"""deploy/kubernetes/connectors: valid, confined, one of each, and in touch with nothing but what they are for."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.connectors.program import DRAIN_S
from agents.settings import FILE_VARIABLE, Settings
from streams.networks import NETWORKS
from tests.deploy.composed import services
from tests.deploy.kustomized import build, check_schemas
from tests.deploy.ours import check_command, check_variables
from tests.deploy.pods import check_confined, check_secret_files
from tests.deploy.test_kubernetes import ENVIRONMENT as OF_WORKERS
from tests.deploy.test_kubernetes import OBJECTS as OF_BASE
from tests.deploy.told import DEPLOY

FOLDER = DEPLOY / "kubernetes" / "connectors"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (found["kind"], found["metadata"]["name"].removeprefix("overgrowth-")): found
    for name in KUSTOMIZATION["resources"]
    for found in yaml.safe_load_all((FOLDER / name).read_text())
}
CONNECTORS = {name: found["spec"] for (kind, name), found in OBJECTS.items() if kind == "Deployment"}
POLICIES = {name: found["spec"] for (kind, name), found in OBJECTS.items() if kind == "NetworkPolicy"}
ENVIRONMENT = dict(literal.split("=", 1) for literal in KUSTOMIZATION["configMapGenerator"][0]["literals"])
METRICS_PORT = int(ENVIRONMENT["OVERGROWTH_METRICS_PORT"])

every_connector = pytest.mark.parametrize("name", CONNECTORS)


def pod_of(name: str) -> dict[str, Any]:
    """Return what a connector runs as."""
    pod: dict[str, Any] = CONNECTORS[name]["template"]["spec"]
    return pod


def selected_by(policy: dict[str, Any]) -> set[str]:
    """Return the connectors that a policy is for."""
    selector = policy["podSelector"]
    found = set()
    for name, connector in CONNECTORS.items():
        labels = connector["template"]["metadata"]["labels"]
        fits = selector["matchLabels"].items() <= labels.items()
        for rule in selector.get("matchExpressions", ()):
            assert rule["operator"] == "In"
            fits = fits and labels.get(rule["key"]) in rule["values"]
        if fits:
            found.add(name)
    return found


def test_the_objects_fit_the_schemas_of_kubernetes() -> None:
    """Fields that Kubernetes does not know are refused, too."""
    check_schemas(FOLDER, KUSTOMIZATION["resources"])


def test_kustomize_builds_it() -> None:
    """References between the files are right."""
    assert len(build(FOLDER)) == len(OBJECTS) + 1


def test_every_file_is_in_the_kustomization_and_every_connector_has_one() -> None:
    """What lies beside it would be forgotten; compose and Kubernetes run the same ones."""
    assert {path.name for path in FOLDER.glob("*.yaml")} == {"kustomization.yaml", *KUSTOMIZATION["resources"]}
    composed = {name for name, one in services("open").items() if (one.get("command") or [""])[0] == "connect"}
    assert CONNECTORS.keys() == composed


@every_connector
def test_pods_may_do_no_more_than_they_must(name: str) -> None:
    """As the workers, whose service account, which opens nothing, they share."""
    check_confined(pod_of(name))
    assert pod_of(name)["serviceAccountName"] == OF_BASE["ServiceAccount"]["metadata"]["name"]


@every_connector
def test_commands_and_settings_are_ours_and_secrets_are_files(name: str) -> None:
    """Partitions as the workers have them; a token is a file of its own secret."""
    pod = pod_of(name)
    (container,) = pod["containers"]
    check_command(["overgrowth", *container["args"]])
    settings = check_variables(ENVIRONMENT)
    assert (settings.kafka, settings.create_channels) == (Settings().kafka, False)
    assert set(settings.raw_networks) == set(NETWORKS)
    assert ENVIRONMENT["OVERGROWTH_PARTITIONS"] == OF_WORKERS["OVERGROWTH_PARTITIONS"]
    folders = check_secret_files(pod)
    assert Path(ENVIRONMENT[FILE_VARIABLE]).parent == Path(folders["settings"])
    named = {str(Path(word).parent) for word in container["args"] if word.startswith("/run/secrets/")}
    assert named == set(folders.values()) - {folders["settings"]}
    head = (FOLDER / "kustomization.yaml").read_text()
    for volume in pod["volumes"]:
        if "secret" in volume:
            assert f"create secret generic {volume['secret']['secretName']} " in head


@every_connector
def test_there_is_one_of_each_and_never_two_for_a_moment(name: str) -> None:
    """Two would deliver twice and write one cursor by turns; the old one has the time to deliver what it took."""
    connector = CONNECTORS[name]
    assert (connector["replicas"], connector["strategy"]) == (1, {"type": "Recreate"})
    assert pod_of(name)["terminationGracePeriodSeconds"] > DRAIN_S


@every_connector
def test_probes_ask_what_they_are_for(name: str) -> None:
    """Each is patient for a minute at least; a network that is away is no reason for a new start."""
    (container,) = pod_of(name)["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["metrics"] == METRICS_PORT
    for probe, path in (("startupProbe", "/live"), ("livenessProbe", "/live"), ("readinessProbe", "/ready")):
        asked = container[probe]
        assert asked["httpGet"] == {"path": path, "port": "metrics"}
        assert asked["periodSeconds"] * asked["failureThreshold"] >= 60


def test_selectors_meet_their_pods_and_not_the_workers() -> None:
    """A policy of the workers would let connectors reach Redis; one of the feeds would let the intake out."""
    workers = OF_BASE["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for connector in CONNECTORS.values():
        labels = connector["template"]["metadata"]["labels"]
        assert connector["selector"]["matchLabels"].items() <= labels.items()
        assert not OF_BASE["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        assert not connector["selector"]["matchLabels"].items() <= workers.items()
    assert {name: selected_by(policy) for name, policy in POLICIES.items()} == {
        "connectors": set(CONNECTORS),
        "feeds": {"jetstream", "mastodon"},
        "intake": {"intake"},
    }


def test_only_prometheus_and_clients_of_the_intake_come_in() -> None:
    """Each by the one port that is for it, which is where the service leads."""
    ports = {
        name: [port["port"] for rule in policy.get("ingress", ()) for port in rule["ports"]]
        for name, policy in POLICIES.items()
    }
    service = OBJECTS["Service", "intake"]["spec"]
    (container,) = pod_of("intake")["containers"]
    (listens,) = [port for port in container["ports"] if port["name"] == "intake"]
    assert ports == {"connectors": [METRICS_PORT], "feeds": [], "intake": [listens["containerPort"]]}
    assert str(listens["containerPort"]) == container["args"][container["args"].index("--port") + 1]
    assert service["type"] == "ClusterIP"
    assert [port["targetPort"] for port in service["ports"]] == [listens["name"]]
    assert service["selector"].items() <= CONNECTORS["intake"]["template"]["metadata"]["labels"].items()


def test_only_feeds_go_out_and_only_to_what_is_public() -> None:
    """The address of a feed may not lead into the cluster, nor to what tells a cloud's machine its credentials."""
    outside = POLICIES["feeds"]["egress"]
    assert [port for rule in outside for port in rule["ports"]] == [{"port": 443, "protocol": "TCP"}]
    blocks = [peer["ipBlock"] for rule in outside for peer in rule["to"]]
    for address in (
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "127.0.0.1",
        "fd00::1",
        "fe80::1",
    ):
        found = ipaddress.ip_address(address)
        for block in blocks:
            if found in ipaddress.ip_network(block["cidr"]):
                assert any(found in ipaddress.ip_network(private) for private in block["except"]), address
    to_kafka = OF_BASE["NetworkPolicy"]["spec"]["egress"][:2]
    assert POLICIES["connectors"]["egress"] == to_kafka
    assert "egress" not in POLICIES["intake"]
