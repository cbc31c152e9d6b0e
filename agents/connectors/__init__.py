"""Connectors: programs beside the worker that deliver what networks say to `social.raw.<network>`.

In reading order: errors, metrics, backoff, tokens -> delivery (records to Kafka, in order, until it has them) ->
cursors -> program (the life of a connector) -> feed (what all that follow a stream have in common) -> jetstream;
sse -> mastodon; intake (what is posted over HTTP).
"""
