"""The network of the embedded cluster: addresses on the loopback for pods and Services, names, and what leads there.

Each pod has an address of its own below 127/8, each Service another; the launchers lead the sockets of containers
(`node.runtimes.launcher.sockets`), by the files that `routes` writes. Here are the addresses, the names that pods see
in /etc/hosts, the controllers of endpoints, and the relay for those outside of pods. The node and the API server
import from here; this package imports neither.
"""
