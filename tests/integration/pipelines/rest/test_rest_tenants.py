"""Many users, each with rights in a namespace: who may do what, for every endpoint there is.

The table of endpoints is the API's own, so that a new one is asked too. Rows 2, 3 and 19 of the attacks' table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from sampan.components.pipelines.api.states import ArtifactType, IOType
from sampan.components.pipelines.rest.endpoints import endpoints
from sampan.components.pipelines.store import artifacts
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.kube import rbac
from sampan.kube.kinds import NAMESPACES
from sampan.web.guards import User

ADMIN = User("admin", ("system:masters", "system:authenticated"))
ALICE = User("alice@example.com", ("system:authenticated",))
BOB = User("bob@example.com", ("system:authenticated",))
STRANGER = User("stranger@example.com", ("system:authenticated",))

OPEN = {
    "/apis/v1beta1/healthz",
    "/apis/v2beta1/healthz",
    "/system/cluster-name",
    "/system/project-id",
    "/visualizations/allowed",
}
"""For whoever is a user."""
REPORTS = {
    f"/apis/{version}/{kind}"
    for version in ("v1beta1", "v2beta1")
    for kind in ("workflows", "scheduledworkflows")
}
"""For nobody."""

PROVEN = {"/apis/v2beta1/triggers/{trigger_id}:fire"}
"""For whoever shows a secret, user or not."""

Case = tuple[str, str]
CASES: list[Case] = [(each.method, each.path) for each in endpoints()]


@dataclass
class Tenant:
    """What a namespace has, by the names that paths have for it."""

    namespace: str
    ids: dict[str, str] = field(default_factory=dict)
    file: str = ""


@dataclass
class World:
    api: Any
    tenants: dict[str, Tenant]

    def ask(self, user: User | None, method: str, path: str, **query: Any) -> Any:
        self.api.user = user
        return self.api.call(method, path, query)

    def post(self, user: User | None, path: str, body: Any, **query: Any) -> Any:
        self.api.user = user
        return self.api.post(path, body, **query)

    def request(self, user: User | None, case: Case, tenant: Tenant) -> Any:
        """The endpoint's request about what the tenant has."""
        method, template = case
        path = template
        for name, value in tenant.ids.items():
            path = path.replace(f"{{{name}}}", value)
        path = path.replace("{key...}", "a/b")
        assert "{" not in path, path
        self.api.user = user
        if path.endswith(("/upload", "/upload_version")):
            package = b"{}"
            return self.api.upload(
                path, "x.json", package, namespace=tenant.namespace, pipelineid=tenant.ids["pipeline_id"]
            )
        body = json.dumps(_body(template, tenant)).encode() if method in ("POST", "PATCH") else b""
        return self.api.call(method, path, _query(template, tenant), body)


def _reference(kind: str, key: str) -> dict[str, Any]:
    return {"key": {"type": kind, "id": key}, "relationship": "OWNER"}


def _query(template: str, tenant: Tenant) -> dict[str, Any]:
    key = ("PIPELINE", tenant.ids["pipeline_id"])
    query = {
        "namespace": tenant.namespace,
        "podnamespace": tenant.namespace,
        "podname": "pod",
        "runid": tenant.ids["run_id"],
        "run_id": tenant.ids["run_id"],
        "resource_reference_key.type": "NAMESPACE",
        "resource_reference_key.id": tenant.namespace,
        "resource_key.type": key[0],
        "resource_key.id": key[1],
        "resources": "VIEWERS",
        "verb": "GET",
        "source": "file",
        "key": tenant.file,
        "logdir": "x",
        "text": "x",
    }
    if "nodes/" in template or template.startswith("/artifacts"):
        query |= {"bucket": "b"}
    return query


def _body(template: str, tenant: Tenant) -> Any:
    ids, namespace = tenant.ids, tenant.namespace
    of_namespace, of_experiment = (
        [_reference("NAMESPACE", namespace)],
        [_reference("EXPERIMENT", ids["experiment_id"])],
    )
    link = {
        "artifact_id": ids["artifact_id"],
        "run_id": ids["run_id"],
        "task_id": ids["task_id"],
        "type": "OUTPUT",
        "key": "k",
        "producer": {"task_name": "t"},
    }
    artifact = {
        "artifact": {"name": "m", "type": "Model", "namespace": namespace},
        "run_id": ids["run_id"],
        "task_id": ids["task_id"],
        "producer_key": "k",
    }
    bodies: dict[str, Any] = {
        "/apis/v1beta1/experiments": {"name": "new", "resource_references": of_namespace},
        "/apis/v2beta1/experiments": {"display_name": "new", "namespace": namespace},
        "/apis/v1beta1/pipelines": {"name": "new", "resource_references": of_namespace},
        "/apis/v2beta1/pipelines": {"name": "new", "namespace": namespace},
        "/apis/v2beta1/pipelines/create": {"pipeline": {"name": "new", "namespace": namespace}},
        "/apis/v1beta1/pipeline_versions": {
            "name": "v",
            "resource_references": [_reference("PIPELINE", ids["pipeline_id"])],
        },
        "/apis/v1beta1/runs": {"name": "new", "resource_references": of_experiment},
        "/apis/v2beta1/runs": {"display_name": "new", "experiment_id": ids["experiment_id"]},
        "/apis/v1beta1/jobs": {"name": "new", "resource_references": of_experiment},
        "/apis/v2beta1/recurringruns": {"display_name": "new", "experiment_id": ids["experiment_id"]},
        "/apis/v2beta1/triggers": {"display_name": "new", "experiment_id": ids["experiment_id"]},
        "/apis/v2beta1/notifications": {"display_name": "new", "namespace": namespace},
        "/apis/v2beta1/tasks": {"name": "t", "run_id": ids["run_id"]},
        "/apis/v2beta1/tasks:batchUpdate": {"run_id": ids["run_id"], "tasks": {ids["task_id"]: {}}},
        "/apis/v2beta1/tasks:findCached": {"namespace": namespace, "cache_fingerprint": "f"},
        "/apis/v2beta1/artifacts": artifact,
        "/apis/v2beta1/artifacts:batchCreate": {"artifacts": [artifact]},
        "/apis/v2beta1/artifact_tasks": {"artifact_task": link},
        "/apis/v2beta1/artifact_tasks:batchCreate": {"artifact_tasks": [link]},
        "/apis/v1alpha1/tasks": {"runId": ids["run_id"], "pipelineName": "p", "fingerprint": "f"},
    }
    if template in REPORTS:
        return json.dumps({"metadata": {"name": "w", "namespace": namespace, "uid": "u"}})
    return bodies.get(template, {})


def _furnish(api: Any, spec: Any, namespace: str) -> Tenant:
    """As the administrator."""
    package = json.dumps(spec()).encode()
    pipeline = api.upload("/v2/pipelines/upload", "p.json", package, name="p", namespace=namespace).json[
        "pipeline_id"
    ]
    (version,) = api.get(f"/v2/pipelines/{pipeline}/versions").json["pipeline_versions"]
    experiment = api.post("/v2/experiments", {"display_name": "e", "namespace": namespace}).json[
        "experiment_id"
    ]
    run = api.post(
        "/v2/runs", {"display_name": "r", "pipeline_spec": spec(), "experiment_id": experiment}
    ).json
    task = api.post(f"/v2/runs/{run['run_id']}/tasks", {"name": "t"}).json["task_id"]
    file = api.home / "artifacts" / namespace / "p" / run["run_id"] / "model"
    file.parent.mkdir(parents=True)
    file.write_text(f"of {namespace}")
    artifact = api.post(
        "/v2/artifacts",
        {
            "artifact": {"name": "m", "type": "Model", "uri": str(file), "namespace": namespace},
            "run_id": run["run_id"],
            "task_id": task,
            "producer_key": "out",
        },
    ).json["artifact_id"]
    trigger = {"cron_schedule": {"cron": "0 0 3 * * *"}}
    schedule = api.post(
        "/v2/recurringruns",
        {
            "display_name": "s",
            "experiment_id": experiment,
            "pipeline_version_reference": {"pipeline_id": pipeline},
            "trigger": trigger,
            "max_concurrency": "1",
        },
    ).json["recurring_run_id"]
    event_trigger = api.post(
        "/v2/triggers",
        {
            "display_name": "t",
            "experiment_id": experiment,
            "pipeline_version_reference": {"pipeline_id": pipeline},
            "webhook": {},
        },
    ).json["trigger_id"]
    told = {"display_name": "n", "namespace": namespace, "webhook": {"url": "https://hooks.example/x"}}
    ids = {
        "notification_id": api.post("/v2/notifications", told).json["notification_id"],
        "trigger_id": event_trigger,
        "delivery_id": "none",
        "pipeline_id": pipeline,
        "pipeline_version_id": version["pipeline_version_id"],
        "version_id": version["pipeline_version_id"],
        "experiment_id": experiment,
        "run_id": run["run_id"],
        "task_id": task,
        "node_id": task,
        "pod": "debug-1",
        "artifact_id": artifact,
        "artifact_name": "out",
        "recurring_run_id": schedule,
        "namespace": namespace,
        "name": "p",
        "source": "minio",
        "bucket": "b",
    }
    return Tenant(namespace, ids, str(file))


async def _grant(client: Any, namespace: str, user: User) -> None:
    await client.create(NAMESPACES, {"metadata": {"name": namespace}})
    metadata = {"name": "editor", "namespace": namespace}
    groups = ["pipelines.kubeflow.org", "kubeflow.org", "serving.kserve.io"]
    rule = {"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}
    await client.create(rbac.ROLES, {"metadata": dict(metadata), "rules": [rule]})
    binding = {
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": "editor"},
        "subjects": [{"apiGroup": rbac.GROUP, "kind": "User", "name": user.name}],
    }
    await client.create(rbac.ROLE_BINDINGS, binding)


@pytest.fixture
def world(shared_api: Any, spec: Any) -> World:
    api = shared_api

    async def users() -> None:
        await _grant(api.kubernetes.client, "team-a", ALICE)
        await _grant(api.kubernetes.client, "team-b", BOB)

    api.run(users())
    api.user = ADMIN
    return World(api, {name: _furnish(api, spec, name) for name in ("team-a", "team-b")})


def test_nothing_is_open_to_whoever_is_nobody(world: World) -> None:
    for case in CASES:
        answer = world.request(None, case, world.tenants["team-a"])
        assert answer.status == 401, (case, answer.content)
        assert answer.json.get("code") == 16 or "error_message" in answer.json


@pytest.mark.parametrize("user", [BOB, STRANGER], ids=["bob", "stranger"])
def test_nobody_gets_at_what_another_namespace_has(world: World, user: User) -> None:
    tenant = world.tenants["team-a"]
    for case in CASES:
        answer = world.request(user, case, tenant)
        expected = (200, 500) if case[1] in OPEN else (401,) if case[1] in PROVEN else (403,)
        assert answer.status in expected, (case, answer.status, answer.content)
        assert not any(key.encode() in answer.content for key in ("of team-a", "runtime_config")), case
    # Nothing of all this has changed anything.
    for case in (
        ("GET", "/apis/v2beta1/runs/{run_id}"),
        ("GET", "/apis/v2beta1/recurringruns/{recurring_run_id}"),
    ):
        assert world.request(ALICE, case, tenant).status == 200


def test_a_user_does_everything_in_a_namespace_of_theirs(world: World) -> None:
    tenant = world.tenants["team-a"]
    # What deletes comes last, and of that what others hang on.
    order = sorted(CASES, key=lambda case: (case[0] == "DELETE", "run_id" not in case[1], case[1]))
    for case in order:
        answer = world.request(ALICE, case, tenant)
        refused = (
            {403}
            if case[1] in REPORTS
            else {401}
            if case[1] in PROVEN
            else {400, 404, 200, 409, 500, 501, 503}
        )
        assert answer.status in refused, (case, answer.status, answer.content)
    assert world.request(BOB, ("GET", "/apis/v2beta1/runs/{run_id}"), world.tenants["team-b"]).status == 200


def test_the_administrator_needs_no_role(world: World) -> None:
    for namespace in world.tenants:
        assert world.ask(ADMIN, "GET", "/v2/runs", namespace=namespace).json["total_size"] == 1


LISTS = ["experiments", "runs", "recurringruns", "artifacts", "triggers", "notifications"]


@pytest.mark.parametrize("kind", LISTS)
def test_a_namespace_must_be_named(world: World, kind: str) -> None:
    answer = world.ask(ALICE, "GET", f"/v2/{kind}")
    assert answer.status == 400
    assert "namespace" in answer.message


@pytest.mark.parametrize("kind", [*LISTS, "pipelines"])
def test_a_page_token_opens_no_other_namespace(world: World, kind: str) -> None:
    api = world.api
    api.user = ADMIN
    for number in range(2):
        name = f"more-{number}"
        api.post("/v2/experiments", {"display_name": name, "namespace": "team-a"})
        api.post("/v2/pipelines", {"name": name, "namespace": "team-a"})
    own = world.tenants["team-b"].ids
    mine = {
        own[each]
        for each in (
            "experiment_id",
            "run_id",
            "recurring_run_id",
            "artifact_id",
            "pipeline_id",
            "trigger_id",
            "notification_id",
        )
    }
    token = world.ask(ALICE, "GET", f"/v2/{kind}", namespace="team-a", page_size=1).json.get(
        "next_page_token", ""
    )
    answer = world.ask(BOB, "GET", f"/v2/{kind}", namespace="team-b", page_token=token).json
    for items in answer.values():
        if isinstance(items, list):
            for item in items:
                assert mine & {value for value in item.values() if isinstance(value, str)}, item


def test_ids_of_another_namespace_do_not_work_in_ones_own(world: World, spec: Any) -> None:
    theirs, mine = world.tenants["team-a"].ids, world.tenants["team-b"].ids
    version = {"pipeline_id": theirs["pipeline_id"], "pipeline_version_id": theirs["pipeline_version_id"]}
    run = {"display_name": "r", "experiment_id": mine["experiment_id"]}
    for source in (
        {"pipeline_version_reference": version},
        {"pipeline_version_reference": {"pipeline_id": theirs["pipeline_id"]}},
    ):
        assert world.post(BOB, "/v2/runs", run | source).status == 404
        timed = {"trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}}, "max_concurrency": 1}
        assert world.post(BOB, "/v2/recurringruns", run | source | timed).status == 404
    old = {
        "name": "r",
        "pipeline_spec": {"pipeline_id": theirs["pipeline_id"]},
        "resource_references": [_reference("EXPERIMENT", mine["experiment_id"])],
    }
    assert world.post(BOB, "/apis/v1beta1/runs", old).status == 404
    both = [_reference("NAMESPACE", "team-b"), _reference("EXPERIMENT", theirs["experiment_id"])]
    assert world.post(BOB, "/apis/v1beta1/runs", old | {"resource_references": both}).status in (400, 403)
    default = f"/apis/v1beta1/pipelines/{mine['pipeline_id']}/default_version/{theirs['version_id']}"
    assert world.post(BOB, default, {}).status == 404

    assert (
        world.ask(BOB, "GET", "/v2/artifact_tasks", namespace="team-b", run_ids=theirs["run_id"]).json == {}
    )
    link = _body("/apis/v2beta1/artifact_tasks", world.tenants["team-b"])["artifact_task"]
    stolen = {"artifact_task": link | {"artifact_id": theirs["artifact_id"]}}
    assert world.post(BOB, "/v2/artifact_tasks", stolen).status == 404
    child = {"name": "x", "parent_task_id": theirs["task_id"]}
    assert world.post(BOB, f"/v2/runs/{mine['run_id']}/tasks", child).status == 400
    assert world.ask(BOB, "GET", f"/v2/runs/{mine['run_id']}/tasks/{theirs['task_id']}").status == 400
    batch = {"tasks": {theirs["task_id"]: {"display_name": "mine"}}}
    assert world.post(BOB, f"/v2/runs/{mine['run_id']}/tasks:batchUpdate", batch).status == 400


class TestFiles:
    def get(self, world: World, user: User, namespace: str, key: str) -> Any:
        return world.ask(
            user, "GET", "/artifacts/get", namespace=namespace, source="file", bucket="", key=key
        )

    def test_ones_own_are_read(self, world: World) -> None:
        tenant = world.tenants["team-b"]
        assert self.get(world, BOB, "team-b", tenant.file).content == b"of team-b"
        node = f"/v2/runs/{tenant.ids['run_id']}/nodes/{tenant.ids['task_id']}/artifacts/out:read"
        assert world.ask(BOB, "GET", node).json == {"data": "b2YgdGVhbS1i"}

    def test_others_are_not_whatever_path_leads_there(self, world: World) -> None:
        theirs, mine = world.tenants["team-a"], world.tenants["team-b"]
        link = world.api.home / "artifacts" / "team-b" / "p" / mine.ids["run_id"] / "link"
        link.symlink_to(theirs.file)
        around = mine.file.replace("/model", "/../../../") + theirs.file.partition("/artifacts/")[2]
        for key in (theirs.file, str(link), around, "/" + theirs.file):
            answer = self.get(world, BOB, "team-b", key)
            assert answer.status == 403, key
            assert b"of team-a" not in answer.content

    def test_what_nobody_has_recorded_is_nobodys(self, world: World) -> None:
        file = world.api.home / "artifacts" / "minio" / "bucket" / "x"
        file.parent.mkdir(parents=True)
        file.write_text("x")
        query = {"namespace": "team-b", "source": "minio", "bucket": "bucket", "key": "x"}
        assert world.ask(BOB, "GET", "/artifacts/get", **query).status == 403
        assert world.ask(BOB, "GET", "/artifacts/minio/bucket/x", namespace="team-b").status == 403

    def test_recording_others_files_does_not_make_them_ones_own(self, world: World) -> None:
        theirs, mine = world.tenants["team-a"], world.tenants["team-b"]
        body = _body("/apis/v2beta1/artifacts", mine)
        body["artifact"]["uri"] = theirs.file
        answer = world.post(BOB, "/v2/artifacts", body)
        assert answer.status == 403
        assert "uri" in answer.message

        # As a step of theirs would, by an importer.
        def sneak(connection: Any) -> None:
            row = ArtifactRow("sneaked", "team-b", "m", ArtifactType.Model, theirs.file, 1)
            artifacts.insert(connection, [row])
            run, task = mine.ids["run_id"], mine.ids["task_id"]
            artifacts.link(connection, [ArtifactLink("l", "sneaked", run, task, IOType.OUTPUT, "sneaked")])

        world.api.write(sneak)
        node = f"/v2/runs/{mine.ids['run_id']}/nodes/{mine.ids['task_id']}/artifacts/sneaked:read"
        assert world.ask(BOB, "GET", node).status == 403


class TestSharedPipelines:
    """Pipelines without a namespace: everybody's to read and run, and not everybody's to change."""

    @pytest.fixture
    def shared(self, world: World, spec: Any) -> str:
        world.api.user = ADMIN
        package = json.dumps(spec()).encode()
        return str(
            world.api.upload("/v2/pipelines/upload", "s.json", package, name="shared").json["pipeline_id"]
        )

    def test_they_are_listed_without_a_namespace(self, world: World, shared: str) -> None:
        (listed,) = world.ask(STRANGER, "GET", "/v2/pipelines").json["pipelines"]
        assert listed["pipeline_id"] == shared
        assert "namespace" not in listed
        assert world.ask(STRANGER, "GET", f"/v2/pipelines/{shared}/versions").json["total_size"] == 1
        assert world.ask(STRANGER, "GET", "/apis/v1beta1/namespaces/-/pipelines/shared").json["id"] == shared
        for tenant, user in (("team-a", ALICE), ("team-b", BOB)):
            (own,) = world.ask(user, "GET", "/v2/pipelines", namespace=tenant).json["pipelines"]
            assert own["namespace"] == tenant

    def test_they_run_in_ones_own_namespace(self, world: World, shared: str) -> None:
        experiment = world.tenants["team-b"].ids["experiment_id"]
        source = {"pipeline_version_reference": {"pipeline_id": shared}}
        made = world.post(BOB, "/v2/runs", {"display_name": "r", "experiment_id": experiment} | source)
        assert made.status == 200
        assert (
            world.request(ALICE, ("GET", f"/v2/runs/{made.json['run_id']}"), world.tenants["team-b"]).status
            == 403
        )

    def test_they_are_not_everybodys_to_change(self, world: World, shared: str) -> None:
        assert world.ask(BOB, "DELETE", f"/v2/pipelines/{shared}", cascade="true").status == 403
        assert world.post(BOB, "/v2/pipelines", {"name": "mine"}).status == 403
        assert world.ask(ADMIN, "DELETE", f"/v2/pipelines/{shared}", cascade="true").status == 200


def test_rights_may_be_less_than_all(world: World) -> None:
    """A verb is a verb: who may read runs may not stop them."""

    async def allow() -> None:
        client = world.api.kubernetes.client
        rule = {"apiGroups": ["pipelines.kubeflow.org"], "resources": ["runs"], "verbs": ["get", "list"]}
        metadata = {"name": "viewer", "namespace": "team-a"}
        await client.create(rbac.ROLES, {"metadata": dict(metadata), "rules": [rule]})
        binding = {
            "metadata": dict(metadata),
            "roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": "viewer"},
            "subjects": [{"apiGroup": rbac.GROUP, "kind": "Group", "name": "interns"}],
        }
        await client.create(rbac.ROLE_BINDINGS, binding)

    world.api.run(allow())
    intern = User("intern", ("interns", "system:authenticated"))
    key = world.tenants["team-a"].ids["run_id"]
    assert world.ask(intern, "GET", f"/v2/runs/{key}").status == 200
    assert world.ask(intern, "GET", "/v2/runs", namespace="team-a").json["total_size"] == 1
    for path in (f"/v2/runs/{key}:terminate", f"/v2/runs/{key}:archive", f"/v2/runs/{key}:retry"):
        assert world.post(intern, path, None).status == 403
    assert world.ask(intern, "DELETE", f"/v2/runs/{key}").status == 403
    assert world.ask(intern, "GET", "/v2/experiments", namespace="team-a").status == 403
    viewers = {"namespace": "team-a", "resources": "VIEWERS", "verb": "GET"}
    assert world.ask(intern, "GET", "/v2/auth", **viewers).status == 403
    assert world.ask(ALICE, "GET", "/v2/auth", **viewers).json == {}


def test_answers_say_the_mode_and_the_namespace(world: World) -> None:
    tenant = world.tenants["team-a"]
    assert world.ask(ALICE, "GET", "/v2/healthz").json["multi_user"] is True
    assert world.ask(ALICE, "GET", "/apis/v1beta1/healthz").json["multi_user"] is True
    experiment = tenant.ids["experiment_id"]
    assert world.ask(ALICE, "GET", f"/v2/experiments/{experiment}").json["namespace"] == "team-a"
    shown = world.ask(ALICE, "GET", f"/apis/v1beta1/experiments/{experiment}").json
    assert shown["resource_references"] == [_reference("NAMESPACE", "team-a")]
