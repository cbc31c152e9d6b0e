"""docker-compose.yml and the Dockerfile: settings and commands that are ours, versions pinned, doors closed."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.app import STOP_DEADLINE_S
from agents.connectors.program import DRAIN_S
from streams.networks import NETWORKS
from tests.deploy.composed import FILES, document, ours, services
from tests.deploy.ours import check_command, check_variables
from tests.deploy.told import DEPLOY

(FILE,) = FILES["open"]
DOCUMENT = document("open")
SERVICES = services("open")
OURS = ours("open")
CONNECTORS = {name: service for name, service in OURS.items() if service["command"][0] == "connect"}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()

every_service = pytest.mark.parametrize(
    "service",
    [pytest.param(service, id=f"{variant}-{name}") for variant in FILES for name, service in services(variant).items()],
)
every_variant = pytest.mark.parametrize("variant", FILES)


@every_variant
def test_compose_takes_the_file(variant: str) -> None:
    """What the schema of Compose refuses, nobody can start."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker on the PATH")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("docker has no compose plugin here")
    files = [word for path in FILES[variant] for word in ("--file", str(path))]
    arguments = ["docker", "compose", *files, "--profile", "*", "config", "--quiet"]
    verdict = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert verdict.returncode == 0, verdict.stderr


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a program around the library with which Docker Compose reads its files."""
    if shutil.which("go") is None:
        pytest.skip("there is no go on the PATH")
    program = tmp_path_factory.mktemp("compose") / "compose"
    built = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=Path(__file__).parent / "compose_go",
        env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        pytest.skip(f"the library of Compose cannot be built here: {built.stderr.strip()[-300:]}")
    return program


@pytest.mark.slow
@every_variant
def test_the_library_of_compose_reads_the_file_as_these_tests_do(compose: Path, variant: str) -> None:
    """It judges by the schema, so a field that is misspelt is refused; and it puts two files together its own way."""
    read = subprocess.run([str(compose), *map(str, FILES[variant])], capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout)["services"]
    assert found.keys() == services(variant).keys()
    for name, service in services(variant).items():
        variables = {key: str(value) for key, value in service.get("environment", {}).items()}
        assert found[name].get("environment", {}) == variables, name
        if name != "mastodon":  # Its command is filled in from variables.
            assert found[name]["command"] == service.get("command"), name
        assert [one["source"] for one in found[name].get("secrets", ())] == service.get("secrets", []), name
        assert found[name].get("depends_on", {}).keys() == service.get("depends_on", {}).keys(), name


@pytest.mark.slow
def test_the_library_of_compose_refuses_a_misspelt_field(compose: Path, tmp_path: Path) -> None:
    """What reads everything would prove nothing above."""
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text().replace("stop_grace_period", "stop_grace_periode", 1))
    read = subprocess.run([str(compose), str(wrong)], capture_output=True, text=True, check=False)
    assert read.returncode == 1
    assert "stop_grace_periode" in read.stderr


@every_variant
def test_every_variable_of_ours_is_a_setting_with_a_value_that_it_takes(variant: str) -> None:
    """A variable that is misspelt changes nothing, silently."""
    for service in ours(variant).values():
        check_variables(service.get("environment", {}))


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_ours_is_one(name: str) -> None:
    """With the flags that it has."""
    service = OURS[name]
    check_command([*service.get("entrypoint", ["overgrowth"]), *service["command"]])


@every_service
def test_nothing_is_to_be_had_from_other_machines(service: dict[str, Any]) -> None:
    """Ports are published on loopback alone, and no service shares the network of the machine."""
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not {"network_mode", "privileged", "pid", "ipc", "devices", "cap_add"} & service.keys()


@every_service
def test_services_may_do_no_more_than_they_must(service: dict[str, Any]) -> None:
    """Not root, no capabilities, no new privileges, nothing to write to but what is named, no socket of Docker."""
    assert str(service["user"]).split(":")[0] not in {"0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    mounts = [volume if isinstance(volume, str) else volume["source"] for volume in service.get("volumes", ())]
    assert not any("docker.sock" in mount for mount in mounts)
    for volume in service.get("volumes", ()):
        if isinstance(volume, dict):
            assert volume["read_only"] is True
        elif volume.startswith("./"):
            assert volume.endswith(":ro")
            assert (FILE.parent / volume.split(":")[0]).exists(), volume


@every_service
def test_images_are_pinned_to_a_version(service: dict[str, Any]) -> None:
    """The same file starts the same programs next year."""
    assert re.search(r":v?\d+\.\d+\.\d+(-alpine)?$", service["image"])


def test_kafka_is_the_version_that_the_tests_run_against() -> None:
    """What is shown here is shown of that one."""
    version = re.search(r"<kafka\.version>([\d.]+)<", (DEPLOY / "kafka" / "pom.xml").read_text())
    assert version is not None
    images = {service["image"] for service in services("secure").values() if "kafka" in service["image"]}
    assert images == {f"apache/kafka:{version[1]}"}


def test_workers_start_when_the_channels_are_there_and_end_in_their_own_time() -> None:
    """The job creates them, so a worker needs no right to; a worker that is killed while it drains works twice."""
    worker = SERVICES["worker"]
    assert worker["depends_on"]["channels"] == {"condition": "service_completed_successfully"}
    assert worker["environment"]["OVERGROWTH_CREATE_CHANNELS"] == "false"
    for name in ("worker", "replay-worker"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > STOP_DEADLINE_S


def test_prometheus_finds_every_worker() -> None:
    """By the name of the service, at the port that it listens on."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    job = config["scrape_configs"][0]
    assert job["job_name"] == "overgrowth"
    discovery = job["dns_sd_configs"][0]
    assert [name for name in discovery["names"] if name not in SERVICES] == []
    assert discovery["port"] == SERVICES["worker"]["environment"]["OVERGROWTH_METRICS_PORT"]
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["prometheus"]["volumes"])
    folder = Path(mounts["./deploy/prometheus/prometheus.yml"]).parent
    assert mounts["./deploy/prometheus/rules"] == str(folder / config["rule_files"][0].split("/")[0])


def test_connectors_start_when_the_channels_are_there_and_end_with_everything_delivered() -> None:
    """The job creates those of every network; what is killed while it drains is given again, and comes twice."""
    for service in CONNECTORS.values():
        assert service["depends_on"]["channels"] == {"condition": "service_completed_successfully"}
        settings = check_variables(service["environment"])
        assert not settings.create_channels
        assert set(settings.raw_networks) == set(NETWORKS)
        assert int(service["stop_grace_period"].removesuffix("s")) > DRAIN_S


def test_tokens_are_files_that_only_their_connector_sees() -> None:
    """A variable would be seen by whoever inspects the container; the intake listens on all interfaces of its own."""
    for name, service in CONNECTORS.items():
        named = {word.removeprefix("/run/secrets/") for word in service["command"] if word.startswith("/run/secrets/")}
        assert named == set(service.get("secrets", ())), name
        assert named <= DOCUMENT["secrets"].keys()
    assert "--token-file" in SERVICES["intake"]["command"]


def test_prometheus_finds_every_connector() -> None:
    """By the names of the services, at the port that they listen on."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "overgrowth-connectors"]
    (discovery,) = job["dns_sd_configs"]
    assert set(discovery["names"]) == CONNECTORS.keys()
    ports = {service["environment"]["OVERGROWTH_METRICS_PORT"] for service in CONNECTORS.values()}
    assert ports == {discovery["port"]}


@every_variant
def test_no_two_services_are_published_on_one_port(variant: str) -> None:
    """Workers take one after the other of theirs."""
    taken: set[int] = set()
    for service in services(variant).values():
        for port in service.get("ports", ()):
            first, _, last = port.split(":")[1].partition("-")
            ports = set(range(int(first), int(last or first) + 1))
            assert not ports & taken
            taken |= ports


def test_every_profile_is_explained() -> None:
    """At the top of the file, where one looks first."""
    head = FILE.read_text().partition("\nname:")[0]
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", ())} - {"seeds"}
    assert all(f"--profile {profile}" in head for profile in profiles)
    assert "run --rm seeds" in head


def test_the_image_is_built_in_two_stages_from_locked_packages() -> None:
    """What builds stays behind; what is installed is what the lock says, to the byte."""
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", DOCKERFILE, flags=re.MULTILINE)
    assert [name for _, name in stages] == ["build", ""]
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", image) for image, _ in stages)
    installs = re.findall(r"pip install (.*?)(?: \\)?$", DOCKERFILE, flags=re.MULTILINE)
    assert installs
    assert all("--require-hashes" in install or "--no-deps /wheels" in install for install in installs)


def test_the_image_is_not_root_and_holds_no_sources() -> None:
    """A number, so that Kubernetes can tell that it is not root; the packages are the installed ones."""
    final = DOCKERFILE.rpartition("FROM ")[2]
    users = re.findall(r"^USER (\d+):(\d+)$", final, flags=re.MULTILINE)
    assert [(int(user) >= 10_000, int(group) >= 10_000) for user, group in users] == [(True, True)]
    assert re.findall(r"^COPY (.*)$", final, flags=re.MULTILINE) == ["--from=build /opt/overgrowth /opt/overgrowth"]
    assert "pip install" not in final
    assert f'user: "{":".join(users[0])}"' in FILE.read_text()
