"""What a topic's signals add up to: one measure per file, one small set of verbs.

In the order in which a tick uses them: `engagement` (what a signal is worth, after its actor's cap), `audience` (how
many actors), `concentration` (how much of it is one actor), `endogenous` (how much of it is the community's own),
`growth` (how fast it doubles), `baseline` (what this hour usually brings).

Of virality, not part of the vitals yet: `cascade_shape` with `tree_sums`, `path_sizes` and `node_index` (who spread it
to whom), `infectiousness` with `reaction_time`, `exposure_sums` and `chi_square` (how far it will go), `reproduction`
(does it feed itself), `percentile` and `overperformance` (compared with what was before).

What rolls with event time is fed with `add`, moved with `roll` and asked with `read`; what remembers anything tells
what changed with `changed_rows` and takes it up again with `restore`. Readings depend on what was fed alone, never on
its order within a pane, nor on whether it was restored in between. Imports `schemas` and `streams.eventtime.windows`.
"""
