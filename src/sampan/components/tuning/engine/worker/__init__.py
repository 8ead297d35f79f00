"""The tuning worker: processes of their own in which algorithms and their libraries run.

The server (`pool`, `session`) starts a template (`__main__`, `template`) with the first experiment; the template
imports what an algorithm needs and forks one process for each experiment (`child`), which answers on a socket of its
own. So one experiment's algorithm that hangs or dies harms no other, and the libraries are loaded once. All of them end
when they are idle, and with the server, however it ends. What crosses the sockets is msgpack of plain types: nothing
that could run code.
"""
