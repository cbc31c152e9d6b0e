"""The one error of the embedded stack."""


class StackError(RuntimeError):
    """A part of the stack cannot do what was asked; the message is one line: expected, found, what to do."""

    def __init__(self, message: str) -> None:
        # Operating-system errors and server logs bring line breaks along; a command prints one line.
        super().__init__(" ".join(message.split()))
