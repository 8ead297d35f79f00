"""All that stands in for a real Kubernetes. Only `sampan.app` and `sampan.testing` may import it."""
