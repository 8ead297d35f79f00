"""What users send to pods from their own machine: scripts with what they import, functions, and the program that starts
them there. Used by the `sdk` and `cli` rooms of components; no cluster here.
"""
