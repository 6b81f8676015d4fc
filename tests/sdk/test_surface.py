"""What a user of the client sees: every public name is exported and described, it imports little and fast, and a
published type fits the service's own.
"""

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from memos import sdk
from memos.access import schemas as access
from memos.archives import schemas as archives
from memos.audit import schemas as audit
from memos.consolidation import schemas as consolidation
from memos.conversations import schemas as conversations
from memos.cubes import schemas as cubes
from memos.deltas import schemas as trainings
from memos.embedders import schemas as embedders
from memos.erasure import schemas as erasure
from memos.jobs import schemas as jobs
from memos.keys import schemas as keys
from memos.memories import schemas as memories
from memos.policies import schemas as policies
from memos.sdk import errors
from memos.timemachine import schemas as timemachine
from memos.turns import schemas as turns

MODULES = [
    importlib.import_module(f"memos.sdk.{one.name}")
    for one in pkgutil.iter_modules(sdk.__path__)
    if not one.name.startswith("_")
]
MOST_MODULES = 420  # the standard library's included; 350 now
# The HTTP library waits for the first call.
IMPORTED = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}


def public(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and inspect.isclass(value) and value.__module__ == module.__name__
    }


def test_every_public_class_is_exported() -> None:
    found = set().union(*map(public, MODULES))
    assert found - set(sdk.__all__) == {"Model"}
    assert set(sdk.__all__) - found == {"StreamEvent", "Address"}
    assert len(set(sdk.__all__)) == len(sdk.__all__)


@pytest.mark.parametrize("name", sorted(set(sdk.__all__) - {"StreamEvent"}))
def test_every_public_name_is_described(name: str) -> None:
    described = getattr(sdk, name)
    assert described.__doc__, f"{name} has no description"
    assert described.__doc__ != BaseModel.__doc__
    for member, value in inspect.getmembers(described):
        own = not member.startswith("_") and not hasattr(BaseModel, member) and not hasattr(Exception, member)
        if own and (inspect.isfunction(value) or isinstance(value, property)):
            assert value.__doc__, f"{name}.{member} has no description"


def test_every_call_is_described() -> None:
    with sdk.Memos("http://127.0.0.1:9", "k") as made:
        resources = {name: held for name, held in vars(made).items() if not name.startswith("_")}
        assert len(resources) > 14
        for resource, held in resources.items():
            assert type(held).__doc__
            for name in (n for n in dir(held) if not n.startswith("_")):
                assert getattr(held, name).__doc__, f"{resource}.{name} has no description"
                assert inspect.signature(getattr(held, name)).return_annotation is not inspect.Signature.empty


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = next((word for word in line.replace("|-", " ").replace("`-", " ").split() if word.endswith("Error")), "")
        if name and line.startswith("    "):
            level = (len(line[: line.index(name)]) - 4) // 3
            path[level:] = [name]
            drawn[name] = path[level - 1] if level else "Exception"
    assert drawn == {name: getattr(errors, name).__mro__[1].__name__ for name in public(errors)}


PAIRS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (getattr(held, name), getattr(module, name))
    for held in MODULES
    for module in (
        access,
        audit,
        archives,
        conversations,
        consolidation,
        cubes,
        embedders,
        erasure,
        jobs,
        keys,
        memories,
        policies,
        timemachine,
        trainings,
        turns,
    )
    for name in sorted(public(module) & public(held))
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda model: getattr(model, "__name__", ""))
def test_our_values_hold_every_field_of_the_services(ours: type[BaseModel], theirs: type[BaseModel]) -> None:
    assert set(ours.model_fields) == set(theirs.model_fields)
    for name, field in theirs.model_fields.items():
        if type(None) in get_args(field.annotation):
            assert type(None) in get_args(ours.model_fields[name].annotation), f"{name} may be null"


def test_most_answers_of_the_service_are_held() -> None:
    assert len(PAIRS) >= 18


MEASURE = """
import json, sys
before = set(sys.modules)
import memos.sdk
fresh = set(sys.modules) - before
tops = {name.split(".")[0] for name in fresh}
brought = sorted(top for top in tops - set(sys.stdlib_module_names) - {"memos"} if not top.startswith("_"))
ours = sorted(name for name in sys.modules if name.startswith("memos."))
print(json.dumps({"modules": len(fresh), "packages": brought, "memos": ours}))
"""


def imported() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_import_is_light() -> None:
    """By what is loaded; how long it takes is measured by benchmarks/sdk_overhead.py."""
    found = imported()
    assert set(found["packages"]) <= IMPORTED
    assert found["modules"] < MOST_MODULES
    assert all(name == "memos.sdk" or name.startswith("memos.sdk.") for name in found["memos"])


def test_without_its_packages_the_command_line_says_what_to_install() -> None:
    hidden = "import sys; sys.modules['typer'] = None; from memos.cli.entry import main; main()"
    hide = "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n: None if n == 'typer' else f(n); "
    done = subprocess.run([sys.executable, "-c", hide + hidden], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == "the command line needs typer: pip install 'memos[cli]', or 'memos[all]' to serve"
