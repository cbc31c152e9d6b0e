"""Claims about the users of Redis in deploy/security: the views work with theirs, and nothing else is allowed."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from agents.access import redis_options
from agents.settings import Settings
from agents.stack.errors import StackError
from agents.views import Views, ViewsError
from tests.agents.sample_views import a_cascade, a_vitals, an_alert, batch
from tests.agents.secured_servers import Certificates, SecuredDebianRedis, SecuredRedis, password_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("tls_cut_short"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

WITHIN_S = 30.0


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority of this run."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by openssl, not found on the PATH")
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=["valkey", "redis"])
def secured_redis(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecuredRedis]:
    """Run one server of each kind with the users of deploy/security."""
    folder = tmp_path_factory.mktemp(request.param)
    made = SecuredRedis(directory=folder) if request.param == "valkey" else SecuredDebianRedis(certificates, folder)
    try:
        made.start()
    except StackError as error:
        pytest.skip(str(error))
    yield made
    made.stop()


def redis_settings(server: SecuredRedis, **changed: Any) -> Settings:
    """Return the settings of a worker: by TLS where the server can."""
    given = {"redis": server.url, "redis_password_file": str(server.password_file)}
    if isinstance(server, SecuredDebianRedis):
        given |= {"redis": server.tls_url, "redis_ca_file": str(server._certificates.ca)}
    return Settings(**given | changed)


def test_views_work_for_a_user_who_may_do_no_more_than_they_need(secured_redis: SecuredRedis) -> None:
    """Every script and every query of the read model, under the least rights and, where the server can, in TLS."""

    async def work() -> None:
        settings = redis_settings(secured_redis)
        views = Views(settings.redis, "secured", options=redis_options(settings))
        await views.check()
        vitals, alert, cascade = a_vitals(1_000), an_alert("e", 1), a_cascade("root", 1_000)
        written = await views.write(batch(vitals, alert, cascade))
        assert (written.vitals, written.alerts, written.cascades, written.store_was_empty) == (1, 1, 1, True)
        topic = f"{vitals.brand}/{vitals.topic}"
        assert await views.latest_vitals(topic) == vitals
        assert await views.live_cascades(topic) == [cascade]
        assert await views.open_episodes(topic) == [alert]
        assert await views.alerts() == [alert]
        assert await views.alert(alert.id) == alert
        assert await views.forget_topic(topic) > 0
        await views.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG GET *",
        "KEYS *",
        "SCAN 0",
        "ACL LIST",
        "SHUTDOWN",
        "EVAL return(1) 0",
        "GET other",
        "SET other 1",
        "PUBLISH other 1",
    ],
)
@pytest.mark.parametrize("user", ["overgrowth", "overgrowth-reader"])
def test_nothing_else_is_allowed(secured_redis: SecuredRedis, user: str, command: str) -> None:
    """Neither what can harm or spy out the server, nor the keys of others."""
    with (
        redis.Redis(port=secured_redis.port, username=user, password=password_of(user)) as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.execute_command(*command.split())


def test_readers_of_views_cannot_write_them(secured_redis: SecuredRedis) -> None:
    """A dashboard needs no right to raise an alert."""
    name = "overgrowth-reader"
    with redis.Redis(port=secured_redis.port, username=name, password=password_of(name)) as client:
        assert client.get("overgrowth:vitals:a/b") is None
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.set("overgrowth:vitals:a/b", "{}")


def test_there_is_no_door_without_a_password(secured_redis: SecuredRedis) -> None:
    """The default user is off."""
    once = Retry(NoBackoff(), 0)
    with (
        redis.Redis(port=secured_redis.port, retry=once) as client,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        client.execute_command("EXISTS", "overgrowth:layout")


def test_a_wrong_redis_password_ends_the_start_in_one_line(secured_redis: SecuredRedis, tmp_path: Path) -> None:
    """An absent Redis is waited for; one that refuses us will refuse us tomorrow."""
    wrong = tmp_path / "wrong"
    wrong.write_text("canary-wrong")
    settings = redis_settings(secured_redis, redis_password_file=str(wrong))
    text = refusal_of(settings)

    assert "expected to be let in, got: " in text
    assert "canary" not in text


def test_a_redis_certificate_that_nobody_vouches_for_is_refused(secured_redis: SecuredRedis, tmp_path: Path) -> None:
    """Of a foreign authority, or of another name."""
    if not isinstance(secured_redis, SecuredDebianRedis):
        pytest.skip("the embedded Valkey is built without TLS")
    Certificates(tmp_path, "stranger")
    foreign = redis_settings(secured_redis, redis_ca_file=str(tmp_path / "stranger.pem"))
    misnamed = redis_settings(secured_redis, redis=secured_redis.tls_url.replace("127.0.0.1", "localhost"))

    assert "OVERGROWTH_REDIS_CA_FILE vouches for, got: " in refusal_of(foreign)
    assert "certificate is not valid for 'localhost'" in refusal_of(misnamed)


def refusal_of(settings: Settings) -> str:
    """Return what is told of a Redis that does not let us in, and how long that may take."""

    async def work() -> str:
        views = Views(settings.redis, options=redis_options(settings))
        try:
            with pytest.raises(ViewsError) as caught:
                await views.check()
            return str(caught.value)
        finally:
            await views.close()

    begun_s = time.monotonic()
    text = asyncio.run(work())
    assert time.monotonic() - begun_s < WITHIN_S
    assert "\n" not in text
    return text
