"""Models pulled into a pod that serves several, and loaded into its server: upstream's `--enable-puller`.

    puller   follows the list of models, and brings each to what the list says
    listed   the list, read
    folders  models' folders: complete, with a mark that says which model it is

Run by the agent (`engine/programs/agent`), in its event loop. Source: kserve/kserve v0.20.0 pkg/agent.
"""
