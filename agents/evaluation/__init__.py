"""How right the alerts are, over seasons whose truth is known.

`scoring` compares the alerts of one season with its truth, `figures` adds up many, `running` grows the seasons and runs
them, and `report` says what came of it.
"""
