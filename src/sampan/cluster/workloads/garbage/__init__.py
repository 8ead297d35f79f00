"""Deletes objects whose owners are gone, and carries out foreground and orphan deletion.

    graph        who owns whom, by uid; fed by the caches of all kinds
    collector    decides about one object at a time

Source: pkg/controller/garbagecollector, v1.33.
"""
