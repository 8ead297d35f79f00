"""How stored objects look in an answer: themselves, a Table, their metadata only; in JSON or YAML."""

from __future__ import annotations

from typing import Any

from sampan.cluster.apiserver.codec import JSON, Accepted, encode_yaml
from sampan.cluster.apiserver.params import Query
from sampan.cluster.apiserver.queries import encode_continue
from sampan.cluster.apiserver.storage import Page, Record, decode, encode
from sampan.cluster.apiserver.tables import partial_metadata, table
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube.kinds import Resource


class Presenter:
    """Objects are stored as the JSON that is served: the plain form costs no decoding."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    @staticmethod
    def content_type(accepted: Accepted, *, watch: bool = False) -> bytes:
        text = accepted.media_type
        if accepted.as_kind:
            text += f";as={accepted.as_kind};g=meta.k8s.io;v={accepted.version}"
        if watch:
            text += ";stream=watch"
        return text.encode()

    def object(self, resource: Resource, record: Record, accepted: Accepted, query: Query) -> bytes:
        if accepted.as_kind or accepted.media_type != JSON:
            return _written(self.transformed(resource, record.data, accepted, query), accepted)
        return record.data

    def transformed(self, resource: Resource, data: bytes, accepted: Accepted, query: Query) -> Any:
        obj = decode(data)
        match accepted.as_kind:
            case "Table":
                version = {"resourceVersion": obj["metadata"]["resourceVersion"]}
                return self._table(resource, [obj], version, query)
            case "PartialObjectMetadata":
                return partial_metadata(obj)
        return obj

    def collection(self, resource: Resource, page: Page, accepted: Accepted, query: Query) -> bytes:
        list_metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
        if token := encode_continue(page):
            list_metadata["continue"] = token
        if page.remaining is not None:
            list_metadata["remainingItemCount"] = page.remaining
        if accepted.as_kind == "Table":
            objects = [decode(data) for data in page.items]
            return _written(self._table(resource, objects, list_metadata, query), accepted)
        if accepted.as_kind:
            items = [partial_metadata(decode(data)) for data in page.items]
            kind = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return _written({**kind, "metadata": list_metadata, "items": items}, accepted)
        kind = {"kind": resource.collection_kind, "apiVersion": resource.api_version}
        if accepted.media_type != JSON:
            items = [decode(data) for data in page.items]
            return _written({**kind, "metadata": list_metadata, "items": items}, accepted)
        head = encode({**kind, "metadata": list_metadata})[:-1]
        return b"".join((head, b',"items":[', b",".join(page.items), b"]}"))

    def _table(self, resource: Resource, objects: list[Any], list_metadata: Any, query: Query) -> Any:
        strategy = self._verbs.strategies.of(resource)
        return table(
            strategy, objects, list_metadata, self._verbs.clock.now(), query.get("includeObject", "")
        )


def _written(document: Any, accepted: Accepted) -> bytes:
    return encode(document) if accepted.media_type == JSON else encode_yaml(document)
