"""Say why a connector cannot go on, or why it has to connect again."""

from typing import Literal, get_args

CutReason = Literal["closed", "silence", "refused", "unreachable", "error_frame"]
CUT_REASONS: tuple[CutReason, ...] = get_args(CutReason)


SAID_CHARS_MAX = 300


class ConnectorError(Exception):
    """A connector cannot begin: one line that says what was expected, what came and what to do."""


class FeedCut(Exception):
    """A connection to a feed ended, or was not made. It is made again, unless it is `final` and none ever was."""

    def __init__(self, reason: CutReason, detail: str, *, final: bool = False) -> None:
        super().__init__(printable(detail))
        self.reason: CutReason = reason
        self.final = final


def printable(text: str) -> str:
    r"""Return what a server said so that it is one short line of a log, whatever it was.

    >>> printable("slow\ndown\x1b[31m")
    'slow down [31m'
    """
    return "".join(character if character.isprintable() else " " for character in text[:SAID_CHARS_MAX])


def refusal_of(status: int, detail: str) -> FeedCut:
    """Return the cut of an answer that is none of a feed; what says that the request is wrong, is final.

    >>> refusal_of(401, "no token").final, refusal_of(503, "starting").final, refusal_of(429, "slow down").final
    (True, False, False)
    """
    return FeedCut("refused", f"HTTP {status}: {detail}", final=400 <= status < 500 and status not in (408, 425, 429))
