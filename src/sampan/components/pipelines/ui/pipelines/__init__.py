"""The pages of pipelines and their versions: list, upload, one pipeline, one version, two versions compared."""
