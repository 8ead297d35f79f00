"""Small programs that stand at the place of images in KServe's examples and tests.

event_display  shows the events that it is sent
graph_step     a model that always succeeds, or always fails
"""
