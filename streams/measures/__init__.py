"""What a topic's signals add up to: one measure per file, one small set of verbs.

In the order in which a tick uses them: `engagement` (what a signal is worth, after its actor's cap), `audience` (how
many actors), `concentration` (how much of it is one actor), `endogenous` (how much of it is the community's own),
`growth` (how fast it doubles), `baseline` (what this hour usually brings).

Of virality: `cascade_shape` with `tree_sums`, `path_sizes` and `node_index` (who spread it to whom), `infectiousness`
with `reaction_time`, `exposure_sums` and `chi_square` (how far it will go), `pace` (how fast it grows), `reproduction`
(does it feed itself), `percentile` and `overperformance` (compared with what was before).

Of the community: `membership` (who belongs to it), `tag_actors` and `tag_places` (what it talks about, and where),
`background` (what everybody else does), `emergence`, `drift` and `tag_divergence` (what came up, how many follow it,
how far tags lie apart), `resonance` (how new that was, and whether it lasted), `cohort` with `cohort_actor` and
`before_after` (who left, whether they come back, and how).

What rolls with event time is fed with `add`, moved with `roll` and asked with `read`; what remembers anything tells
what changed with `changed_rows` and takes it up again with `restore`. Readings depend on what was fed alone, never on
its order within a pane, nor on whether it was restored in between. Imports `schemas` and `streams.eventtime.windows`.
"""
