"""What will exist: pure functions from a checked spec."""
