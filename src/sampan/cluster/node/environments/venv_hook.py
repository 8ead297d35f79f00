"""Lets `python -m venv --system-site-packages` in a pod see the pod's packages instead of the machine's.

The builder copies this file into every environment as `_sampan_venv.py`; a line in a .pth file beside it, and one in
a layer's, calls it there. It runs in the workload's Python, 3.8 or later: standard library only, and nothing is
imported before it must be.
"""

import os
import sys


def install(sites=()):  # type: ignore[no-untyped-def]
    """Patches `venv` in a process that was started to run it.

    `sites` are the site-packages folders that a new venv sees: this file's own, unless given.
    """
    if "venv" not in _command_line():  # type: ignore[no-untyped-call]
        return
    import venv  # noqa: PLC0415 - every Python that starts in a pod imports this file

    sites = sites or [os.path.dirname(os.path.abspath(__file__))]
    create = venv.EnvBuilder.create

    def create_with_sites(self, env_dir):  # type: ignore[no-untyped-def]
        wanted = self.system_site_packages
        self.system_site_packages = False
        create(self, env_dir)
        self.system_site_packages = wanted
        if wanted:
            version = "python%d.%d" % sys.version_info[:2]  # noqa: UP031 - as old Pythons read it
            folder = os.path.join(os.path.abspath(env_dir), "lib", version, "site-packages")
            with open(os.path.join(folder, "_sampan.pth"), "w") as file:
                file.writelines("import site; site.addsitedir(%r)\n" % site for site in sites)  # noqa: UP031

    venv.EnvBuilder.create = create_with_sites  # type: ignore[method-assign]


def _command_line():  # type: ignore[no-untyped-def]
    # Only the interpreter's own words tell `-m venv`: sys.argv does not hold the module yet.
    try:
        return sys.orig_argv
    except AttributeError:  # before Python 3.10
        try:
            with open("/proc/self/cmdline") as file:
                return file.read().split("\0")
        except OSError:
            return []
