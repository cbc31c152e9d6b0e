"""Mutated bytes against everything that decodes what it was given: never an exception, always an outcome."""
