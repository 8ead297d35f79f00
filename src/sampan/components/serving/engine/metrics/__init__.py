"""How what scrapes metrics finds those of an InferenceService's pods, pure."""
