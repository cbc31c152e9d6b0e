"""Keep back what libraries log at every start and stop, and what they repeat many times a second."""

import logging

SELDOM_S = 10.0


def quiet_loggers() -> None:
    """Keep back what the parts of a worker or a connector tell; what matters of it, those tell themselves."""
    for name in ("aiokafka", "faust", "mode", "agents.app", "agents.transport"):
        logging.getLogger(name).setLevel(logging.WARNING)
    seldom = Seldom()
    for name in logging.root.manager.loggerDict:
        if name.startswith("aiokafka"):
            logging.getLogger(name).addFilter(seldom)


class Seldom(logging.Filter):
    """Lets a message through once in a while: while Kafka is away its client says so a hundred times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at_s: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is the first of its kind for a while; a kind is a logger and its words."""
        kind = (record.name, str(record.msg))
        said_at_s = self._said_at_s.get(kind)
        if said_at_s is not None and 0 <= record.created - said_at_s < SELDOM_S:
            return False
        self._said_at_s[kind] = record.created
        return True
