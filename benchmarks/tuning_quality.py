"""How good tuning's algorithms are: the best value after so many trials, beside the same algorithm of Katib's libraries
called directly, over the same seeds, in one run.

    python benchmarks/tuning_quality.py [--seeds 10] [--only tpe] [--problem Branin]

The libraries come into an environment of their own (`--environment`, kept for the next run). Equal algorithms differ by
chance: ours counts as no worse when its median is not above theirs, or when ranks (Mann and Whitney, one-sided at 5 %)
do not tell them apart; which of the two is said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import table
from tuning_problems import PROBLEMS
from tuning_problems import Problem as Measured
from uv import find_uv_bin

from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import FeasibleSpace, Objective, Parameter, Problem, TrialRecord
from sampan.components.tuning.engine.builtin import BuiltIn

_LIBRARIES = (
    "optuna>=5,<6",
    "cmaes>=0.12",
    "hyperopt",
    "setuptools<81",
    "scikit-optimize>=0.10.2",
    "scikit-learn",
    "scipy",
)
_BESIDE: dict[str, tuple[str, ...]] = {
    "random": ("hyperopt", "optuna"),
    "grid": ("optuna",),
    "sobol": ("optuna",),
    "tpe": ("hyperopt", "optuna"),
    "multivariate-tpe": ("optuna",),
    "cmaes": ("optuna",),
    "bayesianoptimization": ("skopt",),
}
"""Whose algorithm is called directly."""
_MODEL_TRIALS = 40
"""At most, where each costs a fit of a Gaussian process."""
_CALLS = 2
"""At a time."""


def parameters(measured: Measured, *, stepped: bool) -> tuple[Parameter, ...]:
    made = []
    for name, axis in measured.axes.items():
        if axis.whole:
            made.append(Parameter(name, "int", FeasibleSpace(str(int(axis.low)), str(int(axis.high)))))
            continue
        step = str((axis.high - axis.low) / 20) if stepped else ""
        spread = "logUniform" if axis.log else "uniform"
        made.append(
            Parameter(name, "double", FeasibleSpace(str(axis.low), str(axis.high), step, distribution=spread))
        )
    return tuple(made)


async def ours(builtin: BuiltIn, algorithm: str, name: str, trials: int, seed: int) -> float:
    measured = PROBLEMS[name]
    problem = Problem(
        f"{algorithm}/{name}/{seed}",
        "quality",
        "benchmark",
        Objective("minimize", "value"),
        parameters(measured, stepped=algorithm == "grid"),
        algorithm,
        {"random_state": str(seed)},
    )
    done: list[TrialRecord] = []
    best = float("inf")
    for number in range(trials):
        answer = await builtin.suggestions.suggest(problem, done, 1, number + 1)
        one = answer.assignments[0]
        value = measured.value(one.parameters)
        best = min(best, value)
        metrics = {"value": Metric("value", repr(value), repr(value), repr(value))}
        times = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
        done.append(
            TrialRecord(f"trial-{number}", one.parameters, "Succeeded", metrics, one.labels, times, times)
        )
    return best


async def theirs(
    python: Path, library: str, algorithm: str, name: str, trials: int, seeds: int
) -> list[float]:
    program = Path(__file__).with_name("tuning_libraries.py")
    process = await asyncio.create_subprocess_exec(
        str(python), str(program), library, algorithm, name, str(trials), str(seeds), stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{library}'s {algorithm} on {name} ended with {process.returncode}")
    found: list[float] = json.loads(output.splitlines()[-1])
    return found


def worse_by_chance(mine: list[float], other: list[float]) -> float:
    """The probability of ranks as high as ours, if both were the same."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(mine, other, alternative="greater").pvalue)


def verdict(mine: list[float], other: list[float]) -> tuple[str, bool]:
    if statistics.median(mine) <= statistics.median(other) * (1 + 1e-9):
        return "no worse", True
    chance = worse_by_chance(mine, other)
    return (f"not told apart (p={chance:.2f})", True) if chance > 0.05 else (f"WORSE (p={chance:.3f})", False)


async def measure(python: Path, algorithms: list[str], problems: list[str], seeds: int) -> bool:
    builtin = BuiltIn()
    slots = asyncio.Semaphore(_CALLS)
    good = True

    async def one(algorithm: str, name: str, trials: int, seed: int) -> float:
        async with slots:
            return await ours(builtin, algorithm, name, trials, seed)

    async def other(library: str, algorithm: str, name: str, trials: int) -> list[float]:
        async with slots:
            return await theirs(python, library, algorithm, name, trials, seeds)

    try:
        for name in problems:
            measured, rows = PROBLEMS[name], []
            for algorithm in algorithms:
                if algorithm == "grid" and len(measured.axes) > 2:
                    continue  # A grid of ten axes is a random search.
                trials = measured.trials
                if algorithm == "bayesianoptimization":
                    trials = min(trials, _MODEL_TRIALS)
                mine = list(
                    await asyncio.gather(*(one(algorithm, name, trials, seed) for seed in range(seeds)))
                )
                for library in _BESIDE[algorithm]:
                    found = await other(library, algorithm, name, trials)
                    words, passed = verdict(
                        [each - measured.best for each in mine], [each - measured.best for each in found]
                    )
                    good = good and passed
                    rows.append(
                        (
                            f"{algorithm} beside {library}",
                            f"{statistics.median(mine) - measured.best:.4g}",
                            f"{statistics.median(found) - measured.best:.4g}  {words}",
                        )
                    )
            table(f"{name}: median regret after its trials, {seeds} seeds (ours, theirs)", rows)
    finally:
        await builtin.close()
    return good


def environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *_LIBRARIES], check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", action="append", choices=sorted(_BESIDE))
    parser.add_argument("--problem", action="append", choices=sorted(PROBLEMS))
    parser.add_argument(
        "--environment", type=Path, default=Path(tempfile.gettempdir()) / "sampan-tuning-libraries"
    )
    arguments = parser.parse_args()
    python = environment(arguments.environment)
    algorithms, problems = arguments.only or list(_BESIDE), arguments.problem or list(PROBLEMS)
    if not asyncio.run(measure(python, algorithms, problems, arguments.seeds)):
        sys.exit(1)


if __name__ == "__main__":
    main()
