"""Tests of the connectors, against local servers that speak what the networks speak, and a real Kafka."""
