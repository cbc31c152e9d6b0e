"""A real Prometheus for tests: it scrapes one worker with our rules, every second instead of every fifteen."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.stack.ports import free_ports
from tests.deploy.told import DEPLOY, RULES

EVERY = "1s"
WITHIN_S = 60.0
POLL_S = 0.2


def hurried(document: Any) -> Any:
    """Return our rules as they are, but judged every second and told after one instead of after minutes."""
    for group in document["groups"]:
        group["interval"] = EVERY
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = EVERY
    return document


class Prometheus:
    """A running Prometheus, as its HTTP API shows it."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        except OSError:
            # It is starting.
            return None

    def query(self, query: str) -> list[Any]:
        """Return the series that a query finds now."""
        found = self._get("query", query=query)
        return [] if found is None else list(found["result"])

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        found = self._get("alerts") or {"alerts": []}
        return {alert["labels"]["alertname"] for alert in found["alerts"] if alert["state"] == "firing"}

    def wait(self, is_there: Callable[[], bool], what: str) -> None:
        """Wait until something is there that the worker and Prometheus do."""
        deadline_s = time.monotonic() + WITHIN_S
        while not is_there():
            assert time.monotonic() < deadline_s, f"expected {what} within {WITHIN_S} s; {self.log.read_text()[-2000:]}"
            time.sleep(POLL_S)  # other processes do it; nothing here can be waited for


@contextmanager
def prometheus(worker_port: int, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a worker on this machine, for the length of a block; skip where there is none."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("there is no prometheus on the PATH; apt-get install prometheus")
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": EVERY, "evaluation_interval": EVERY}
    config["rule_files"] = [str(folder / "rules.yml")]
    # The first job is that of the workers; the names of connectors would be asked for in vain.
    job, *_ = config["scrape_configs"] = config["scrape_configs"][:1]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{worker_port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "rules.yml").write_text(yaml.safe_dump(hurried(yaml.safe_load(RULES.read_text()))))
    port, log = free_ports(1)[0], folder / "prometheus.log"
    arguments = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen([program, *arguments], stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        yield Prometheus(port, log)
    finally:
        process.terminate()
        process.wait(timeout=WITHIN_S)
