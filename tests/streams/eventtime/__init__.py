"""Tests of event time: watermarks, order, windows."""
