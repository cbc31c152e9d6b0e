"""The three state machines that put everything in order; read them in this order.

`attribute` takes signals and heartbeats of one partition of conversations and tells whose each signal is, and how
each cascade stands at its ticks; `follow` takes that, one partition of actors, and tells what each signal adds to a
topic, and what members say elsewhere (`authors` compares the roots of each); `watch` takes that, one partition of
topics, keeps the rolling tables, judges them at every tick and raises alerts: one `topic` at a time, with its `rolling`
measures and open `pane`, its `cascades`, its `drift`, its `leavers` and its `echo`. `ledger` counts what became of
the input. `pipeline` runs the three in one process: the oracle that every distributed run must equal.

All three have one shape: `advance(records) -> outputs`, `changed_rows()` and `resume()` for a checkpoint, `restore`
after a crash. They know neither Faust nor Kafka.
"""
