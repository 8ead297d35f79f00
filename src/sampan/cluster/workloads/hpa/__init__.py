"""HorizontalPodAutoscalers: as many pods as their load asks for.

    usage        what containers use now, asked of whoever runs them
    grouping     which pods count: ready, unready, without figures
    proposals    from figures to a number of pods, for each metric
    rules        how fast that number may change
    status       conditions and currentMetrics
    controller   the reconciler

Everything but `usage` and `controller` is pure.
"""
