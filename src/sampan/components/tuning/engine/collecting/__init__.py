"""Reading what trials print and write, pure: lines and files become values of metrics. Files are opened by the
caller."""
