"""The Kubernetes object model, pure: kinds, errors, selectors, patches, quantities, conditions, pod building.

No I/O and no third-party import may live here; objects are plain dicts, and fields we do not know survive.
"""
