"""What PodGroups say of themselves; `cluster.scheduler` starts their pods."""
