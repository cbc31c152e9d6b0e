"""Event time: how far it has come (`clock`, `origins`), what waits for its turn (`order`), slices of it (`windows`)."""
