"""The pages of artifacts: lists, one with its lineage, and deleting it."""
