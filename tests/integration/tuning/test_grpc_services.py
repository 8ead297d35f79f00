"""Katib's gRPC services in this process: who may, what bad requests are told, and that noise harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from sampan.app.definitions import install
from sampan.app.grpc_port import GrpcPort
from sampan.client.protocol import Client
from sampan.components import Services
from sampan.components.tuning.api.definitions import DEFINITIONS
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.messages import message
from sampan.components.tuning.engine.builtin import BuiltIn
from sampan.components.tuning.rest import grpc_callers, grpc_door
from sampan.components.tuning.rest.sources import sources_of
from sampan.components.tuning.store import tables
from sampan.kube.kinds import NAMESPACES, PODS, SERVICE_ACCOUNTS
from sampan.lib.clock import SystemClock
from sampan.store.database import Database
from sampan.testing.apiserver import embedded
from sampan.testing.connections import Listener, close, connected

TIME = "2026-01-01T00:00:00.5Z"


@dataclass
class Kit:
    client: Client
    address: str
    leads: list[Listener] = field(default_factory=list)

    async def ask(
        self, path: str, fields: dict[str, Any] | bytes, token: str = "", source: str = "127.0.0.1"
    ) -> Any:
        """Raises grpc.aio.AioRpcError."""
        method = path.rpartition("/")[2]
        data = (
            fields if isinstance(fields, bytes) else message(f"{method}Request")(**fields).SerializeToString()
        )
        address = self.address if source == "127.0.0.1" else await self._from(source)
        async with grpc.aio.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            metadata = [("authorization", f"Bearer {token}")] if token else []
            call: Any = channel.unary_unary(f"/api.v1.beta1.{path}")
            return message(f"{method}Reply").FromString(await call(data, timeout=60, metadata=metadata))

    async def health(self, service: str) -> Any:
        """Raises grpc.aio.AioRpcError."""
        request = message("HealthCheckRequest")(service=service).SerializeToString()
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            call: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
            return message("HealthCheckResponse").FromString(await call(request, timeout=60))

    async def refused(
        self, path: str, fields: dict[str, Any] | bytes, **how: str
    ) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.ask(path, fields, **how)
        return caught.value.code(), caught.value.details() or ""

    async def outcome(self, path: str, data: bytes) -> grpc.StatusCode:
        try:
            await self.ask(path, data)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    async def _from(self, source: str) -> str:
        """An address that leads to the port, as from `source`: what a launcher does for a pod."""
        host, port = self.address.split(":")

        async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    writer.write(data)
            writer.close()

        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async with connected(host, int(port), local_addr=(source, 0)) as back:
                await asyncio.gather(pump(reader, back[1]), pump(back[0], writer))

        there = await Listener(lead).start()
        self.leads.append(there)
        return there.address


@asynccontextmanager
async def kit(folder: Path) -> AsyncIterator[Kit]:
    async with embedded(folder) as api:
        await install(api.client, DEFINITIONS)
        for namespace in ("team-a", "team-b"):
            await api.client.create(NAMESPACES, {"metadata": {"name": namespace}})
        for namespace, name in (("team-a", "mine"), ("team-b", "theirs")):
            await api.client.create(TRIALS, trial(namespace, name))
        database = Database.at("", folder / "tuning.db")
        database.create(tables.metadata)
        services = Services(api.client, database, SystemClock(), folder)
        built_in = BuiltIn()

        async def handlers() -> Any:
            return grpc_door.handlers_of(sources_of(services, lambda: built_in))

        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            port = GrpcPort(listener, [handlers])
            await port.start()
            made = Kit(api.client, f"127.0.0.1:{listener.getsockname()[1]}")
            try:
                yield made
            finally:
                for lead in made.leads:
                    await lead.stop()
                await port.stop()
                await built_in.close()
                await database.close()


def scenario(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        async def play() -> None:
            async with kit(tmp_path) as made:
                await test(made)

        asyncio.run(play())

    # pytest asks for what the signature names.
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def report(name: str, *lines: tuple[str, str, str]) -> dict[str, Any]:
    logs = [{"time_stamp": time, "metric": {"name": metric, "value": value}} for time, metric, value in lines]
    return {"trial_name": name, "observation_log": {"metric_logs": logs}}


@scenario
async def test_a_log_is_reported_read_in_part_and_deleted(kit: Kit) -> None:
    lines = [
        ("2026-01-01T00:00:02Z", "loss", "0.2"),
        ("2026-01-01T00:00:01.123456789Z", "loss", "0.1"),
        ("2026-01-01T01:00:03+01:00", "accuracy", "nan"),
        ("", "loss", "left out, as upstream does"),
    ]
    await kit.ask("DBManager/ReportObservationLog", report("mine", *lines))
    # What is pushed counts each time.
    await kit.ask("DBManager/ReportObservationLog", report("mine", lines[0]))

    async def read(**fields: str) -> list[str]:
        found = await kit.ask("DBManager/GetObservationLog", {"trial_name": "mine", **fields})
        return [f"{each.metric.name}={each.metric.value}" for each in found.observation_log.metric_logs]

    assert await read() == ["loss=0.1", "loss=0.2", "loss=0.2", "accuracy=nan"]
    whole = await kit.ask("DBManager/GetObservationLog", {"trial_name": "mine"})
    # In UTC, as upstream keeps them.
    assert whole.observation_log.metric_logs[-1].time_stamp == "2026-01-01T00:00:03Z"
    assert await read(metric_name="accuracy") == ["accuracy=nan"]
    assert await read(start_time="2026-01-01T00:00:02Z", end_time="2026-01-01T00:00:02Z") == ["loss=0.2"] * 2
    await kit.ask("DBManager/DeleteObservationLog", {"trial_name": "mine"})
    assert await read() == []
    # As upstream: a name that nobody has, has measured nothing.
    assert not (
        await kit.ask("DBManager/GetObservationLog", {"trial_name": "nobody"})
    ).observation_log.metric_logs
    await kit.ask("DBManager/DeleteObservationLog", {"trial_name": "nobody"})
    assert (await kit.refused("DBManager/ReportObservationLog", report("nobody")))[
        0
    ] is grpc.StatusCode.NOT_FOUND


@scenario
async def test_bad_requests_are_told_what_is_bad(kit: Kit) -> None:
    bad, invalid = kit.refused, grpc.StatusCode.INVALID_ARGUMENT
    path = "DBManager/ReportObservationLog"
    for fields, words in (
        (report("", (TIME, "loss", "1")), "trial_name '' must be"),
        (report("a/b/c", (TIME, "loss", "1")), "NAMESPACE/NAME"),
        (report("/mine", (TIME, "loss", "1")), "NAMESPACE/NAME"),
        (report("x" * 300, (TIME, "loss", "1")), "must be the name of a trial"),
        (
            report("mine", (TIME, "loss", "1"), ("yesterday", "loss", "1")),
            "metric_logs[1].time_stamp: 'yesterday'",
        ),
        (report("mine", ("2026-13-01T00:00:00Z", "loss", "1")), "2026-13-01"),
        (report("mine", (TIME, "", "1")), "metric_logs[0].metric.name"),
        (report("mine", (TIME, "loss", "1" * 5000)), "metric.value must have at most 4096"),
        (report("mine", (TIME, "lo\0ss", "1")), "NUL"),
        (b"\xff\xff\xff", "this is no ReportObservationLogRequest"),
    ):
        code, said = await bad(path, fields)
        assert (code, words in said) == (invalid, True), said
    code, said = await bad("DBManager/GetObservationLog", {"trial_name": "mine", "start_time": "now"})
    assert (code, "start_time: 'now'" in said) == (invalid, True)
    assert (
        await bad("DBManager/GetObservationLog", {"trial_name": "mine", "end_time": "2026-02-30T00:00:00Z"})
    )[0] is invalid
    assert (await bad("Suggestion/ReportObservationLog", b""))[0] is grpc.StatusCode.UNIMPLEMENTED
    huge = b"\x0a" + b"\xff\xff\xff\x0f" + b"x" * (33 * 1024 * 1024)
    assert (await bad(path, huge))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


@scenario
async def test_tokens_speak_for_their_namespace(kit: Kit) -> None:
    await kit.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot", "namespace": "team-a"}})
    made = await kit.client.create_token("bot", "team-a", {"spec": {}})
    token = made["status"]["token"]
    await kit.ask("DBManager/ReportObservationLog", report("mine", (TIME, "loss", "1")), token=token)
    path = "DBManager/GetObservationLog"
    assert len((await kit.ask(path, {"trial_name": "mine"}, token=token)).observation_log.metric_logs) == 1
    assert (await kit.refused(path, {"trial_name": "team-b/theirs"}, token=token))[
        0
    ] is grpc.StatusCode.PERMISSION_DENIED
    for wrong in ("wrong", "x" * 20000, f"{token}x"):
        code, said = await kit.refused(path, {"trial_name": "mine"}, token=wrong)
        assert code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED), said
        assert "team-a" not in said


def test_a_pod_is_known_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_callers, "_LOOKS", 2)

    async def play() -> None:
        async with kit(tmp_path) as made:
            await pod(made.client, "team-a", "one", "127.70.0.1")
            await pod(made.client, "team-b", "two", "127.70.0.2")
            await pod(made.client, "team-b", "over", "127.70.0.3", phase="Succeeded")
            path, fields = "DBManager/ReportObservationLog", report("mine", (TIME, "loss", "1"))
            await made.ask(path, fields, source="127.70.0.1")
            assert (await made.refused(path, fields, source="127.70.0.2"))[0] is grpc.StatusCode.NOT_FOUND
            # It ends, and its address is another's at once.
            await made.client.delete(PODS, "one", "team-a")
            await pod(made.client, "team-b", "next", "127.70.0.1")
            assert (await made.refused(path, fields, source="127.70.0.1"))[0] is grpc.StatusCode.NOT_FOUND
            denied = grpc.StatusCode.PERMISSION_DENIED
            assert (await made.refused(path, report("team-a/mine"), source="127.70.0.2"))[0] is denied
            for nobody in ("127.70.0.3", "127.70.0.9", "127.0.0.2"):
                code, said = await made.refused(path, fields, source=nobody)
                assert (code, "nobody is known" in said) == (denied, True)
            for each in ("Suggestion/ValidateAlgorithmSettings", "EarlyStopping/ValidateEarlyStoppingSettings",
                         "Suggestion/GetSuggestions", "EarlyStopping/GetEarlyStoppingRules",
                         "EarlyStopping/SetTrialStatus", "DBManager/GetObservationLog",
                         "DBManager/DeleteObservationLog"):  # fmt: skip
                assert (await made.refused(each, b"", source="127.70.0.9"))[0] is denied, each

    asyncio.run(play())


@scenario
async def test_built_in_algorithms_answer_without_an_experiment(kit: Kit) -> None:
    fields = {"experiment": experiment("random"), "current_request_number": 3, "total_request_number": 3}
    one = await kit.ask("Suggestion/GetSuggestions", fields)
    assert [each.assignments[0].name for each in one.parameter_assignments] == ["lr"] * 3
    assert all(0 <= float(each.assignments[0].value) <= 1 for each in one.parameter_assignments)
    assert await kit.ask("Suggestion/GetSuggestions", fields) == one
    await kit.ask("Suggestion/ValidateAlgorithmSettings", {"experiment": experiment("random")})
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for refused in (experiment("nosuch"), experiment("random", nosuch="1"), {"name": "e"}):
        for path in ("Suggestion/ValidateAlgorithmSettings", "Suggestion/GetSuggestions"):
            assert (await kit.refused(path, {"experiment": refused}))[0] is invalid
    for count in (-1, 1001):
        code, said = await kit.refused(
            "Suggestion/GetSuggestions", {**fields, "current_request_number": count}
        )
        assert (code, "current_request_number" in said) == (invalid, True)


@scenario
async def test_early_stopping_answers_and_marks(kit: Kit) -> None:
    stopping = {
        "algorithm_name": "medianstop",
        "algorithm_settings": [{"name": "min_trials_required", "value": "1"}],
    }
    await kit.ask("EarlyStopping/ValidateEarlyStoppingSettings", {"early_stopping": stopping})
    code, said = await kit.refused(
        "EarlyStopping/ValidateEarlyStoppingSettings",
        {"early_stopping": {**stopping, "algorithm_settings": [{"name": "start_step", "value": "0"}]}},
    )
    assert (code, "start_step" in said) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    lines = [(f"2026-01-01T00:00:0{at}Z", "loss", str(at)) for at in range(1, 5)]
    await kit.ask("DBManager/ReportObservationLog", report("mine", *lines))
    asked = experiment("random")
    asked["spec"]["early_stopping"] = stopping
    trials = [{"name": "mine", "status": {"condition": "SUCCEEDED"}}]
    (rule,) = (
        await kit.ask("EarlyStopping/GetEarlyStoppingRules", {"experiment": asked, "trials": trials})
    ).early_stopping_rules
    assert (rule.name, float(rule.value), rule.comparison) == (
        "loss",
        2.5,
        message("EarlyStoppingRule")(comparison="GREATER").comparison,
    )

    for _ in range(2):  # the second time nothing changes
        await kit.ask("EarlyStopping/SetTrialStatus", {"trial_name": "mine"})
        found = (await kit.client.get(TRIALS, "mine", "team-a"))["status"]["conditions"]
        assert [each["type"] for each in found] == ["EarlyStopped"]
    done = {"status": {"conditions": [{"type": "Succeeded", "status": "True"}]}}
    await kit.client.patch(TRIALS, "theirs", done, "team-b", subresource="status")
    await kit.ask("EarlyStopping/SetTrialStatus", {"trial_name": "theirs"})
    found = (await kit.client.get(TRIALS, "theirs", "team-b"))["status"]["conditions"]
    assert [each["type"] for each in found] == ["Succeeded"]


@scenario
async def test_the_services_are_well_by_the_names_that_upstream_asks_for(kit: Kit) -> None:
    serving = message("HealthCheckResponse")(status="SERVING")
    for service in ("", "grpc.health.v1.Health", "api.v1.beta1.DBManager", "manager.v1beta1.Suggestion"):
        assert await kit.health(service) == serving
    with pytest.raises(grpc.aio.AioRpcError, match=r"grpc\.health\.v1\.1\.Health' is not known"):
        await kit.health("grpc.health.v1.1.Health")


@scenario
async def test_many_trials_report_at_once(kit: Kit) -> None:
    path, lines = "DBManager/ReportObservationLog", report("mine", (TIME, "loss", "1"))
    await asyncio.gather(*(kit.ask(path, lines) for _ in range(150)))
    found = await kit.ask("DBManager/GetObservationLog", {"trial_name": "mine"})
    assert len(found.observation_log.metric_logs) == 150


@scenario
async def test_noise_at_the_port_harms_nobody(kit: Kit) -> None:
    host, port = kit.address.split(":")
    rng = random.Random(7)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = b"\0\0\0\x04\0\0\0\0\0"
    for at in range(60):
        _, writer = await asyncio.open_connection(host, int(port))
        noise = rng.randbytes(rng.randrange(1, 400))
        writer.write((b"", preface, preface + settings, b"GET / HTTP/1.1\r\n\r\n")[at % 4] + noise)
        if at % 3:
            writer.write_eof()
        if at % 5 == 0:
            writer.transport.abort()
        await close(writer)
    for _ in range(40):
        data = rng.randbytes(rng.randrange(200))
        for path in (
            "DBManager/ReportObservationLog",
            "Suggestion/GetSuggestions",
            "EarlyStopping/GetEarlyStoppingRules",
        ):
            assert await kit.outcome(path, data) is not grpc.StatusCode.INTERNAL
    await kit.ask("DBManager/GetObservationLog", {"trial_name": "mine"})


def experiment(algorithm: str, **settings: str) -> dict[str, Any]:
    return {
        "name": "e",
        "spec": {
            "objective": {"type": "MINIMIZE", "objective_metric_name": "loss"},
            "algorithm": {
                "algorithm_name": algorithm,
                "algorithm_settings": [{"name": name, "value": value} for name, value in settings.items()],
            },
            "parameter_specs": {
                "parameters": [
                    {"name": "lr", "parameter_type": "DOUBLE", "feasible_space": {"min": "0", "max": "1"}}
                ]
            },
        },
    }


def trial(namespace: str, name: str) -> dict[str, Any]:
    run = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": []}}}}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "parameterAssignments": [{"name": "lr", "value": "0.1"}],
            "runSpec": run,
            "primaryContainerName": "main",
            "successCondition": "x",
            "failureCondition": "x",
        },
    }


async def pod(client: Client, namespace: str, name: str, address: str, phase: str = "Running") -> None:
    spec = {"containers": [{"name": "main", "image": "python:3.11"}]}
    await client.create(PODS, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}], "phase": phase}}
    await client.patch(PODS, name, status, namespace, subresource="status")
