"""The trainer at the API: reconciles TrainJobs, lets runtimes go, and sees to what the trainer ships.

trainjobs   the reconciler of TrainJobs
children    applies what a TrainJob came to
late        a cache of a kind that a cluster may lack
runtimes    the reconciler of runtimes
parts       puts them together
"""
