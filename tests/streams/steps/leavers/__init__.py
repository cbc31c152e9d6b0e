"""Tests of those who leave a topic: its states, what is told of them, restarts."""
