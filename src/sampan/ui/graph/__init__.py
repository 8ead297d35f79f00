"""Graphs of anything: one element of our own, to which nodes and edges go as plain data.

    view = GraphView(label="Steps of the run", on_select=opened)     # where it is built, it stands
    view.show(Graph(nodes, edges))                                   # again and again: only changes are sent

`model` says what a graph is made of, `view` is the element. What is drawn is decided in the browser (`modules/`): the
layout, folding, what is visible (docs/decisions/0028-graphs-are-laid-out-in-the-browser.md). Nothing here knows what
the nodes stand for.
"""
