"""The cluster's objects: what `kubectl` shows and does, for people who do not speak it. Part of the shell.

Pages, of which others may link to any:
- `/cluster`: nodes, counts, what is unhealthy and why, recent warnings
- `/cluster/kinds`: every kind that the API serves
- `/cluster/quota`: what may be used and is; `/cluster/apply`: objects from YAML (`kind=` begins with a sample of it)
- `/cluster/{kind}`: all objects of one (`labels=` a selector, `q=` a text, `all=1` all namespaces)
- `/cluster/{kind}/{namespace}/{name}`: an object (`tab=summary`, `logs`, `terminal`, `owned`, `yaml`);
  `/cluster/{kind}/{name}` where kinds have no namespace

`{kind}` is what kubectl takes: `pods`, `deployments`, `workflows.argoproj.io`, `po`. Everything goes through `ui.api`,
whether the API server is ours or a cluster's; nothing here may know which.
"""
