"""What the measures mean: whether a topic grows, is outgrown, escaped or returned to, and the alerts that say so.

In the order in which a tick passes: `rules` (thresholds and durations, from a file), `conditions` and
`escape_conditions` (does a state hold now), `ladder` (which states there are, what leads in and out), `timers` (for how
long already), `states` (has it held for long enough), `episodes` (one stay in one state), `alerts` (how it is told, in
the sentences of `alerts` and `escape_words`, in the words of `wording`). Beside the states of the topic, `viral` does
the same for each of its cascades, with `viral_conditions`, and `viral_words` says it; so does `burst` for hours with
far more talk than usual, with `burst_conditions` and `burst_alerts`.
"""
