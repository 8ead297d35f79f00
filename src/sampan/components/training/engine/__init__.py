"""What training jobs become: pods and their environments, JobSets, and the status that follows from them. Pure."""
