"""Conformance suites: promises that every measure, every network … must keep, found by walking the packages."""
