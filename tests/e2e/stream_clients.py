"""What `test_kubectl_streams` runs in an environment of each client: `CLIENT KUBECONFIG PORT`; prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

SCRIPT = ["sh", "-c", "echo out; exit 7"]
CALL: dict[str, Any] = {"stderr": True, "stdin": False, "stdout": True, "tty": False}


def official(config: str, port: int) -> dict[str, Any]:
    from kubernetes import client
    from kubernetes import config as configuration
    from kubernetes.stream import portforward, stream

    configuration.load_kube_config(config)
    api = client.CoreV1Api()
    pod = api.connect_get_namespaced_pod_exec
    one = stream(pod, "p", "default", command=SCRIPT, _preload_content=False, **CALL)
    one.run_forever(timeout=60)
    shell = stream(pod, "p", "default", command=["sh"], _preload_content=False, **{**CALL, "stdin": True})
    shell.write_stdin("x=" + "y" * 2_000_000 + "\n")
    shell.write_stdin("echo two\n")
    line = shell.readline_stdout(timeout=60)
    shell.close()
    forwarding = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports=str(port))
    connection = forwarding.socket(port)
    connection.setblocking(True)
    connection.sendall(b"GET /small HTTP/1.0\r\n\r\n")
    answer = b""
    while data := connection.recv(1024):
        answer += data
    return {
        "exec": one.read_stdout(),
        "exit": one.returncode,
        "echo": line,
        "forwarded": answer.rpartition(b"\r\n\r\n")[2].decode(),
    }


async def asynchronous(config: str) -> dict[str, Any]:
    from kubernetes_asyncio import client
    from kubernetes_asyncio import config as configuration
    from kubernetes_asyncio.stream import WsApiClient

    await configuration.load_kube_config(config)
    async with WsApiClient() as sockets:
        pod = client.CoreV1Api(api_client=sockets).connect_get_namespaced_pod_exec
        out = await pod("p", "default", command=SCRIPT, **CALL)
        echo = b""
        options = {**CALL, "stdin": True, "_preload_content": False}
        async with await pod("p", "default", command=["sh"], **options) as socket:
            await socket.send_bytes(b"\x00echo two; exit\n")
            async for message in socket:
                if message.data[:1] == b"\x01":
                    echo += message.data[1:]
    return {"exec": out, "echo": echo.decode().strip()}


def kr8s(config: str, port: int) -> dict[str, Any]:
    import urllib.request

    import kr8s
    from kr8s.objects import Pod

    api = kr8s.api(kubeconfig=config)
    out = Pod.get("p", api=api).exec(SCRIPT, check=False)
    forwarding = Pod.get("web", api=api).portforward(remote_port=port, local_port="auto")
    with forwarding as local, urllib.request.urlopen(f"http://127.0.0.1:{local}/small", timeout=60) as answer:
        forwarded = answer.read().decode()
    return {"exec": out.stdout.decode(), "exit": out.returncode, "forwarded": forwarded}


if __name__ == "__main__":
    name, path, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if name == "kubernetes":
        found = official(path, number)
    elif name == "kr8s":
        found = kr8s(path, number)
    else:
        found = asyncio.run(asynchronous(path))
    print(json.dumps(found))
