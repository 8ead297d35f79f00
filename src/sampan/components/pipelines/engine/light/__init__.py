"""Light steps: components that are called inside a long-lived worker instead of in a pod of their own (decision 24).

    marking   which steps are light, what they can share, and the worker's pod. Pure
    crews     the workers of each run: starting, calling, stopping them
    program   what runs in a worker's pod; standard library and the kfp SDK of the image only

A step ends as a pod with a status, so that everything after it is as for any other step.
"""
