r"""Name what reading bytes as one of the shapes can raise, whatever the bytes are.

msgspec says `DecodeError` for what is no JSON or of another shape, but `UnicodeDecodeError` for a string that is no
UTF-8: both are errors of values. What is nested too deep is a `RecursionError`.

>>> import msgspec
>>> try:
...     msgspec.json.decode(b'"\xff"')
... except UNREADABLE as error:
...     type(error).__name__
'UnicodeDecodeError'
"""

UNREADABLE = (ValueError, RecursionError)
