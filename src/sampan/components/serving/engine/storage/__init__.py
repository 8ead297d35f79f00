"""How a model's files come into its pods: the init container, its credentials, volumes. Pure.

`controller/storage.py` reads what is needed and calls `injection.with_storage`; the program that then runs in the pod
is `engine/programs/initializer`.
"""
