"""Trials that are calls of a function in warm workers: which experiments have them, their workers' pods, what a trial's
status says. Pure.
"""
