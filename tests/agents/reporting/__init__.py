"""Tests of the report of a backtest."""
