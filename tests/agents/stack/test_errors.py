"""The error of the stack fits what a command prints."""

from agents.stack.errors import StackError


def test_stack_error_is_one_line() -> None:
    """Logs and the operating system bring line breaks along, and a command prints one line."""
    assert str(StackError("two lines\n   and\tblanks\n")) == "two lines and blanks"
