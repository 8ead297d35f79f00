"""Streams into pods over HTTP: exec, attach and port-forward, as kubectl and the client libraries speak them.

Loaded with the first such request. `service` is where one comes in; `negotiation` settles by which protocol it goes on;
`websockets` and `spdy` carry the streams of a command, which `remotecommand` joins to the container's; `portforward`
has its own two.
"""
