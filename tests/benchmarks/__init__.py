"""Benchmarks, side by side in one run: `make bench`, or `python -m tests.benchmarks --help`.

Each module measures one thing. Its `begin(quick=...)` prepares the input and returns a function that takes one round
and tells its figures; `__main__.py` lists the modules, calls their rounds, and `report.py` makes one table of them. A
figure may name another of its round as its floor: ratios are taken within a round, so that a busy machine slows both
sides. A new benchmark is one such module and one line in `__main__.py`.

Times are processor time unless a name says otherwise. `brand.py` has the topic that the inputs are on, `tenths.py` lets
one cascade grow through all steps.
"""
