"""Tests of the formats of input, one file per network, and of what holds for all of them."""
