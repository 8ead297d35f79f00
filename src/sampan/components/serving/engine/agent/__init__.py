"""How the agent (logger, batcher, puller of models) comes into pods. Pure.

`controller/agents.py` reads what is needed and calls `injection.with_agent`; the program that then runs in the pod is
`engine/programs/agent`.
"""
