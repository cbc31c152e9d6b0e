"""Tests of bursts: when one is told, and how often among real mentions."""
