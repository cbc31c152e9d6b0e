"""More tests of conversations: who is behind a root that was never seen, and what stays bounded."""
