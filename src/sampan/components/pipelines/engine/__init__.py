"""Interprets the pipeline IR: one step is one pod, the state of every task is a row.

    engine      the door: submit, terminate, retry; start and stop; owns everything below
    driver      one run: an asyncio task that feeds events to the machine, commits its turns, acts on them
    machine     one run's state machine, without I/O: rows in, events in, a turn of changes out
    pods        the watch over all pods of runs; creating, adopting, deleting them
    slots       how many pods there may be, shared fairly by namespaces and runs
    light       steps that are called in a worker of their run
    log_keeping the logs of pods on other machines, brought home
    step_files  where a step's files are; `staged_files` for object stores, `moved_files` for other machines
    artifact_stores  which store a URI means, from settings, `kfp-launcher` and our own S3; `web_sources` the rest
    cache_checks     whether an earlier result may be used; `late_measures` the hashes of large artifacts
    sweeping    the files of deleted runs; `retention` which runs are deleted, `completed_pods` which pods
    the pure parts  graph, resolve, placeholders, conditions, iteration, executor_input, podspec, platform, outputs,
                caching, final_status, importer, failure

What the world sees follows the rows: a pod is created after the row that names it was committed, and is forgotten
after its outputs were. So a process that dies at any point is continued from rows and pods alone.
"""
