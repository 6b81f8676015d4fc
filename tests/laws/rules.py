"""The laws that a parser can hold. Each rule reads one file and yields what breaks it; `test_rules.py` proves each on a
good and a planted bad example, `test_tree.py` applies all of them to the whole tree.

The laws are those of ARCHITECTURE.md; the house rules that need a parser are in `house.py`.
A rule is deliberately blunt: it goes by names and places, so that code which keeps the law also looks as if it did.
Where a file must be excepted, its path stands here with the reason.
"""

import ast
import fnmatch
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

SERVICE = ("memos/*", "workers/*")
PRODUCT = (*SERVICE, "models/*", "migrations/*")
EVERYTHING = (*PRODUCT, "benchmarks/*", "tests/*")


@dataclass(frozen=True)
class Source:
    """One Python file, by its path from the root of the repository."""

    path: str
    code: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.code, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes if isinstance(node, ast.Call))

    def within(self, *patterns: str) -> bool:
        return any(fnmatch.fnmatch(self.path, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


Found = Iterator[tuple[int, str]]
Check = Callable[[Source], Found]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Rule:
    """`check` runs on the files that match `where` and none of `excepted`."""

    name: str
    where: tuple[str, ...]
    excepted: tuple[str, ...]
    check: Check

    def findings(self, source: Source) -> list[Finding]:
        if not source.within(*self.where) or source.within(*self.excepted):
            return []
        return [Finding(source.path, line, what) for line, what in sorted(set(self.check(source)))]


RULES: dict[str, Rule] = {}


def register(*where: str, excepted: tuple[str, ...] = ()) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        RULES[check.__name__] = Rule(check.__name__, where, excepted, check)
        return check

    return add


def last_name(node: ast.AST) -> str:
    """`c` of `a.b.c`, of `c`, and of a call of either; empty for anything else."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Every imported module, and every name taken from one, as a dotted path."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def is_method(call: ast.Call, *names: str) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in names


# Law 1


IMPURE_MODULES = frozenset(
    "asyncio glob http io logging multiprocessing os pathlib random secrets select shutil signal socket sqlite3 ssl "
    "subprocess tempfile threading time urllib uuid".split()
)
CLOCK_READS = ("now", "utcnow", "today")


@register("memos/kernel/*")
def law_1_kernel_is_pure(source: Source) -> Found:
    for line, name in imported(source):
        top = name.split(".")[0]
        if not name.startswith("memos.kernel") and (top not in sys.stdlib_module_names or top in IMPURE_MODULES):
            yield line, f"the kernel imports {name}: it may use itself and the pure part of the standard library"
    for call in source.calls:
        if is_method(call, *CLOCK_READS) or (
            isinstance(call.func, ast.Name) and call.func.id in ("open", "print", "input")
        ):
            yield call.lineno, f"the kernel calls {last_name(call)}(): time, files and terminals are handed in"


# Law 3


@register("memos/sdk/*")
def law_3_sdk_stands_alone(source: Source) -> Found:
    for line, name in imported(source):
        if re.match(r"(memos\.(?!sdk\b|__version__$)|models\b|workers\b|migrations\b)", name):
            yield line, f"the SDK imports {name}"


# Law 4


COMMITTERS = (
    "memos/kit/unit_of_work.py",
    "memos/sdk/*",  # law 3 keeps it from any database
    "migrations/*",
    "benchmarks/*",
    "tests/*",
)


@register(*EVERYTHING, excepted=COMMITTERS)
def law_4_one_committer(source: Source) -> Found:
    for call in source.calls:
        # A connection's own begin and rollback take no argument; with one it is a conversation's rollback, say.
        plain = is_method(call, "rollback", "begin") and not call.args and not call.keywords
        if plain or is_method(call, "commit", "begin_nested"):
            yield call.lineno, f".{last_name(call)}(): only the unit of work ends a transaction"


TRANSACTIONS = ("unit_of_work", "read", "transaction")
GENERATOR_CALLS = "generate fold advance reads diff diff_tensors merge embed start_payload identity".split()


@register(*SERVICE)
def law_4_no_model_in_a_transaction(source: Source) -> Found:
    for block in (node for node in source.nodes if isinstance(node, ast.AsyncWith | ast.With)):
        if not any(
            isinstance(i.context_expr, ast.Call) and last_name(i.context_expr) in TRANSACTIONS for i in block.items
        ):
            continue
        for statement in block.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and _asks_generator(node):
                    yield node.lineno, f"{dotted(node.func)}() while a transaction is open"


def _asks_generator(call: ast.Call) -> bool:
    method = call.func
    if not isinstance(method, ast.Attribute) or method.attr not in GENERATOR_CALLS:
        return False
    return "generator" in last_name(method.value).lower()


# Law 5


DOCTOR = "memos/cli/doctor/*"  # looks at addresses before anything else can; a rule below bounds what it reads
DATABASE_EDGE = ("memos/kit/db.py", "memos/embedded/*", DOCTOR, "migrations/*", "benchmarks/*", "tests/*")
SQL_PLACES = (
    "*/store.py",
    "memos/kit/doors.py",
    "memos/kit/unit_of_work.py",
    "memos/kit/wakeups.py",  # LISTEN and NOTIFY: they touch no table
    *DATABASE_EDGE,
)


@register(*EVERYTHING, excepted=DATABASE_EDGE)
def law_5_one_way_to_the_database(source: Source) -> Found:
    makers = ("create_async_engine", "create_engine", "async_engine_from_config", "engine_from_config")
    for call in source.calls:
        path = dotted(call.func)
        if last_name(call) in makers or re.search(r"(^|\.)(psycopg|AsyncConnection|Connection)\.connect$", path):
            yield call.lineno, f"{path}(): connections are made by memos.kit.db alone"


@register(*EVERYTHING, excepted=SQL_PLACES)
def law_5_sql_lives_in_stores(source: Source) -> Found:
    from_sqlalchemy = {name.rsplit(".", 1)[1] for _, name in imported(source) if name.startswith("sqlalchemy.")}
    for call in source.calls:
        plain = isinstance(call.func, ast.Name) and call.func.id == "text" and "text" in from_sqlalchemy
        if plain or dotted(call.func) in ("sqlalchemy.text", "sa.text", "sql.text"):
            yield call.lineno, "text(): SQL is written in a store"
        # Without an argument it is a pipeline of something else (Redis).
        elif is_method(call, "execute", "executemany", "exec_driver_sql", "scalar", "scalars") and call.args:
            yield call.lineno, f".{last_name(call)}(...): SQL is run in a store"


@register(*SERVICE, "models/*", "benchmarks/*", excepted=("memos/kit/doors.py",))
def law_5_three_doors(source: Source) -> Found:
    descriptions = {id(node) for node in docstrings(source)}
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in descriptions:
            if "memos_door" in node.value:
                yield node.lineno, "a door that crosses tenants is opened by memos.kit.doors alone"


def docstrings(source: Source) -> Iterator[ast.Constant]:
    for node in source.nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first.value


@register(DOCTOR)
def law_5_doctor_reads_catalogues(source: Source) -> Found:
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for table in re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)", node.value):
                if not table.startswith("pg_") and table != "alembic_version":
                    yield node.lineno, f"the doctor reads {table}: it may look at catalogues and the schema's revision"


# Law 6


MESSAGE_PARTS = ("job_id", "tenant_id", "task", "subject")


@register(*SERVICE)
def law_6_messages_carry_ids(source: Source) -> Found:
    for call in source.calls:
        if is_method(call, "apply_async", "delay") or (
            is_method(call, "send_task") and not source.within("workers/dispatcher.py")
        ):
            yield call.lineno, f".{last_name(call)}(): work reaches the queue through the outbox and the dispatcher"
        elif is_method(call, "send_task"):
            carried = next((k.value for k in call.keywords if k.arg == "args"), None)
            parts = carried.elts if isinstance(carried, ast.List | ast.Tuple) else [carried]
            if len(call.args) > 1 or any(p is None or last_name(p) not in MESSAGE_PARTS for p in parts):
                yield call.lineno, f"a message carries more than {', '.join(MESSAGE_PARTS)}"


# Law 7


CONTAINER_MAKERS = frozenset(
    "list dict set bytearray defaultdict deque OrderedDict Counter ChainMap WeakKeyDictionary WeakValueDictionary "
    "WeakSet LRUCache TTLCache".split()
)
CONTAINERS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTATORS = "append add update setdefault pop popitem clear extend insert remove discard appendleft popleft".split()
CONSTANT = re.compile(r"_*[A-Z][A-Z0-9_]*$|__[a-z]+__$")


@register(*SERVICE)
def law_7_no_state_in_modules(source: Source) -> Found:
    constants: set[str] = set()
    for name, value, line in module_assignments(source):
        if isinstance(value, CONTAINERS) or (isinstance(value, ast.Call) and last_name(value) in CONTAINER_MAKERS):
            if CONSTANT.match(name):
                constants.add(name)
            else:
                yield line, f"module-level {name} can change: state goes in and comes out by argument"
    for node in source.nodes:
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}: state goes in and comes out by argument"
    # A registry is filled while modules load, by a function that says so; nothing else writes to a constant.
    for function in functions(source.tree, enter=lambda f: not f.name.lstrip("_").startswith("register")):
        yield from (
            (line, f"{function.name}() changes the constant {name}") for line, name in _writes(function, constants)
        )


def functions(node: ast.AST, enter: Callable[[Function], bool]) -> Iterator[Function]:
    """The functions in a tree, without those that `enter` refuses and what is inside them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if not enter(child):
                continue
            yield child
        yield from functions(child, enter)


def module_assignments(source: Source) -> Iterator[tuple[str, ast.expr, int]]:
    """(name, value, line) of what a module binds at its top, without what is declared Final."""
    for node in source.tree.body:
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from ((name, node.value, node.lineno) for name in names)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            annotation = node.annotation.value if isinstance(node.annotation, ast.Subscript) else node.annotation
            if last_name(annotation) != "Final":
                yield node.target.id, node.value, node.lineno


def _writes(function: Function, names: set[str]) -> Found:
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            changed: ast.expr = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            changed = node.func.value
        else:
            continue
        if isinstance(changed, ast.Name) and changed.id in names:
            yield changed.lineno, changed.id


# Law 8


PICKLERS = frozenset("pickle _pickle cPickle dill cloudpickle joblib shelve marshal".split())


@register(*EVERYTHING)
def law_8_no_pickle(source: Source) -> Found:
    for line, name in imported(source):
        if name.split(".")[0] in PICKLERS:
            yield line, f"import of {name}: payloads travel as safetensors"
    for call in source.calls:
        keywords = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        if dotted(call.func) == "torch.load" and keywords.get("weights_only") is not True:
            yield call.lineno, "torch.load without weights_only=True runs what is in the file"
        if keywords.get("allow_pickle") is True:
            yield call.lineno, "allow_pickle=True runs what is in the file"
