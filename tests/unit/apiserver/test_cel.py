"""CEL: values, functions, errors, and the bound on what an expression may cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sampan.cluster.apiserver.cel import Budget, CelError, OverBudgetError, compile_expression

SELF: dict[str, Any] = {
    "name": "Argo",
    "n": 3,
    "ratio": 0.5,
    "flag": True,
    "empty": None,
    "list": [1, 2, 3],
    "words": ["b", "a"],
    "map": {"a": 1, "b": 2},
    "items": [{"k": "x", "v": 1}, {"k": "y"}],
    "with-dash": 1,
    "namespace": "ns",
}


def run(text: str, steps: int = 100_000, **variables: Any) -> Any:
    return compile_expression(text).run({"self": SELF, **variables}, Budget(steps, 5))


@pytest.mark.parametrize(
    "text",
    [
        # Literals, operators, precedence.
        "1 + 2 * 3 == 7 && -7 / 2 == -3 && -7 % 2 == -1 && 0x10 == 16 && 1u + 2u == 3u",
        "'a' + \"b\" == 'ab' && r'\\d' == '\\\\d' && '''x\ny''' == 'x\\ny' && b'a' == bytes('a') && '\\u00e9' == 'é'",
        "[1, 2] + [3] == [1, 2, 3] && {'a': 1}['a'] == 1 && [[1]][0][0] == 1",
        "1 == 1.0 && 1 != '1' && null == null && [1] == [1.0] && {'a': 1} == {'a': 1.0}",
        "1 < 1.5 && 'a' < 'b' && !(true < false) && 1 in [1] && 'a' in self.map && !('z' in self.map)",
        "(self.n > 2 ? 'big' : 'small') == 'big' && !!true && - -1 == 1",
        "// a comment\n true",
        # Errors that do not count.
        "true || self.none == 1",
        "self.none == 1 || true",
        "!(false && self.none == 1)",
        "!(self.none == 1 && false)",
        "[0, 1].exists(i, 1 / i == 1)",
        # Fields.
        "has(self.name) && !has(self.none) && has(self.empty) && has(self.map.a)",
        "self.with__dash__dash == 1 && self.__namespace__ == 'ns'",
        "self.?none.orValue(5) == 5 && self.?n.orValue(5) == 3 && self.map[?'z'].hasValue() == false",
        "self.?none.?deeper.orValue('d') == 'd' && self.?n.optMap(x, x * 2).value() == 6",
        "[?self.?none, ?self.?n] == [3] && {?'a': self.?none} == {}",
        "optional.of(1).or(optional.of(2)).value() == 1 && optional.none().orValue(7) == 7",
        # Macros.
        "self.list.all(i, i > 0) && self.list.exists(i, i == 3) && self.list.exists_one(i, i > 2)",
        "self.list.map(i, i * 2) == [2, 4, 6] && self.list.map(i, i > 1, i) == [2, 3]",
        "self.list.filter(i, i < 2) == [1]",
        "self.map.all(k, self.map[k] > 0) && self.map.exists(k, v, k == 'b' && v == 2)",
        "self.list.all(i, v, v == i + 1) && self.list.transformList(i, v, i * v) == [0, 2, 6]",
        "self.map.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}",
        "self.items.all(x, has(x.v) || x.k == 'y')",
        "self.list.all(self, self > 0) && self.n == 3",
        # Conversions, types, times.
        "int('7') == 7 && double(1) == 1.0 && string(1.0) == '1' && uint(3) == 3u && bool('true')",
        "type(1) == int && type('a') == string && type([]) == list && type(self) == map && type(type(1)) == type",
        "size('héllo') == 5 && self.list.size() == 3 && size(self.map) == 2",
        "duration('1h30m') > duration('60m') && duration('90s').getMinutes() == 1",
        "timestamp('2024-01-31T10:00:00Z').getFullYear() == 2024",
        "timestamp('2024-01-31T10:00:00Z').getMonth() == 0",
        "timestamp('2024-01-01T00:00:00Z') + duration('24h') == timestamp('2024-01-02T00:00:00Z')",
        "timestamp('2024-01-07T00:00:00Z').getDayOfWeek() == 0",
        "timestamp('2024-01-01T00:00:00Z').getHours('+05:30') == 5",
        # Texts.
        "'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.contains('b') && 'abc'.matches('^a.c$')",
        "'abc'.charAt(1) == 'b' && 'hello'.indexOf('l') == 2 && 'hello'.lastIndexOf('l') == 3",
        "'a'.indexOf('z') == -1",
        "'aAé'.upperAscii() == 'AAé' && ' x '.trim() == 'x' && 'a-b'.replace('-', '+') == 'a+b'",
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && 'hello'.substring(1, 3) == 'el'",
        "'%s is %d and %.2f %x'.format(['x', 3, 1.5, 255]) == 'x is 3 and 1.50 ff'",
        "'a1b22'.find('[0-9]+') == '1' && 'a1b22'.findAll('[0-9]+') == ['1', '22']",
        # Lists and sets.
        "[1, 2, 2].isSorted() && !self.words.isSorted() && self.list.sum() == 6 && [].sum() == 0",
        "self.list.min() == 1 && self.list.max() == 3 && self.list.indexOf(2) == 1 && [1, 1].lastIndexOf(1) == 1",
        "sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1]) && sets.intersects([1], [1, 2])",
        # Kubernetes' own.
        "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('500m').compareTo(quantity('0.5')) == 0",
        "isQuantity('20Mi') && !isQuantity('x') && quantity('3').asInteger() == 3 && quantity('-1').sign() == -1",
        "quantity('1').add(quantity('1')).isLessThan(quantity('3'))",
        "url('https://u@example.com:80/path?k=a').getHost() == 'example.com:80' && isURL('/a') && !isURL('a b')",
        "url('https://[::1]:80/').getHostname() == '::1' && url('https://x/?k=a&k=b').getQuery()['k'] == ['a', 'b']",
        "ip('10.0.0.1').family() == 4 && isIP('::1') && !isIP('1.2.3') && ip('127.0.0.1').isLoopback()",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "cidr('10.1.2.3/8').prefixLength() == 8 && !isCIDR('10.0.0.0')",
        "!format.dns1123Label().validate('ok').hasValue()",
        "format.named('dns1123Label').value().validate('No').hasValue()",
    ],
)
def test_holds(text: str) -> None:
    assert run(text) is True


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("self.none", "no such key: none"),
        ("self.list[9]", "index out of bounds: 9"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("1 + 1.0", "no such overload: _+_(int, double)"),
        ("'a' > 1", "no such overload: _>_(string, int)"),
        ("1 && true", "no such overload: _&&_(int)"),
        ("self.name.none", "no such overload: field 'none' of string"),
        ("'a'.matches('(')", "regex"),
        ("optional.none().value()", "optional.none() dereference"),
        ("quantity('x')", "quantity parse error"),
        ("[1, 'a'].isSorted()", "no such overload"),
        ("'abc'.substring(3, 1)", "invalid substring range"),
        ("self.startsWith('a')", "no such overload"),
    ],
)
def test_has_no_value(text: str, error: str) -> None:
    with pytest.raises(CelError) as raised:
        run(text)
    assert error in str(raised.value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "not specified"),
        ("1 +", "Syntax error: mismatched input '<EOF>'"),
        ("self.", "Syntax error"),
        ("a b", "mismatched input 'b'"),
        ("'open", "token recognition error"),
        ("nothing()", "undeclared reference to 'nothing'"),
        ("self.nothing()", "undeclared reference to 'nothing'"),
        ("for", "reserved identifier: for"),
        ("has(self)", "invalid argument to has() macro"),
        ("9223372036854775808", "invalid int literal"),
        ("(" * 500 + "1" + ")" * 500, "recursion limit"),
        ("1" + "+1" * 20_000, "more than"),
        ("1" + "+1" * 5_000, "recursion limit"),
    ],
)
def test_does_not_compile(text: str, error: str) -> None:
    with pytest.raises(CelError) as raised:
        compile_expression(text)
    assert error in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "big.all(a, big.all(b, big.all(c, true)))",
        "big.map(a, big.map(b, big)).size() > 0",
        "big.all(a, big == big)",
        "big.all(a, !text.contains('b' + text))",
        "text.replace('', text).size() > 0",
        "big.map(a, text).join(text).size() > 0",
        "'%s'.format([big.map(a, big.map(b, text))]) == ''",
        "big.map(a, big).flatten().map(a, big).flatten().distinct().size() > 0",
        "big.all(a, text.matches('(a+)+$'))",
    ],
)
def test_cost_is_bounded(text: str) -> None:
    program = compile_expression(text)
    with pytest.raises(OverBudgetError):
        program.run({"big": list(range(2000)), "text": "a" * 5000}, Budget(200_000, 5))


def test_a_variable_of_a_loop_hides_one_outside_for_as_long_as_the_loop() -> None:
    assert run("[1].all(x, x == 1) && x == 5", x=5) is True
    with pytest.raises(CelError):
        run("[1].all(y, y == 1) && y == 1")


def test_python_values_of_time() -> None:
    assert run("d > duration('1m')", d=timedelta(minutes=2)) is True
