"""Triggers: runs that start on an event.

    service    made, switched, deleted; a webhook is fired
    places     what lies in a folder, or below a prefix of a bucket
    watching   new files and objects become deliveries
    firing     deliveries become runs, each exactly one

An event is stored as a delivery of each trigger that listens (`store.deliveries`), in the transaction of what happened;
its run is stored in the transaction that says so in the delivery. No HTTP here.
"""
