"""How many pods a Deployment scaled by demand should have: Knative's autoscaler (KPA). Pure: it is told the time.

durations      Go's durations
configuration  ConfigMap `config-autoscaler`
annotations    of a Deployment: what the autoscaler is to do with it
validation     what is wrong with such annotations
windows        the most of a while
decider        from averages to a number of pods
activity       whether it may go to zero
"""
