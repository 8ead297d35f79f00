"""By what lists within a pod's spec are merged, for `kube.schema.Schema.parse`: containers and what they are made of.

Used by the merges of runtimes (`selection.merging`) and of language models' configurations (`language_models.merging`).
Source: k8s.io/api/core/v1/types.go, v1.31 (patchMergeKey).
"""

from __future__ import annotations

CONTAINER_TYPES = """\
Container
    env:[Named]@name ports:[Port]@containerPort volumeDevices:[Device]@devicePath
    volumeMounts:[Mount]@mountPath resources:Resources
Resources
    claims:[Named]@name limits:{any} requests:{any}
Aliases
    ip!:string
Device
    devicePath!:string
Mount
    mountPath!:string
Named
    name!:string
Port
    containerPort!:int32
Spread
    topologyKey!:string
"""
