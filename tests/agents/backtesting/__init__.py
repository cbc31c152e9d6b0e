"""Tests of backtests under several rules."""
