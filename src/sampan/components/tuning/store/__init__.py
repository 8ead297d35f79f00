"""What trials have measured, in SQL."""
