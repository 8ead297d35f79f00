"""The node: runs the pods of this machine.

`agent` has its door, NodeAgent, made by the composition root; `logs` reads what containers wrote, for the API server.
Containers run in `runtimes`, images become `environments`. Nothing here may be imported by a component.
Nothing is imported here either: the command line reads `settings` without loading the agent.
"""
