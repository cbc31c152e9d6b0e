"""What the measures mean: whether a topic is growing, outgrown, and the alerts that say so.

In the order in which a tick passes: `rules` (thresholds and durations, from a file), `conditions` (does a state hold
now), `states` (has it held for long enough), `episodes` (one stay in one state), `alerts` (how it is told). Beside the
states of the topic, `viral` does the same for each of its cascades, and `viral_words` says it.
"""
