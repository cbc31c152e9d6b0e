"""Break the production code under a seeded scheduler, and compare what it leaves with what one process tells."""
