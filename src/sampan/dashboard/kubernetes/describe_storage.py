"""What pods read and keep, and what a namespace may use: claims, volumes, ConfigMaps, Secrets, quotas. Pure."""

from __future__ import annotations

from sampan.dashboard.kubernetes.described import Around, Description, Grid, Object, name_of, namespace_of
from sampan.dashboard.kubernetes.facts import Section, fact, hidden
from sampan.dashboard.kubernetes.hiding import decoded, size
from sampan.dashboard.kubernetes.quotas import QUOTA_COLUMNS, quota_rows
from sampan.ui.objects import amounts
from sampan.ui.table import cells

_MOST_TEXT = 20_000
_MODES = {
    "ReadWriteOnce": "read and write, on one node",
    "ReadOnlyMany": "read, on many nodes",
    "ReadWriteMany": "read and write, on many nodes",
    "ReadWriteOncePod": "read and write, by one pod",
}


def claim(obj: Object, around: Around) -> Description:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    volume, name = str(spec.get("volumeName") or ""), name_of(obj)
    has = (status.get("capacity") or {}).get("storage")
    wants = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    users = [
        around.link("pods", name_of(each), namespace_of(each))
        for each in around.items("namespace_pods")
        if _uses(each, name)
    ]
    storage_class = str(spec.get("storageClassName") or "")
    facts = [
        *fact("Asks for", amounts.in_bytes(amounts.parsed(wants)) if wants else ""),
        *fact("Has", amounts.in_bytes(amounts.parsed(has)) if has else ""),
        *fact("Is on the volume", around.link("persistentvolumes", volume) if volume else "none yet"),
        *fact("Can be used to", *(_MODES.get(each, each) for each in spec.get("accessModes") or ())),
        *fact("Storage class", around.link("storageclasses", storage_class) if storage_class else ""),
        *fact("Used by", *(users or ["no pod now"])),
    ]
    return Description([Section("Volume", facts)])


def _uses(pod: Object, claim_name: str) -> bool:
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return any((each.get("persistentVolumeClaim") or {}).get("claimName") == claim_name for each in volumes)


def volume(obj: Object, around: Around) -> Description:
    spec = obj.get("spec") or {}
    reference = spec.get("claimRef") or {}
    name = str(reference.get("name") or "")
    bound = (
        around.link("persistentvolumeclaims", name, str(reference.get("namespace") or ""))
        if name
        else "no claim"
    )
    has = (spec.get("capacity") or {}).get("storage")
    kept = {"Retain": "is kept", "Delete": "is deleted too"}.get(
        str(spec.get("persistentVolumeReclaimPolicy")), ""
    )
    facts = [
        *fact("Has", amounts.in_bytes(amounts.parsed(has)) if has else ""),
        *fact("Given to", bound),
        *fact("When the claim goes", f"the data {kept}" if kept else ""),
        *fact("Can be used to", *(_MODES.get(each, each) for each in spec.get("accessModes") or ())),
        *fact("Folder", cells.mono(str((spec.get("hostPath") or spec.get("local") or {}).get("path") or ""))),
    ]
    return Description([Section("Volume", facts)])


def config_map(obj: Object, around: Around) -> Description:
    del around
    facts = []
    for key, value in (obj.get("data") or {}).items():
        facts += fact(key, cells.mono(str(value)[:_MOST_TEXT] or "(empty)"))
    for key, value in (obj.get("binaryData") or {}).items():
        facts += fact(key, f"{size(str(value))}, no text")
    return Description([Section("Data", facts or fact("Data", "none"), wide=True)])


def secret(obj: Object, around: Around) -> Description:
    """Values leave the server only when they are asked for, one by one."""
    facts = fact("Type", str(obj.get("type") or "Opaque"))
    for key, value in (obj.get("data") or {}).items():
        text = decoded(str(value)) if key in around.revealed else None
        facts += fact(key, hidden(key, size(str(value)), text))
    return Description([Section("Data", facts, wide=True)])


def quota(obj: Object, around: Around) -> Description:
    return Description((), [Grid("Used", QUOTA_COLUMNS, quota_rows(obj, around.href))])
