"""What users call from Python to tune: functions, scripts, spaces; and the steps of pipelines that do. Clients only:
the public names are in `sampan.sdk`.
"""
