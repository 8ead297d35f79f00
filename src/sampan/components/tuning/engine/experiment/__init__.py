"""What an experiment does next and what its status says, from its trials and its suggestion. Pure."""
