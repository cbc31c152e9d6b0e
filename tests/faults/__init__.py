"""Faults done to real workers on a real broker under load, and what one process tells of the same log as the judge."""
