"""Tests of the lifecycle: rules, conditions, states, episodes, alerts."""
