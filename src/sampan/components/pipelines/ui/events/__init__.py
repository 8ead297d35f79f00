"""The pages of triggers and notifications: what events start, and who is told of what became of runs."""
