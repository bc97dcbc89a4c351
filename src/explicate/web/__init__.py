"""Pages for a browser: studies with people, on this machine's loopback only."""
