"""The autoscaler of what is scaled by demand."""
