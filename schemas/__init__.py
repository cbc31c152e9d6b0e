"""Shapes: everything ever read from or written to Kafka, Redis or a table.

In the order in which data meets them: `signal` (what comes in), `seeds` and `rules` (what a brand declares),
`attributed` and `contribution` (packed, between our own agents), `vitals` and `alert` (what goes out), `rejection`
(what was refused or came late), `rows` with `measure_rows`, `lifecycle_rows` and `virality_rows` (what tables
remember), `channels` (where all of it travels).
Imports nothing of `streams` or `agents`.
"""
