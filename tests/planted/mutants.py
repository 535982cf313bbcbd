"""Mutants: one small change each of a module, made from its syntax tree.

A mutant is named by the module, the text of the line and the change, not by the number of the line, so that a list
of them outlives the lines above.
"""

from __future__ import annotations

import ast
import copy
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Mutant", "apply", "mutants_of", "sampled"]


class Mutant(NamedTuple):
    """`text[start:end]` of the module's source becomes `new`. `line` counts from 1, `code` is its text."""

    module: str
    line: int
    code: str
    change: str
    start: int
    end: int
    new: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it for good."""
        return self.module, self.code, self.change

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line}: {self.change}: {self.code}"


_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_SIGNS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in", ast.Add: "+", ast.Sub: "-", ast.Mult: "*",
    ast.FloorDiv: "//", ast.Div: "/", ast.Mod: "%", ast.LShift: "<<", ast.RShift: ">>", ast.BitAnd: "&",
    ast.BitOr: "|", ast.And: "and", ast.Or: "or",
}  # fmt: skip

# What is said to people is held by other tests, and is not what these are for.
_TOLD = frozenset({"remedy", "position", "detail", "message"})


def mutants_of(module: str, text: str) -> list[Mutant]:
    """All mutants of a module's source, in the order of their places."""
    return list(_Maker(module, text).all())


def apply(text: str, mutant: Mutant) -> str:
    """The source with the change in it."""
    return text[: mutant.start] + mutant.new + text[mutant.end :]


def sampled(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many of them, the same for the same seed and source."""
    return random.Random(seed).sample(list(mutants), min(count, len(mutants)))


class _Maker:
    def __init__(self, module: str, text: str) -> None:
        self._module = module
        self._lines = text.splitlines()
        # Columns of the syntax tree count bytes of UTF-8; places of a mutant count characters.
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._tree = ast.parse(text)

    def all(self) -> Iterator[Mutant]:
        named: Counter[tuple[str, str, str]] = Counter()
        for node in self._walk(self._tree):
            for change, new in _changes(node):
                mutant = self._mutant(node, change, new)
                named[mutant.key] += 1
                if (
                    named[mutant.key] > 1
                ):  # the same change elsewhere in the line, or in the same line elsewhere
                    mutant = mutant._replace(change=f"{change} ({named[mutant.key]})")
                yield mutant

    def _walk(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes that something runs: without annotations, lists of names, and words for people."""
        if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in ("__all__", "__slots__") for target in node.targets
        ):
            return
        if isinstance(node, ast.FunctionDef) and node.name == "__repr__":
            return
        if isinstance(node, ast.keyword) and node.arg in _TOLD:
            return
        yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "bases"):
                continue
            if isinstance(node, ast.ClassDef) and name == "keywords":
                continue  # how a class is stored: `frozen`, `gc`
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._walk(child)

    def _mutant(self, node: ast.AST, change: str, new: str) -> Mutant:
        assert isinstance(node, ast.expr | ast.stmt) and node.end_lineno and node.end_col_offset is not None
        line = self._lines[node.lineno - 1]
        return Mutant(
            self._module,
            node.lineno,
            line.strip(),
            change,
            self._place(node.lineno, node.col_offset),
            self._place(node.end_lineno, node.end_col_offset),
            new,
        )

    def _place(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


def _changes(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The changes of one node: in words, and its new text."""
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in _COMPARED[type(operator)]:
                    twin = copy.deepcopy(node)
                    twin.ops[index] = other()
                    yield f"{_SIGNS[type(operator)]} to {_SIGNS[other]}", _text(twin)
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield f"{_SIGNS[type(node.op)]} to {_SIGNS[other]}", _text(ast.BoolOp(other(), node.values))
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", _text(node.operand)
        case ast.BinOp() if type(node.op) in _COUNTED:
            other = _COUNTED[type(node.op)]
            yield (
                f"{_SIGNS[type(node.op)]} to {_SIGNS[other]}",
                _text(ast.BinOp(node.left, other(), node.right)),
            )
        case ast.AugAssign() if type(node.op) in _COUNTED:
            other = _COUNTED[type(node.op)]
            new = ast.unparse(ast.AugAssign(node.target, other(), node.value))
            yield f"{_SIGNS[type(node.op)]}= to {_SIGNS[other]}=", new
        case ast.Constant(value=bool(value)):
            yield f"{value} to {not value}", str(not value)
        case ast.Constant(value=int(value)):
            for other in (value + 1, value - 1):
                yield f"{value} to {other}", str(other) if other >= 0 else f"({other})"
        case ast.Return(value=ast.expr() as value):
            if not (
                isinstance(value, ast.Constant) and (value.value is None or isinstance(value.value, bool))
            ):
                yield "returns None", "return None"
        case ast.Expr(value=ast.Call()):
            yield "call dropped", "pass"
        case ast.Raise():
            yield "raise dropped", "pass"
        case ast.Break():
            yield "break to continue", "continue"
        case ast.Continue():
            yield "continue to break", "break"
        case _:
            pass


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"
