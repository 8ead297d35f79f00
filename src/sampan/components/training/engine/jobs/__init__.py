"""What a job of Training Operator's kinds becomes: pods, Services, a PodGroup, and the status that follows. Pure.

`framework` says in what the kinds differ, a module each (`pytorch`, `tensorflow`, `xgboost`, `jax`, `paddle`) says how;
the rest is the same for all. `sampan.components.training.controller.jobs` reads and writes.
"""
