"""Shapes: everything ever read from or written to Kafka, Redis or a table.

In the order in which data meets them: `signal` (what comes in), `seeds` and `rules` (what a brand declares),
`attributed`, `contribution` and `cascade` (between our own agents, the last for others too), `vitals` and `alert` (what
goes out), `rejection` (what was refused or came late), `rows` and all that end so (what tables remember), `channels`
(where all of it travels).
Imports nothing of `streams` or `agents`.
"""
