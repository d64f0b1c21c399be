"""What a caller has to be allowed for a plan: one table per document, and why each action is in it."""
