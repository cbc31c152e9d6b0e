"""Claims about `streams.measures.cascade_shape`: arrival in any order; remembering, missing and full."""
