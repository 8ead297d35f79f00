"""The pages of recurring runs."""
