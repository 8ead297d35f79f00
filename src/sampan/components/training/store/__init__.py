"""What training keeps in the home folder: which pods jobs have had, and how their logs are read."""
