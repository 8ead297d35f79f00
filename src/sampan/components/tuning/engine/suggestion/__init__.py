"""Suggestion objects: what they ask for, hold and say, and what a service of a user's own consists of. Pure."""
