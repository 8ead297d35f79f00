"""Whole runs: order, values, artifacts, conditions, loops, exit handlers, failures."""

from __future__ import annotations

import asyncio
import json

from sampan.kube.kinds import PODS


def test_a_chain_passes_parameters_and_artifacts(open_cluster, go, spec):
    def make(call):
        call.writes("model", "weights")
        call.returns(number=3.0, artifacts={"model": {"artifacts": [{"metadata": {"accuracy": 0.5}}]}})

    def use(call):
        model = call.artifact("model", "inputs")
        assert model["metadata"] == {"accuracy": 0.5}
        with open(model["uri"]) as file:
            call.returns(text=f"{file.read()} {call.parameters['number']!r}")

    spec.step("make", outputs={"number": "int"}, artifacts={"model": "system.Model"})
    spec.step("use", inputs={"number": "int", "model": "system.Model"}, outputs={"text": "str"})
    document = spec.done(
        {
            "make": spec.task("make"),
            "use": spec.task(
                "use", ("make",), inputs={"number": "make.number"}, artifacts={"model": "make.model"}
            ),
        }
    )

    async def main():
        async with open_cluster(make=make, use=use) as cluster:
            run = await cluster.run(document)
            assert run.state == "SUCCEEDED", run.error
            assert cluster.executed == ["root/make", "root/use"]
            row = cluster.tasks(run.run_id)["root/use"]
            assert row.outputs.parameters == {"text": "weights 3"}
            assert [item["state"] for item in json.loads(run.state_history)] == [
                "PENDING",
                "RUNNING",
                "SUCCEEDED",
            ]
            assert run.finished_at > run.created_at

    go(main())


def test_a_failed_step_fails_the_run_and_other_branches_go_on(open_cluster, go, spec, failed):
    def bad(call):
        raise failed(7, "line one\nline two")

    spec.step("bad").step("good")
    document = spec.done(
        {
            "bad": spec.task("bad"),
            "after-bad": spec.task("good", ("bad",)),
            "good": spec.task("good"),
            "after-good": spec.task("good", ("good",)),
        }
    )

    async def main():
        async with open_cluster(bad=bad, good=lambda call: None) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            message = json.loads(run.error)["message"]
            assert message.startswith("bad: exit code 7")
            assert "line two" in message
            assert cluster.states(run.run_id) == {
                "root": "FAILED",
                "root/bad": "FAILED",
                "root/after-bad": "SKIPPED",
                "root/good": "SUCCEEDED",
                "root/after-good": "SUCCEEDED",
            }

    go(main())


def test_an_image_that_cannot_be_had_fails_at_once(open_cluster, go, spec, never_starts):
    def unknown(call):
        raise never_starts("ErrImagePull", "no environment for image test/unknown; map it in images.toml")

    spec.step("unknown")
    retry = {"maxRetryCount": 3, "backoffDuration": "3600s"}
    document = spec.done({"unknown": spec.task("unknown", retryPolicy=retry)})

    async def main():
        async with open_cluster(unknown=unknown) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            assert "ErrImagePull: no environment for image test/unknown" in run.error
            assert len(cluster.executed) == 1

    go(main())


def test_a_failed_step_is_retried_in_pods_of_its_own(open_cluster, go, spec, failed):
    tries = []

    def flaky(call):
        tries.append(call.pod["metadata"]["name"])
        if len(tries) < 3:
            raise failed()

    spec.step("flaky")
    policy = {"maxRetryCount": 2, "backoffDuration": "0.01s"}
    document = spec.done({"flaky": spec.task("flaky", retryPolicy=policy)})

    async def main():
        async with open_cluster(flaky=flaky) as cluster:
            run = await cluster.run(document)
            assert run.state == "SUCCEEDED"
            attempts = cluster.tasks(run.run_id)["root/flaky"].attempts
            assert [attempt.state.value for attempt in attempts] == ["FAILED", "FAILED", "SUCCEEDED"]
            assert [attempt.pod for attempt in attempts] == tries
            assert len(set(tries)) == 3

    go(main())


def test_branches_conditions_and_oneof(open_cluster, go, spec):
    spec.step("flip", outputs={"side": "str"})
    spec.step("say", inputs={"text": "str"}, outputs={"said": "str"})
    branch = {
        "outputs": {"said": "str"},
        "gives": {
            "parameters": {
                "said": {"valueFromParameter": {"producerSubtask": "say", "outputParameterKey": "said"}}
            }
        },
        "inputs": {"side": "str"},
    }
    for name in ("heads", "tails"):
        spec.dag(f"on-{name}", {"say": spec.task("say", inputs={"text": f"got {name}"})}, **branch)
    choice = {
        "condition-2": spec.task(
            "on-heads",
            inputs={"side": "<side"},
            triggerPolicy={"condition": "inputs.parameter_values['side'] == 'heads'"},
        ),
        "condition-3": spec.task(
            "on-tails",
            inputs={"side": "<side"},
            triggerPolicy={
                "condition": "!(inputs.parameter_values['side'] == 'heads') && "
                "inputs.parameter_values['side'] == 'tails'"
            },
        ),
    }
    selectors = [
        {"producerSubtask": task, "outputParameterKey": "said"} for task in ("condition-2", "condition-3")
    ]
    spec.dag(
        "branches",
        choice,
        inputs={"side": "str"},
        outputs={"one": "str"},
        gives={"parameters": {"one": {"valueFromOneof": {"parameterSelectors": selectors}}}},
    )
    document = spec.done(
        {
            "flip": spec.task("flip"),
            "condition-branches-1": spec.task("branches", ("flip",), inputs={"side": "flip.side"}),
            "end": spec.task("say", ("condition-branches-1",), inputs={"text": "condition-branches-1.one"}),
        }
    )

    async def main():
        async with open_cluster(
            flip=lambda call: call.returns(side="tails"),
            say=lambda call: call.returns(said=call.parameters["text"] + "!"),
        ) as cluster:
            run = await cluster.run(document)
            assert run.state == "SUCCEEDED", run.error
            rows = cluster.tasks(run.run_id)
            assert rows["root/condition-branches-1"].type == "CONDITION_BRANCH"
            assert rows["root/condition-branches-1/condition-2"].state == "SKIPPED"
            assert rows["root/end"].inputs.parameters == {"text": "got tails!"}

    go(main())


def _loop(spec, items, limit=0):
    spec.step("items", outputs={"list": "list"})
    spec.step("square", inputs={"x": "int"}, outputs={"y": "int"}, artifacts={"data": "system.Dataset"})
    spec.step("total", inputs={"all": "list", "data": "system.Dataset[]"}, outputs={"sum": "int"})
    spec.dag(
        "body",
        {"square": spec.task("square", inputs={"x": "<item"})},
        inputs={"item": "int", "list": "list"},
        outputs={"ys": "list"},
        gives={
            "parameters": {
                "ys": {"valueFromParameter": {"producerSubtask": "square", "outputParameterKey": "y"}}
            },
            "artifacts": {
                "data": {"artifactSelectors": [{"producerSubtask": "square", "outputArtifactKey": "data"}]}
            },
        },
    )
    loop = spec.task(
        "body",
        ("items",),
        inputs={"list": "items.list"},
        parameterIterator={"itemInput": "item", "items": {"inputParameter": "list"}},
        iteratorPolicy={"parallelismLimit": limit},
    )
    return spec.done(
        {
            "items": spec.task("items"),
            "for-loop-1": loop,
            "total": spec.task(
                "total",
                ("for-loop-1",),
                inputs={"all": "for-loop-1.ys"},
                artifacts={"data": "for-loop-1.data"},
            ),
        }
    )


def test_a_loop_collects_in_order_within_its_limit(open_cluster, go, spec):
    items = [5, 3, 4, 1, 2]
    came, two_run = [], asyncio.Event()

    async def square(call):
        x = call.parameters["x"]
        came.append(x)
        if len(came) == 2:
            two_run.set()
        await two_run.wait()
        await asyncio.sleep(0.002 * x)
        call.writes("data", str(x))
        call.returns(y=x * x)

    def total(call):
        uris = [item["uri"] for item in call.input["inputs"]["artifacts"]["data"]["artifacts"]]
        texts = []
        for uri in uris:
            with open(uri) as file:
                texts.append(file.read())
        assert texts == [str(item) for item in items]
        assert call.parameters["all"] == [item * item for item in items]
        call.returns(sum=sum(call.parameters["all"]))

    async def main():
        async with open_cluster(
            items=lambda call: call.returns(list=items), square=square, total=total
        ) as cluster:
            run = await cluster.run(_loop(spec, items, limit=2))
            assert run.state == "SUCCEEDED", run.error
            rows = cluster.tasks(run.run_id)
            assert rows["root/total"].outputs.parameters == {"sum": 55}
            assert cluster.kubelet.busiest == 2
            assert rows["root/for-loop-1"].iteration_count == 5
            assert rows["root/for-loop-1/3"].inputs.parameters == {"item": 1}

    go(main())


def test_a_loop_over_nothing_succeeds(open_cluster, go, spec):
    async def main():
        async with open_cluster(
            items=lambda call: call.returns(list=[]),
            total=lambda call: call.returns(sum=len(call.parameters["all"])),
        ) as cluster:
            run = await cluster.run(_loop(spec, []))
            assert run.state == "SUCCEEDED", run.error
            assert cluster.tasks(run.run_id)["root/total"].outputs.parameters == {"sum": 0}

    go(main())


def test_an_exit_handler_runs_and_is_told(open_cluster, go, spec, failed):
    told = {}

    def bad(call):
        raise failed(3)

    spec.step("bad").step("tell", inputs={"status": "status"})
    spec.dag("body", {"bad": spec.task("bad")})
    document = spec.done(
        {
            "exit-handler-1": spec.task("body"),
            "tell": spec.task(
                "tell",
                ("exit-handler-1",),
                inputs={"status": "status:exit-handler-1"},
                triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            ),
        }
    )

    async def main():
        async with open_cluster(bad=bad, tell=lambda call: told.update(call.parameters["status"])) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            assert told["state"] == "FAILED"
            assert "exit code 3" in told["error"]["message"]
            assert cluster.states(run.run_id)["root/tell"] == "SUCCEEDED"

    go(main())


def test_a_cached_step_is_not_executed_while_its_files_exist(open_cluster, go, spec):
    spec.step("make", inputs={"n": "int"}, artifacts={"data": "system.Dataset"})
    cached = {"enableCache": True}
    document = spec.done({"make": spec.task("make", inputs={"n": 1}, cachingOptions=cached)})

    def make(call):
        call.writes("data", "x")
        call.returns()

    async def main():
        async with open_cluster(make=make) as cluster:
            first = await cluster.run(document)
            second = await cluster.run(document)
            assert cluster.states(second.run_id)["root/make"] == "CACHED"
            row = cluster.tasks(second.run_id)["root/make"]
            assert row.cached_from_task_id == cluster.tasks(first.run_id)["root/make"].task_id
            for file in (cluster.home / "artifacts").rglob("data"):
                file.unlink()
            third = await cluster.run(document)
            assert cluster.states(third.run_id)["root/make"] == "SUCCEEDED"
            assert len(cluster.executed) == 2

    go(main())


def test_stopping_a_run_removes_its_pods(open_cluster, go, spec):
    started = asyncio.Event()

    async def hang(call):
        started.set()
        await asyncio.sleep(60)

    spec.step("hang").step("later")
    document = spec.done({"hang": spec.task("hang"), "later": spec.task("later", ("hang",))})

    async def main():
        async with open_cluster(hang=hang) as cluster:
            run_id = await cluster.submit(document)
            await started.wait()
            await cluster.engine.terminate(run_id)
            assert cluster.row(run_id).state in ("CANCELING", "CANCELED")
            run = await cluster.wait(run_id)
            assert run.state == "CANCELED"
            assert cluster.states(run_id) == {"root": "CANCELED", "root/hang": "CANCELED"}
            pods = await cluster.client.list(PODS)
            assert pods.items == []

    go(main())


def test_retrying_a_run_keeps_what_succeeded(open_cluster, go, spec, failed):
    broken = [True]

    def bad(call):
        if broken[0]:
            raise failed()
        call.returns(text="mended")

    spec.step("good", outputs={"text": "str"}).step("bad", outputs={"text": "str"})
    spec.step("end", inputs={"a": "str", "b": "str"}, outputs={"text": "str"})
    spec.dag(
        "inner",
        {"good": spec.task("good"), "bad": spec.task("bad", ("good",))},
        outputs={"text": "str"},
        gives={
            "parameters": {
                "text": {"valueFromParameter": {"producerSubtask": "bad", "outputParameterKey": "text"}}
            }
        },
    )
    document = spec.done(
        {
            "good": spec.task("good"),
            "inner": spec.task("inner"),
            "end": spec.task("end", ("good", "inner"), inputs={"a": "good.text", "b": "inner.text"}),
        }
    )

    async def main():
        async with open_cluster(
            good=lambda call: call.returns(text="fine"),
            bad=bad,
            end=lambda call: call.returns(text=call.parameters["a"] + call.parameters["b"]),
        ) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            broken[0] = False
            await cluster.engine.retry(run.run_id)
            run = await cluster.wait(run.run_id)
            assert run.state == "SUCCEEDED", run.error
            rows = cluster.tasks(run.run_id)
            assert rows["root/end"].outputs.parameters == {"text": "finemended"}
            assert [item.state.value for item in rows["root/inner/bad"].attempts] == ["FAILED", "SUCCEEDED"]
            assert sorted(cluster.executed) == [
                "root/end",
                "root/good",
                "root/inner/bad",
                "root/inner/bad",
                "root/inner/good",
            ]

    go(main())
