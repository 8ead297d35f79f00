"""The test kit that ships with Sampan: conformance classes, a server of its own, builders of pipelines."""
