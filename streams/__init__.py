"""Meaning and time, pure: no I/O, no clock, no randomness.

In the order in which a signal passes: `networks` (payload -> signal), `eventtime` (watermark, order, panes and
windows), `attribution` (whose it is), `measures` (what it adds up to), `lifecycle` (what that means), and `steps`,
the three state machines that put the above in order: the place to start reading. `documents` reads the YAML that people
write. Imports `schemas` only.

Ten words: a *signal* is one act by one actor at one event time; a *topic* is a brand's named set of seeds; a
*conversation* is the tree of posts under one root, the same tree seen as diffusion is a *cascade*; a *lineage* says how
a signal relates to a topic (brand, seeded, adopted, wild); a *member* belongs to a topic's community; a *pane* is a
fixed slice of event time and a *window* a rolling span of panes; a *stamp* (event time, signal id) is a signal's place
in the total order; a *watermark* is the event time before which nothing more is expected; *vitals* are all measures of
a topic at one tick; an *episode* is one stay of a topic in one state, told by *alerts*; a *rejection* is input that was
refused.
"""
