"""Programs that run in pods. They import nothing of the platform but one another, and what their environment has.

In pods the embedded cluster shows them as the package `sampan_serving` (decision 0063): a copy, in which that name is
in the place of this one's, so they import one another by their full names as everything here does. `python3 -m
sampan_serving.PROGRAM` is forked from a warm interpreter that holds what the image's entry of the catalogue preloads.
"""
