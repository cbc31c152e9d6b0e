"""What lies in deploy/ is held against what runs: metrics, settings, commands, ports."""
