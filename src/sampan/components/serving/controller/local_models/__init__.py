"""Controllers of models that are kept on nodes.

caches      a LocalModelCache or LocalModelNamespaceCache: which nodes are to have its model, and who uses it
volumes     what of volumes and claims there is for one
agent       a LocalModelNode: the Jobs that download, and the folders on this machine
folders     those folders
waiting     whether what an InferenceService takes from a cache is there
elsewhere   on clusters whose nodes are not this machine: says so
parts       all of them, with what they stand on
"""
