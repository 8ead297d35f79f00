"""OpenAPI v2 and v3 of the kinds that are served: what clients explain, validate and build patches from.

`documents` is what the HTTP face asks; `schemas` turns types into definitions, `paths` resources into operations,
`gnostic` the v2 document into the protobuf that clients before 1.27 want. Sources: k8s.io/kube-openapi and the
documents that a kube-apiserver v1.34 serves.
"""
