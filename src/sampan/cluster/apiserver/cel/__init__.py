"""The Common Expression Language as CustomResourceDefinitions use it, with a bound on what an expression may cost.

    parsing      text to a tree
    evaluation   a tree to nested functions, each call counted
    data         types beyond JSON's, equality, order, arithmetic, errors
    registry     the table of functions: conversions, texts (and patterns), functions (lists, sets, …), networking

Knows no Kubernetes object; `rules` and `admission.dynamic` call it. Why it is ours:
 docs/decisions/0007-rules-have-a-budget.md.
Source: github.com/google/cel-spec/doc/langdef.md and k8s.io/apiserver/pkg/cel/library, v1.31.
"""

from sampan.cluster.apiserver.cel.data import Budget, CelError, OverBudgetError, type_name
from sampan.cluster.apiserver.cel.evaluation import Program, compile_expression

__all__ = ["Budget", "CelError", "OverBudgetError", "Program", "compile_expression", "type_name"]
