"""Three trainings side by side, from plain Python: each call is a job, and gives back what the function returns."""

from __future__ import annotations

from sampan.sdk import remote


@remote(cpu=0.5, stream=False)
def best_step(lr: float) -> tuple[float, int]:
    position, steps = 10.0, 0
    while abs(position) > 0.01 and steps < 1000:
        position -= lr * 2 * position
        steps += 1
    print(f"lr={lr} steps={steps}")
    return lr, steps


for lr, steps in best_step.map([0.01, 0.1, 0.3]):
    print(f"with {lr} it takes {steps} steps")
