"""MPIJobs of both contracts on the embedded API server: what the controllers make, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.api.kinds import MPI_JOBS, MPI_JOBS_V2
from sampan.kube import meta, rbac
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, JOBS, POD_GROUPS, PODS, SECRETS, SERVICE_ACCOUNTS, SERVICES
from sampan.lib.clock import rfc3339

WORKERS = ("pi-worker-0", "pi-worker-1")
V1 = ("pi-launcher", *WORKERS)


async def submit_v2(cluster: Any, workers: int = 2, **spec: Any) -> None:
    spec.setdefault("mpiImplementation", "OpenMPI")
    roles = {"Launcher": 1} | ({"Worker": workers} if workers else {})
    await cluster.submit(MPI_JOBS_V2, "pi", roles, **spec)


async def launcher_pod(cluster: Any) -> str:
    async def look() -> Any:
        return [name for name in await cluster.names(PODS) if name.startswith("pi-launcher-")]

    (name,) = await cluster.until(look)
    return str(name)


async def data(cluster: Any) -> dict[str, str]:
    return dict((await cluster.get(CONFIG_MAPS, "pi-config") or {}).get("data") or {})


def test_v1_execs_into_its_workers_and_ends_with_its_launcher(run):
    async def scenario(cluster):
        await cluster.submit(
            MPI_JOBS, "pi", {"Launcher": 1, "Worker": 2}, slotsPerWorker=2, cleanPodPolicy="Running"
        )
        await cluster.has(PODS, *V1)
        assert await cluster.names(SERVICES) == []
        launcher = await cluster.get(PODS, "pi-launcher")
        assert launcher["metadata"]["labels"]["training.kubeflow.org/job-role"] == "master"
        assert launcher["spec"]["serviceAccountName"] == "pi-launcher"
        for resource in (rbac.ROLES, rbac.ROLE_BINDINGS, SERVICE_ACCOUNTS):
            found = await cluster.get(resource, "pi-launcher")
            assert found["metadata"]["ownerReferences"][0]["kind"] == "MPIJob"
        role = await cluster.get(rbac.ROLES, "pi-launcher")
        assert role["rules"][1]["resourceNames"] == list(WORKERS)
        assert (await data(cluster))["discover_hosts.sh"] == "#!/bin/sh"
        await cluster.run_all("pi-worker-1")

        async def discovered():
            return (await data(cluster))["discover_hosts.sh"] == "#!/bin/sh\necho pi-worker-1:2"

        await cluster.until(discovered)
        await cluster.run_all("pi-launcher", "pi-worker-0")
        await cluster.becomes(MPI_JOBS, "pi", "Running")
        assert (await cluster.get(POD_GROUPS, "pi"))["spec"]["minMember"] == 3
        await cluster.phase("pi-launcher", "Succeeded", 0)
        job = await cluster.becomes(MPI_JOBS, "pi", "Succeeded")
        assert job["status"]["completionTime"]
        await cluster.has(PODS, "pi-launcher")
        await cluster.has(POD_GROUPS)
        await cluster.told("pi", "MPIJobSucceeded", "MPIJob pi is successfully completed.")

    run(scenario)


@pytest.mark.parametrize(
    ("policy", "who", "code", "becomes"),
    [
        ("Never", "pi-launcher", 1, "Failed"),
        ("Never", "pi-worker-1", 137, "Failed"),
        ("ExitCode", "pi-launcher", 1, "Failed"),
        ("ExitCode", "pi-worker-1", 137, "Restarting"),
    ],
)
def test_v1_fails_or_restarts_by_its_policy(run, policy, who, code, becomes):
    async def scenario(cluster):
        roles = {
            role: {"replicas": count, "restartPolicy": policy}
            for role, count in (("Launcher", 1), ("Worker", 2))
        }
        await cluster.submit(MPI_JOBS, "pi", roles)
        await cluster.run_all(*V1)
        before = meta.uid(await cluster.get(PODS, who))
        await cluster.phase(who, "Failed", code)
        if becomes == "Failed":
            await cluster.becomes(MPI_JOBS, "pi", "Failed")
            return

        async def anew():
            pod = await cluster.get(PODS, who)
            return pod is not None and meta.uid(pod) != before

        await cluster.until(anew)
        await cluster.told("pi", f"MPIJob{becomes}")

    run(scenario)


def test_v1_is_suspended_and_goes_on(run):
    async def scenario(cluster):
        await cluster.submit(MPI_JOBS, "pi", {"Launcher": 1, "Worker": 2}, runPolicy={"suspend": True})
        await cluster.becomes(MPI_JOBS, "pi", "Suspended")
        assert await cluster.names(PODS) == []
        await cluster.patch(MPI_JOBS, "pi", {"spec": {"runPolicy": {"suspend": False}}})
        await cluster.has(PODS, *V1)
        await cluster.becomes(MPI_JOBS, "pi", "Suspended", "False")

    run(scenario)


def test_a_config_map_of_somebody_elses_is_left_alone_and_told_of(run):
    async def scenario(cluster):
        theirs = {"metadata": {"name": "pi-config", "namespace": "team"}, "data": {"hostfile": "theirs"}}
        await cluster.client.create(CONFIG_MAPS, theirs)
        await submit_v2(cluster)
        words = 'Resource "pi-config" of Kind "ConfigMap" already exists and is not managed by MPIJob'
        await cluster.told("pi", "ErrResourceExists", words)
        job = await cluster.becomes(MPI_JOBS_V2, "pi", "Created")
        assert words in job["status"]["conditions"][0]["message"]
        assert await data(cluster) == {"hostfile": "theirs"}

    run(scenario)


def test_v2_runs_a_job_that_reaches_its_workers_by_ssh(run):
    async def scenario(cluster):
        await submit_v2(cluster, slotsPerWorker=2, runPolicy={"cleanPodPolicy": "All", "backoffLimit": 3})
        launcher = await launcher_pod(cluster)
        await cluster.has(PODS, launcher, *WORKERS)
        job = await cluster.get(JOBS, "pi-launcher")
        assert job["spec"]["backoffLimit"] == 3
        assert job["spec"]["podReplacementPolicy"] == "Failed"
        assert job["metadata"]["ownerReferences"][0]["apiVersion"] == "kubeflow.org/v2beta1"
        secret = await cluster.get(SECRETS, "pi-ssh")
        assert secret["type"] == "kubernetes.io/ssh-auth"
        assert set(secret["data"]) == {"ssh-privatekey", "ssh-publickey"}
        service = await cluster.get(SERVICES, "pi")
        assert service["spec"]["clusterIP"] == "None"
        hosts = [f"{name}.pi.team.svc slots=2\n" for name in WORKERS]
        assert (await data(cluster))["hostfile"] == "".join(hosts)
        assert (await cluster.get(POD_GROUPS, "pi"))["spec"]["minMember"] == 3
        await cluster.run_all(*WORKERS)

        async def discovered():
            lines = "".join(f"echo {name}.pi.team.svc\n" for name in WORKERS)
            return (await data(cluster))["discover_hosts.sh"] == f"#!/bin/sh\n{lines}"

        await cluster.until(discovered)
        await cluster.run_all(launcher)
        job = await cluster.becomes(MPI_JOBS_V2, "pi", "Running")
        assert job["status"]["replicaStatuses"] == {"Launcher": {"active": 1}, "Worker": {"active": 2}}
        await cluster.phase(launcher, "Succeeded", 0)
        job = await cluster.becomes(MPI_JOBS_V2, "pi", "Succeeded")
        assert job["status"]["completionTime"]
        await cluster.has(PODS, launcher)
        await cluster.has(POD_GROUPS)
        await cluster.told("pi", "MPIJobCreated", "MPIJob team/pi is created.")
        await cluster.told("pi", "MPIJobSucceeded", "MPIJob team/pi successfully completed.")
        # The key stays as it was made.
        assert (await cluster.get(SECRETS, "pi-ssh"))["data"] == secret["data"]

    run(scenario)


def test_v2_fails_when_its_launcher_has_no_tries_left(run):
    async def scenario(cluster):
        await cluster.submit(
            MPI_JOBS_V2,
            "pi",
            {"Launcher": {"replicas": 1, "restartPolicy": "Never"}, "Worker": 1},
            mpiImplementation="OpenMPI",
            runPolicy={"backoffLimit": 0},
        )
        launcher = await launcher_pod(cluster)
        await cluster.run_all(launcher, "pi-worker-0")
        await cluster.phase(launcher, "Failed", 1)
        job = await cluster.becomes(MPI_JOBS_V2, "pi", "Failed")
        failed = job["status"]["conditions"][-1]
        assert failed["reason"].startswith("BackoffLimitExceeded/")
        assert job["status"]["replicaStatuses"]["Launcher"] == {"failed": 1}
        assert await cluster.names(PODS) == [launcher, "pi-worker-0"]

    run(scenario)


def test_v2_says_that_the_templates_restart_policy_does_not_count(run):
    async def scenario(cluster):
        container = {"name": "mpi", "image": "busybox"}
        template = {"spec": {"containers": [container], "restartPolicy": "Always"}}
        roles = {"Launcher": {"replicas": 1, "template": template}}
        await cluster.submit(MPI_JOBS_V2, "pi", roles, mpiImplementation="OpenMPI")
        await launcher_pod(cluster)
        words = "Restart policy in pod template overridden by restart policy in replica spec"
        await cluster.told("pi", "SetPodTemplateRestartPolicy", words)
        job = await cluster.get(JOBS, "pi-launcher")
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"

    run(scenario)


def test_v2_waits_for_its_workers_where_it_is_told_to(run):
    async def scenario(cluster):
        await submit_v2(cluster, launcherCreationPolicy="WaitForWorkersReady")
        await cluster.has(PODS, *WORKERS)
        await cluster.run_all(*WORKERS)
        assert await cluster.get(JOBS, "pi-launcher") is None
        # Else its gang would wait for the launcher, and that for the gang.
        assert (await cluster.get(POD_GROUPS, "pi"))["spec"]["minMember"] == 2
        now = rfc3339(cluster.clock.now())
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        for name in WORKERS:
            await cluster.patch(PODS, name, {"status": {"conditions": [ready]}}, subresource="status")
        await launcher_pod(cluster)

    run(scenario)


def test_v2_is_suspended_and_goes_on(run):
    async def scenario(cluster):
        await submit_v2(cluster)
        launcher = await launcher_pod(cluster)
        await cluster.run_all(launcher, *WORKERS)
        await cluster.becomes(MPI_JOBS_V2, "pi", "Running")
        await cluster.patch(MPI_JOBS_V2, "pi", {"spec": {"runPolicy": {"suspend": True}}})
        await cluster.becomes(MPI_JOBS_V2, "pi", "Suspended")
        await cluster.becomes(MPI_JOBS_V2, "pi", "Running", "False")
        await cluster.has(PODS)
        assert (await cluster.get(JOBS, "pi-launcher"))["spec"]["suspend"] is True
        await cluster.has(POD_GROUPS)
        await cluster.patch(MPI_JOBS_V2, "pi", {"spec": {"runPolicy": {"suspend": False}}})
        launcher = await launcher_pod(cluster)
        await cluster.has(PODS, launcher, *WORKERS)
        await cluster.becomes(MPI_JOBS_V2, "pi", "Suspended", "False")
        await cluster.run_all(launcher, *WORKERS)
        await cluster.becomes(MPI_JOBS_V2, "pi", "Running")

    run(scenario)


def test_v2_grows_and_shrinks(run):
    async def scenario(cluster):
        await submit_v2(cluster)
        launcher = await launcher_pod(cluster)
        await cluster.has(PODS, launcher, *WORKERS)
        for count in (3, 1):
            roles = {"Worker": {"replicas": count}}
            await cluster.patch(MPI_JOBS_V2, "pi", {"spec": {"mpiReplicaSpecs": roles}})
            await cluster.has(PODS, launcher, *(f"pi-worker-{index}" for index in range(count)))

            async def listed(count: int = count):
                return len((await data(cluster))["hostfile"].splitlines()) == count

            await cluster.until(listed)

    run(scenario)


def test_a_lost_worker_of_v2_is_made_anew(run):
    async def scenario(cluster):
        await submit_v2(cluster)
        await cluster.run_all(*WORKERS)
        before = meta.uid(await cluster.get(PODS, "pi-worker-1"))
        await cluster.client.delete(PODS, "pi-worker-1", "team")

        async def anew():
            pod = await cluster.get(PODS, "pi-worker-1")
            return pod is not None and meta.uid(pod) != before

        await cluster.until(anew)

    run(scenario)


def test_what_is_no_mpi_job_fails_with_the_reason(run):
    async def scenario(cluster):
        await cluster.submit(
            MPI_JOBS_V2, "pi", {"Launcher": {"replicas": 2}, "Worker": 1}, mpiImplementation="OpenMPI"
        )
        job = await cluster.becomes(MPI_JOBS_V2, "pi", "Failed")
        failed = job["status"]["conditions"][-1]
        assert failed["reason"] == "MPIJobFailedValidation"
        assert "spec.mpiReplicaSpecs[Launcher].replicas" in failed["message"]
        assert await cluster.names(PODS) == []

    run(scenario)


def test_a_server_that_is_killed_between_two_writes_goes_on(run):
    async def scenario(cluster):
        for resource, fields in ((MPI_JOBS, {}), (MPI_JOBS_V2, {"mpiImplementation": "MPICH"})):
            await cluster.stop_training()
            await cluster.submit(resource, "pi", {"Launcher": 1, "Worker": 2}, **fields)
            for _ in range(3):
                await cluster.start_training()
                await cluster.stop_training()
            await cluster.start_training()
            await cluster.run_all(*WORKERS)
            assert len(await cluster.until(lambda: cluster.names(PODS))) <= 3
            await cluster.client.delete(resource, "pi", "team")
            await cluster.has(PODS)
            await cluster.has(CONFIG_MAPS, *[n for n in await cluster.names(CONFIG_MAPS) if n != "pi-config"])

    run(scenario)


def test_each_contract_leaves_the_others_jobs_alone(run):
    async def scenario(cluster):
        await submit_v2(cluster)
        launcher = await launcher_pod(cluster)
        await cluster.has(PODS, launcher, *WORKERS)
        for resource in (rbac.ROLES, PODS):
            with pytest.raises(NotFoundError):
                await cluster.client.get(resource, "pi-launcher", "team")

    run(scenario)
