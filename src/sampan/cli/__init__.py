"""The command line: `sampan up`, `doctor`, `images`, and the commands that components bring.

Prints for people; every error is one sentence that says what to do, never a traceback.
"""
