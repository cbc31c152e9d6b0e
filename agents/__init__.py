"""The world around the pure steps: settings, transport, tables, agents, views and commands."""
