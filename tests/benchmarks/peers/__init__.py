"""Other systems on the same channel; each is `python -m tests.benchmarks.peers.NAME KAFKA CHANNEL SIGNALS FOLDER`.

Each measures itself from its first record to its last, without its start, and prints one line of JSON (`meter.py`).
"""
