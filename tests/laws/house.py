"""House rules that need a parser: sizes, swallowed errors, skips, unfinished work. They register with the laws."""

import ast
import io
import re
import tokenize

from tests.laws.rules import EVERYTHING, Found, Source, docstrings, dotted, last_name, register

FILE_LINES = 400
FUNCTION_LINES = 70


@register(*EVERYTHING)
def house_short_files_and_functions(source: Source) -> Found:
    lines = source.code.count("\n") + (not source.code.endswith("\n"))
    if lines > FILE_LINES:
        yield lines, f"{lines} lines in one file; {FILE_LINES} is the limit"
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield node.lineno, f"{node.name}() has {length} lines; {FUNCTION_LINES} is the limit"


BROAD = ("Exception", "BaseException")


@register(*EVERYTHING)
def house_no_swallowed_errors(source: Source) -> Found:
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type] if node.type else []
            broad = not kinds or any(last_name(kind) in BROAD for kind in kinds)
            if broad and all(_does_nothing(statement) for statement in node.body):
                yield node.lineno, "every error is swallowed here: name those that are harmless, or report them"
        elif (
            isinstance(node, ast.Call)
            and last_name(node) == "suppress"
            and any(last_name(a) in BROAD for a in node.args)
        ):
            yield node.lineno, "suppress(Exception) swallows every error: name those that are harmless"


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


SAYS_WHY_FIRST = ("pytest.skip", "pytest.xfail", "pytest.mark.skip")
SKIPS = (*SAYS_WHY_FIRST, "pytest.mark.skipif", "pytest.mark.xfail", "pytest.importorskip")


@register("tests/*", "benchmarks/*")
def house_reasons_for_skips(source: Source) -> Found:
    for node in source.nodes:
        if not isinstance(node, ast.Attribute) or dotted(node) not in SKIPS:
            continue
        call = next((call for call in source.calls if call.func is node), None)
        if not _has_reason(call, positional=dotted(node) in SAYS_WHY_FIRST):
            yield node.lineno, f"{dotted(node)} without a reason"


def _has_reason(call: ast.Call | None, *, positional: bool) -> bool:
    if call is None:
        return False
    candidates = [k.value for k in call.keywords if k.arg == "reason"] + (call.args[:1] if positional else [])
    return any(not isinstance(c, ast.Constant) or bool(c.value) for c in candidates)


DRAWN = frozenset(
    "new_id uuid4 uuid7 token_hex token_bytes token_urlsafe urandom random randint choice now time".split()
)


@register("tests/*")
def house_stable_parameters(source: Source) -> Found:
    """pytest-xdist runs nothing when two of its processes name the cases of a test differently."""
    for call in source.calls:
        if dotted(call.func) == "pytest.mark.parametrize" and not any(k.arg == "ids" for k in call.keywords):
            for inner in ast.walk(call):
                if isinstance(inner, ast.Call) and last_name(inner) in DRAWN:
                    yield inner.lineno, f"{last_name(inner)}() differs between processes: draw in the test, or give ids"


UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")


@register(*EVERYTHING)
def house_nothing_unfinished(source: Source) -> Found:
    for token in tokenize.generate_tokens(io.StringIO(source.code).readline):
        if token.type == tokenize.COMMENT and UNFINISHED.search(token.string):
            yield token.start[0], f"unfinished: {token.string.strip()}"
    for description in docstrings(source):
        if UNFINISHED.search(str(description.value)):
            yield description.lineno, "unfinished, says the docstring"
    for node in source.nodes:
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield node.lineno, "NotImplementedError: write it, or make it a Protocol"
