"""What `sampan --help` lists, so that it loads none of the commands.

Panel, command, the first paragraph of its docstring. A test holds it beside the commands themselves.
"""

CONTENTS = {
    "Platform": {
        "up": "Start the platform, all in this one process; or, with --kubeconfig, on a cluster that there is.",
        "doctor": "Say what this machine can and cannot do, whether the database is sound, and what to change.",
        "images": "List the images that become environments, or say what IMAGE would become here.",
    },
    "Pipelines": {
        "run": "Run a pipeline and watch it.",
        "stop": "Stop a run: its steps are ended, exit handlers run, what finished is kept.",
        "debug": "Open a shell where a step ran: same environment, volumes and inputs.",
        "logs": "Show what steps printed; without STEP all of them, each line named. Or search in it.",
        "du": "Show what artifacts take, the largest first, and the folders of the home.",
        "gc": "Delete ended runs by the retention rules of the settings, or by those given here.",
        "runs": "List runs, newest first; or go on with one that has failed.",
        "schedules": "Start runs at times of a cron expression or an interval. Alone: list the schedules.",
        "triggers": "Start runs on webhooks, files, artifacts and ends of other runs. Alone: list the triggers.",
        "notify": "Be told what becomes of runs, by webhook, in a chat, by mail. Alone: list the notifications.",
        "cache": "Results that steps may reuse.",
    },
    "Serving": {
        "serve": "Serve a model: make an endpoint of it, or give the endpoint of that name a new model.",
        "predict": "Ask an endpoint, and show what it predicts and how long it took. One that sleeps is woken.",
        "endpoints": "Look after endpoints: their state, logs, traffic, revisions.",
    },
    "Training": {
        "train": "Run a script as a distributed training job (sampan train script.py), and look after jobs.",
    },
    "Tuning": {
        "tune": "Search for the best parameters of a script (sampan tune run script.py), and look after experiments.",
    },
}
