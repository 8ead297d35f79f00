"""LLMInferenceServices: from a spec and its configurations to what runs, and to its status. Pure.

names       of what is made
templates   Go's templates in configurations
merging     a configuration, and what comes before it
combining   all of them, in upstream's order: what the service is in the end
desired     its Deployments, Service and pods
limits      what is not done, and why
status      conditions and addresses
"""
