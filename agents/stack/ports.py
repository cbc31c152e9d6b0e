"""Find free loopback ports, and tell whether a given one is free."""

import errno
import socket

from agents.stack.errors import StackError

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback ports that nothing listens on at this moment.

    They are not reserved: somebody may take one before it is used. Whoever starts a server on such a port looks again
    after a failed start, and tries another.
    """
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        # All are held open together, or the system could answer with the same port twice.
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections still linger in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def check_free(port: int, *, what: str) -> None:
    """Raise StackError unless `what` could listen on this loopback port."""
    if not 1 <= port <= 65_535:
        raise StackError(f"{what}: expected a port from 1 to 65535, got {port}")
    try:
        if not is_free(port):
            raise StackError(
                f"{what}: expected port {port} on {LOOPBACK} to be free, but something listens there; "
                "stop that, name another port, or name none to get a free one"
            )
    except OSError as error:
        raise StackError(f"{what}: cannot listen on {LOOPBACK}:{port}: {error.strerror}; name another port") from error
