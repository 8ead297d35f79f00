"""The page of one run. `model` and `values` are pure; `page` puts together what the other modules draw.

Everything follows one answer of the API (`view=STATES`), which all tabs that watch the run share; only the step that is
open is asked for by itself.
"""
