"""The trainer at the API: reconciles TrainJobs, lets runtimes go, and sees to what the trainer ships.

trainjobs   the reconciler of TrainJobs
children    applies what a TrainJob came to
late        a cache of a kind that a cluster may lack
reporting   where trainers tell of their progress, as their pods reach it
runtimes    the reconciler of runtimes
shipping    the runtimes that come along, before the server is ready
parts       puts the reconcilers together
"""
