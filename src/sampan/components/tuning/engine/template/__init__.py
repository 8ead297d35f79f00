"""Trial templates: from a template and parameters to the object that a trial runs. Pure."""
