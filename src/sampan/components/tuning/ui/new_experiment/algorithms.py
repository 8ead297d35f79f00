"""The algorithms that the form offers, and what their settings mean. Others are written by name. Pure.

Source of names and settings: kubeflow/katib 0.19 pkg/suggestion/v1beta1, pkg/earlystopping/v1beta1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    about: str
    usual: str = ""
    """What it is where nothing is said."""
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Algorithm:
    name: str
    label: str
    about: str
    settings: Sequence[Setting] = ()


_SEED = Setting("random_state", "A whole number: the same one gives the same suggestions again.")
_STARTUP = Setting("n_startup_trials", "Trials that are drawn by chance before it learns.", "10")
_CANDIDATES = Setting("n_ei_candidates", "Candidates of which the most promising is taken.", "24")
_INTERVAL = Setting("interval_steps", "Looks at a trial at each so many values.", "1")
_WARMUP = Setting("n_warmup_steps", "Values of each trial before it is looked at.", "0")

ALGORITHMS: Sequence[Algorithm] = (
    Algorithm(
        "random",
        "random: by chance",
        "Draws each parameter by itself. A good measure for all others.",
        [_SEED],
    ),
    Algorithm(
        "grid",
        "grid: all combinations",
        "Tries every combination once, and ends then. A double needs a step.",
    ),
    Algorithm(
        "tpe",
        "tpe: Parzen estimators",
        "Learns where good values are dense and bad ones are not. The usual choice.",
        [
            _SEED,
            _STARTUP,
            Setting("gamma", "The share of trials that count as good, between 0 and 1."),
            Setting("prior_weight", "How much is kept open for what was never tried.", "1.0"),
            Setting("n_EI_candidates", "Candidates of which the most promising is taken.", "24"),
        ],
    ),
    Algorithm(
        "multivariate-tpe",
        "multivariate-tpe: Parzen estimators of all parameters together",
        "As tpe, and learns which parameters go together.",
        [_SEED, _STARTUP, _CANDIDATES],
    ),
    Algorithm(
        "cmaes",
        "cmaes: covariance matrix adaptation",
        "Moves a cloud of points towards better values. For numbers, two of them at least, and many trials.",
        [
            _SEED,
            Setting("sigma", "How wide the cloud is at first."),
            Setting(
                "restart_strategy",
                "Whether it begins again where it is stuck.",
                "none",
                ("none", "ipop", "bipop"),
            ),
        ],
    ),
    Algorithm("sobol", "sobol: spread evenly", "Fills the space evenly, and learns nothing.", [_SEED]),
    Algorithm(
        "bayesianoptimization",
        "bayesianoptimization: a model of the objective",
        "Models the objective and tries where the model hopes for most. For few, dear trials.",
        [
            _SEED,
            Setting("base_estimator", "What the model is.", "GP", ("GP", "RF", "ET", "GBRT")),
            Setting("n_initial_points", "Trials by chance before the model.", "10"),
            Setting(
                "acq_func", "What it hopes for.", "gp_hedge", ("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps")
            ),
            Setting("acq_optimizer", "How the most hopeful is found.", "auto", ("auto", "sampling", "lbfgs")),
        ],
    ),
    Algorithm(
        "hyperband",
        "hyperband: many short, few long",
        "Begins many trials with little of a resource, such as epochs, and gives the best more. The resource is one of "
        "the parameters, an int.",
        [
            Setting("resource_name", "The parameter that is the resource. Needed."),
            Setting("r_l", "The most of it that a trial gets. Needed."),
            Setting("eta", "One of so many goes on.", "3"),
        ],
    ),
    Algorithm(
        "pbt",
        "pbt: population based training",
        "Trials go on from the checkpoints of better ones, with changed parameters.",
        [
            Setting("suggestion_trial_dir", "Where in a trial its checkpoints are, as a path. Needed."),
            Setting("n_population", "Members of the population, 5 at least. Needed."),
            Setting("truncation_threshold", "The share of best and worst that is exchanged. Needed."),
            Setting(
                "resample_probability", "How often a parameter is drawn anew; empty: it is moved a little."
            ),
            _SEED,
        ],
    ),
    Algorithm(
        "enas",
        "enas: networks, by a controller that learns which are good",
        "For architectures: each trial trains the network that it is given, and the controller learns from the result.",
        [
            Setting("controller_hidden_size", "Units of the controller.", "64"),
            Setting("controller_train_steps", "Steps in which it learns from each round of trials.", "50"),
            Setting("controller_learning_rate", "How fast it learns.", "5e-5"),
            _SEED,
        ],
    ),
    Algorithm(
        "darts",
        "darts: networks, by one that holds all of them",
        "For architectures: one trial trains a network of all operations at once, and reports the best one in it.",
        [
            Setting("num_epochs", "Epochs.", "50"),
            Setting("batch_size", "Pictures at a time.", "128"),
            Setting("init_channels", "Channels of the first layer.", "16"),
            Setting("w_lr", "Learning rate of the weights.", "0.025"),
        ],
    ),
)

STOPPING: Sequence[Algorithm] = (
    Algorithm("", "nothing: each trial ends by itself", ""),
    Algorithm(
        "medianstop",
        "medianstop: worse than the others were",
        "Stops a trial whose best value is worse than what the trials before had at this point.",
        [
            Setting("min_trials_required", "Trials that must have succeeded before.", "3"),
            Setting("start_step", "Values that a trial has reported before it may be stopped.", "4"),
        ],
    ),
    Algorithm(
        "median",
        "median: worse than half of the others",
        "Optuna's: compares with the median of the others at the same step.",
        [Setting("n_startup_trials", "Trials before.", "5"), _WARMUP, _INTERVAL],
    ),
    Algorithm(
        "successivehalving",
        "successivehalving: only the best of each rung go on",
        "Optuna's ASHA: at each rung one of so many goes on.",
        [
            Setting("min_resource", "Values before the first rung."),
            Setting("reduction_factor", "One of so many goes on.", "4"),
            Setting("min_early_stopping_rate", "Rungs that are left out at first.", "0"),
        ],
    ),
)


def algorithm(name: str, known: Sequence[Algorithm] = ALGORITHMS) -> Algorithm:
    """One of no settings that are known, where the name is another."""
    return next((each for each in known if each.name == name), Algorithm(name, name, ""))
