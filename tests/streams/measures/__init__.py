"""Tests of the measures: each against a brute-force count, a paper or a computation by hand."""
