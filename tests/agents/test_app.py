"""Claims about the Faust app of a worker: its effective settings, its agents, and how it is found and refused."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from agents.app import OvergrowthApp, check_effective, create_app, faust_options
from agents.quieting import Seldom
from agents.settings import Settings, SettingsError
from agents.transport import BatchSchema, BatchTransport
from agents.worker import EXIT_REFUSED
from streams.networks import NETWORKS

SETTINGS = Settings(namespace="claims", kafka="127.0.0.1:1, 127.0.0.1:2")
QUIETED = ("aiokafka", "faust", "mode", "agents.app", "agents.transport")


@pytest.fixture(autouse=True)
def _levels_of_loggers() -> Iterator[None]:
    """Put back the levels that an app sets for the whole process."""
    before = {name: logging.getLogger(name).level for name in QUIETED}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
    for name in logging.root.manager.loggerDict:
        logger = logging.getLogger(name)
        for one in [one for one in logger.filters if isinstance(one, Seldom)]:
            logger.removeFilter(one)


def in_a_process(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own, as importing the module's `app` is once and for all."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OVERGROWTH_")}
    return subprocess.run(
        [sys.executable, "-c", code], env=plain | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", sorted(faust_options(SETTINGS).keys() - {"broker"}))
def test_every_option_is_in_effect(name: str) -> None:
    """Faust may change or ignore what it is given; what it then holds is what was meant."""
    held = getattr(create_app(SETTINGS).conf, name)
    expected = faust_options(SETTINGS)[name]
    if name == "store":
        held, expected = held.scheme, "memory"
    elif name == "processing_guarantee":
        held = held.value
    assert held == expected


def test_settings_that_protect_the_offsets_are_what_they_must_be() -> None:
    """Said once more as values, so that a change of these is made on purpose (FAUST.md, appendix A)."""
    conf: Any = create_app(SETTINGS).conf
    assert conf.processing_guarantee.value == "at_least_once"
    assert conf.stream_wait_empty is False, "a revocation would wait for acknowledgements that never come"
    assert conf.consumer_auto_offset_reset == "earliest"
    assert conf.topic_allow_declare is False
    assert conf.topic_disable_leader is True
    assert conf.web_enabled is False
    assert conf.broker_heartbeat_interval * 3 <= conf.broker_session_timeout


def test_every_broker_of_the_list_is_used() -> None:
    """OVERGROWTH_KAFKA names several brokers with commas, and blanks between do no harm."""
    assert [str(url) for url in create_app(SETTINGS).conf.broker] == ["kafka://127.0.0.1:1", "kafka://127.0.0.1:2"]


@pytest.mark.parametrize("session_ms", [1_000, 6_000, 30_000, 90_000])
def test_three_heartbeats_fit_into_a_session(session_ms: int) -> None:
    """A short session needs more heartbeats; Faust itself takes every session that can be set."""
    conf = create_app(Settings(session_ms=session_ms)).conf
    assert conf.broker_session_timeout == session_ms / 1_000
    assert conf.broker_heartbeat_interval * 3 <= conf.broker_session_timeout


def test_the_app_bears_the_name_of_the_group() -> None:
    """Faust's id is the consumer group, so installations with another namespace share nothing."""
    assert create_app(SETTINGS).conf.id == "overgrowth-claims"
    assert create_app(Settings()).conf.id == "overgrowth"


def test_there_is_one_agent_per_channel_and_one_at_work_in_each() -> None:
    """Two readers of one channel, or two at work in one agent, would settle offsets out of order."""
    agents: dict[str, Any] = dict(create_app(SETTINGS).agents)
    channels = [agent.channel.get_topic_name() for agent in agents.values()]
    assert sorted(channels) == [
        "claims.social.alerts",
        "claims.social.attributed",
        "claims.social.cascades",
        "claims.social.contributions",
        *(f"claims.social.raw.{network}" for network in sorted(NETWORKS)),
        "claims.social.signals",
        "claims.social.vitals",
    ]
    assert [agent.concurrency for agent in agents.values()] == [1] * len(agents)
    assert all(isinstance(agent.channel.schema, BatchSchema) for agent in agents.values())


def test_without_views_nothing_reads_vitals_and_alerts() -> None:
    """A worker without Redis leaves these channels to the workers that have it."""
    agents: dict[str, Any] = dict(create_app(Settings(views=False, raw_networks=("native",))).agents)
    assert [agent.channel.get_topic_name() for agent in agents.values()] == [
        "social.raw.native",
        "social.signals",
        "social.attributed",
        "social.contributions",
    ]


def test_the_app_reads_in_batches() -> None:
    """The transport is ours: with Faust's own one, offsets could pass what was not done."""
    assert isinstance(create_app(SETTINGS).transport, BatchTransport)


def test_the_web_server_of_faust_never_starts() -> None:
    """`faust worker` turns it on by itself; the boot strategy leaves it out whatever the setting says."""
    app = create_app(SETTINGS)
    app.conf.web_enabled = True
    strategy: Any = app.boot_strategy
    assert strategy.enable_web is False
    assert list(strategy.web_server()) == []


@pytest.mark.parametrize("name", sorted(faust_options(SETTINGS)))
def test_the_self_check_names_what_is_otherwise(name: str) -> None:
    """One setting that somebody changed is one line with its name and with both values."""
    options = faust_options(SETTINGS)
    check_effective(SimpleNamespace(**options), options)

    with pytest.raises(SettingsError) as caught:
        check_effective(SimpleNamespace(**options | {name: "otherwise"}), options)

    text = str(caught.value)
    assert text.startswith(f"Faust: expected {name} to be ")
    assert text.endswith(
        "got 'otherwise'; take away what else sets it: a flag of `faust`, or its variable in the environment"
    )
    assert "\n" not in text


def test_a_variable_of_faust_that_goes_before_ours_refuses_the_start() -> None:
    """Faust's environment wins over what it is given; the worker then says so before it connects to anything."""
    code = (
        "import asyncio\n"
        "from agents.app import create_app\n"
        "from agents.settings import Settings\n"
        "async def start(): await create_app(Settings(kafka='127.0.0.1:1', metrics_port=0)).on_start()\n"
        "asyncio.run(start())\n"
    )
    ended = in_a_process(code, STREAM_WAIT_EMPTY="1")
    assert ended.returncode == EXIT_REFUSED
    assert ended.stderr == (
        "Error: Faust: expected stream_wait_empty to be False, got True; take away what else sets it: "
        "a flag of `faust`, or its variable in the environment\n"
    )


def test_the_app_of_the_module_is_built_when_asked_for() -> None:
    """Importing builds nothing, `agents.app.app` is built from the environment, and only once."""
    code = (
        "import agents.app\n"
        "print('app' in vars(agents.app))\n"
        "print(agents.app.app.conf.id, agents.app.app is agents.app.app, 'app' in vars(agents.app))\n"
    )
    ended = in_a_process(code, OVERGROWTH_NAMESPACE="lazy")
    assert ended.stdout.splitlines() == ["False", "overgrowth-lazy True True"], ended.stderr


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """Building on demand must not answer to every name."""
    import agents.app

    with pytest.raises(AttributeError, match=r"^module 'agents.app' has no attribute 'application'$"):
        agents.app.__getattr__("application")


def test_an_app_says_less_unless_asked_to_debug() -> None:
    """What its parts tell at every start is kept back, and is there again at level debug."""
    for name in QUIETED:
        logging.getLogger(name).setLevel(logging.NOTSET)
    create_app(Settings(log_level="debug"))
    assert {logging.getLogger(name).level for name in QUIETED} == {logging.NOTSET}

    app = create_app(Settings())
    assert {logging.getLogger(name).level for name in QUIETED} == {logging.WARNING}
    assert isinstance(app, OvergrowthApp)


def test_every_logger_of_the_client_is_held_back() -> None:
    """A filter of a parent does not see what its children tell, so each has its own."""
    create_app(SETTINGS)

    assert any(isinstance(one, Seldom) for one in logging.getLogger("aiokafka.conn").filters)
    assert any(isinstance(one, Seldom) for one in logging.getLogger("aiokafka.producer.sender").filters)
