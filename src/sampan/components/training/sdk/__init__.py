"""Training jobs from Python and from our own command line: what a script or function becomes, and how it is followed.

A client: it talks to the Kubernetes API and to the routes of `rest`, and imports neither server nor database.
"""
