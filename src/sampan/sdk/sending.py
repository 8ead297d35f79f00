"""`remote`, `tune` and `serve`, with how they find the cluster: this machine's server, their own, a kubeconfig's."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from sampan.app.home import find_server
from sampan.app.trial_templates import template
from sampan.client import kubeconfig
from sampan.client.kubeconfig import KubeconfigError
from sampan.client.session import Session
from sampan.components.serving.sdk.serve import Serve
from sampan.components.training.sdk.remote import Remote
from sampan.components.tuning.api.summary import Summary
from sampan.components.tuning.sdk.experiments import Experiments, Ref
from sampan.components.tuning.sdk.tune import Tune


def connect(home: str | Path | None = None) -> Session:
    """Within a pod its cluster, as its service account; else the running server of `home`, $SAMPAN_HOME or ~/.sampan;
    else the cluster of $KUBECONFIG or ~/.kube/config. Raises RuntimeError where there is none.
    """
    if home is None:
        try:
            return Session(kubeconfig.in_cluster())
        except KubeconfigError:
            pass
    folder = _folder(home)
    server = find_server(folder)
    own = folder / "kubeconfig"
    try:
        if server is not None and own.exists():
            return Session(kubeconfig.load(own), server.url)
        files = os.environ.get("KUBECONFIG", "").split(os.pathsep)
        file = Path(files[0]).expanduser() if files[0] else Path.home() / ".kube" / "config"
        if home is None and file.exists():
            return Session(kubeconfig.load(file), server.url if server is not None else "")
    except KubeconfigError as error:
        raise RuntimeError(str(error)) from error
    raise RuntimeError(
        f"no server is running with the home {folder}, and there is no kubeconfig: start one with `sampan up`"
    )


def _folder(home: str | Path | None = None) -> Path:
    return Path(home or os.environ.get("SAMPAN_HOME") or Path.home() / ".sampan").expanduser().absolute()


def _show(experiments: Experiments, ref: Ref) -> Summary:
    # rich comes with the first progress that is shown.
    progress: Any = importlib.import_module("sampan.components.tuning.sdk.progress")
    summary: Summary = progress.show(experiments, ref)
    return summary


remote = Remote(connect)
tune = Tune(connect, template, _show)
serve = Serve(connect, _folder)
