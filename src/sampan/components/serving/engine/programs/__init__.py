"""Programs that run in pods. They import nothing of the platform but one another, and what their environment has."""
