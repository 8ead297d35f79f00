"""The ClusterRoles and bindings that every cluster has, and how they are kept. Pure.

Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go, v1.33. The roles of Kubernetes' own components are
left out: their place is taken by parts of this process, which need no role.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.kube import meta, rbac
from sampan.kube.meta import Object
from sampan.kube.rbac import GROUP, Rule, missing, rules_of

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_AUTOUPDATE = f"{GROUP}/autoupdate"
_AGGREGATE = f"{GROUP}/aggregate-to-"


def _rule(groups: str, resources: str, *verbs: str) -> Object:
    """Groups and resources by spaces; `core` is the group without a name."""
    return {
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
        "verbs": list(verbs),
    }


def _urls(*urls: str) -> Object:
    return {"nonResourceURLs": list(urls), "verbs": ["get"]}


_PODS = "pods/attach pods/exec pods/portforward pods/proxy"
_CORE = (
    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
    "replicationcontrollers/scale replicationcontrollers/status serviceaccounts services services/status"
)
_APPS = "deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale"
_APPS_STATUS = "daemonsets/status deployments/status replicasets/status statefulsets/status"
_SCALES = "deployments/scale replicasets/scale replicationcontrollers/scale"

_VIEW: tuple[Object, ...] = (
    _rule("core", _CORE, *_READ),
    _rule(
        "core",
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
        "resourcequotas resourcequotas/status",
        *_READ,
    ),
    _rule("core", "namespaces", *_READ),
    _rule("discovery.k8s.io", "endpointslices", *_READ),
    _rule("apps", f"controllerrevisions daemonsets {_APPS} {_APPS_STATUS}", *_READ),
    _rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", *_READ),
    _rule("batch", "cronjobs cronjobs/status jobs jobs/status", *_READ),
    _rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", *_READ),
    _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", *_READ),
    _rule("resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates", *_READ),
)
_EDIT: tuple[Object, ...] = (
    _rule("core", f"{_PODS} secrets services/proxy", *_READ),
    _rule("core", "serviceaccounts", "impersonate"),
    _rule("core", f"pods {_PODS}", *_WRITE),
    _rule("core", "pods/eviction", "create"),
    _rule(
        "core",
        "configmaps endpoints events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale "
        "secrets serviceaccounts services services/proxy",
        *_WRITE,
    ),
    _rule("core", "serviceaccounts/token", "create"),
    _rule("apps", f"daemonsets deployments/rollback {_APPS}", *_WRITE),
    _rule("autoscaling", "horizontalpodautoscalers", *_WRITE),
    _rule("batch", "cronjobs jobs", *_WRITE),
    _rule("policy", "poddisruptionbudgets", *_WRITE),
    _rule("networking.k8s.io", "ingresses networkpolicies", *_WRITE),
    _rule("coordination.k8s.io", "leases", *_READ, *_WRITE),
    _rule("resource.k8s.io", "resourceclaims resourceclaimtemplates", *_WRITE),
)
_ADMIN: tuple[Object, ...] = (
    _rule("authorization.k8s.io", "localsubjectaccessreviews", "create"),
    _rule(GROUP, "rolebindings roles", *_READ, *_WRITE),
)
_ISSUER = ("/.well-known/openid-configuration", "/openid/v1/jwks")
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")


def _role(name: str, *rules: Object, labels: Object | None = None) -> Object:
    return {"kind": "ClusterRole", **_typed(name, labels), "rules": list(rules)}


def _aggregating(name: str, *sources: str, labels: Object | None = None) -> Object:
    selected = [{"matchLabels": {f"{_AGGREGATE}{source}": "true"}} for source in sources]
    role: Object = {"kind": "ClusterRole", **_typed(name, labels)}
    return {**role, "aggregationRule": {"clusterRoleSelectors": selected}, "rules": []}


def _binding(name: str, *groups: str) -> Object:
    subjects = [{"apiGroup": GROUP, "kind": "Group", "name": group} for group in groups]
    role = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
    return {"kind": "ClusterRoleBinding", **_typed(name, None), "roleRef": role, "subjects": subjects}


def _typed(name: str, labels: Object | None) -> Object:
    metadata = {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
        "annotations": {_AUTOUPDATE: "true"},
    }
    return {"apiVersion": f"{GROUP}/v1", "metadata": metadata}


def cluster_roles() -> list[Object]:
    """Those that aggregate come last, with the rules of those before them."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    reviews = "authorization.k8s.io"
    plain = [
        _role("cluster-admin", everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}),
        _role(
            "system:discovery",
            _urls("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC),
        ),
        _role("system:public-info-viewer", _urls(*_PUBLIC)),
        _role(
            "system:basic-user",
            _rule(reviews, "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
            _rule("authentication.k8s.io", "selfsubjectreviews", "create"),
        ),
        _role(
            "system:auth-delegator",
            _rule("authentication.k8s.io", "tokenreviews", "create"),
            _rule(reviews, "subjectaccessreviews", "create"),
        ),
        _role(
            "system:service-account-issuer-discovery",
            _urls(*(f"{url}{end}" for url in _ISSUER for end in ("", "/"))),
        ),
        _role("system:aggregate-to-admin", *_ADMIN, labels={f"{_AGGREGATE}admin": "true"}),
        _role("system:aggregate-to-edit", *_EDIT, labels={f"{_AGGREGATE}edit": "true"}),
        _role("system:aggregate-to-view", *_VIEW, labels={f"{_AGGREGATE}view": "true"}),
    ]
    summed: list[Object] = []
    for role in (
        _aggregating("view", "view", labels={f"{_AGGREGATE}edit": "true"}),
        _aggregating("edit", "edit", labels={f"{_AGGREGATE}admin": "true"}),
        _aggregating("admin", "admin"),
    ):
        role["rules"] = rbac.aggregated(role, [*plain, *summed])
        summed.append(role)
    return plain + summed


def cluster_role_bindings() -> list[Object]:
    authenticated = "system:authenticated"
    return [
        _binding("cluster-admin", "system:masters"),
        _binding("system:discovery", authenticated),
        _binding("system:basic-user", authenticated),
        _binding("system:public-info-viewer", authenticated, "system:unauthenticated"),
        _binding("system:service-account-issuer-discovery", "system:serviceaccounts"),
    ]


def reconciled(stored: Object, wanted: Object) -> Object | None:
    """What has to be written so that all of `wanted` holds; None when it does.

    What is stored may grant more; what it lacks is added, unless its owner has switched that off. The rules of one
    that aggregates are its controller's.
    """
    if meta.annotations(stored).get(_AUTOUPDATE) == "false" or "aggregationRule" in wanted:
        return None
    if "subjects" in wanted:
        lacking = [each for each in wanted["subjects"] if each not in (stored.get("subjects") or ())]
        return {**stored, "subjects": [*(stored.get("subjects") or ()), *lacking]} if lacking else None
    rules = _missing(rules_of(stored), wanted.get("rules") or ())
    return {**stored, "rules": [*(stored.get("rules") or ()), *rules]} if rules else None


def _missing(held: Iterable[Rule], wanted: Iterable[Object]) -> list[Object]:
    return [rule.dump() for rule in missing(held, [Rule.parse(each) for each in wanted])]
