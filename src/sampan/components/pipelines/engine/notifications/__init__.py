"""Notifications: people and programs are told what became of runs.

service    made, switched, deleted
composing  what there is to say of a run: where it failed, the end of the log, secrets masked
sending    the outbox (`store.notices`) is worked off, each notification for itself
channels   HTTP and mail; loads its libraries, so it loads when something is to be sent
"""
