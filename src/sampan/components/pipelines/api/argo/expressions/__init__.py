"""Expressions of expr-lang (expr-lang.org, v1.17) with Argo's functions: `evaluate(text, variables)`.

lexer      text to tokens
parser     tokens to a tree
evaluator  a tree and variables to a value; its steps are counted, so that no expression holds up the engine
functions  what can be called; `sprig` those below `sprig.`
"""

from __future__ import annotations

from sampan.components.pipelines.api.argo.expressions.evaluator import evaluate, identifiers, parsed

__all__ = ["evaluate", "identifiers", "parsed"]
