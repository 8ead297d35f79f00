"""Which runtime serves a model, and the pod that becomes of the two. Pure.

runtimes    what is read of a runtime
choosing    the runtime for a predictor, or why there is none
servers     what is filled in for some servers
placeholders    `{{.Name}}` in runtimes' containers
merging    the pod of a runtime and a predictor
worker_pods    the pods beside it that take part in one model
"""
