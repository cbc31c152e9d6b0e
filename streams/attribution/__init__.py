"""Whose a signal is: which topics it carries, and how it stands to them.

In the order in which data passes: `seeds_file` (what a person wrote becomes topic records), `tags`, `links` and
`phrases` (when two of a kind are the same), `matcher` (a signal -> the topics that it carries itself, as declared at
its time), `duplicates` (a signal counts once), `conversations` (what it inherits from what it answers).
"""
