"""Training runtimes: `model` is pure, `pages` shows all of them and each one."""
