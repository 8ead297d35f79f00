"""Serving for users of Python and for our own commands: a light client. No server, no framework is imported here."""
