"""The commands of `overgrowth`, one file each."""
