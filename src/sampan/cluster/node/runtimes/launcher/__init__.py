"""The launcher: the program that is the parent of containers that are processes.

`python -I -S FOLDER/__main__.py SOCKET` starts the cold one, which executes commands; with an environment's python
and `--warm MODULE…` a warm one, which imports the modules once and forks Python programs from that state. Either
serves requests on a Unix socket (`server`), writes the containers' output and their exit to disk, and outlives the
server that started it, so that a restarted server finds running containers, their logs and their exit codes.

Runs in the interpreter of any workload environment: standard library alone, Python 3.8 and later, one thread.
Nothing of `sampan` may be imported here; `sampan.cluster.node.runtimes.process` starts it and speaks to it.
"""
