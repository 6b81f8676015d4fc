"""The compose file and the Dockerfile, checked as far as a parser can: every name in them is a name of this project.
(There is no Docker engine where these tests run. That the same processes work together is another test's subject.)
"""

import ast
import fnmatch
import importlib
import importlib.util
import re
import shlex
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from memos.kit.config import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = {name: service for name, service in SERVICES.items() if service["image"].startswith("memos:")}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def instructions() -> list[tuple[str, list[str]]]:
    """(instruction, words) in order; comments dropped, continued lines joined."""
    joined = "\n".join(line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", joined).splitlines()
    words = [line.split(maxsplit=1) for line in lines if line.strip()]
    return [(first, yaml.safe_load(rest) if rest.startswith("[") else shlex.split(rest)) for first, rest in words]


def settings_names() -> set[str]:
    return {f"MEMOS_{name.upper()}" for name in Settings.model_fields}


def names_read_by(module: str) -> set[str]:
    """MEMOS_* names that a module reads from the environment by itself."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"no module {module}"
    assert spec.origin is not None
    return set(re.findall(r"MEMOS_[A-Z_]+", Path(spec.origin).read_text()))


def entry_problem(command: list[str]) -> str | None:
    """Why a command cannot start, or None."""
    match command:
        case ["python", "-m", module, *_]:
            spec = importlib.util.find_spec(module)
            if spec is None:
                return f"no module {module}"
            if spec.submodule_search_locations and importlib.util.find_spec(f"{module}.__main__") is None:
                return f"{module} has no __main__"
        case ["python", "-c", code]:
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom):
                    imported = importlib.import_module(node.module or "")
                    missing = [alias.name for alias in node.names if not hasattr(imported, alias.name)]
                    if missing:
                        return f"{node.module} has no {', '.join(missing)}"
        case ["celery", "-A", module, *_]:
            if importlib.util.find_spec(module) is None:
                return f"no module {module}"
        case [script, *_]:
            if script not in {entry.name for entry in entry_points(group="console_scripts")}:
                return f"no console script {script}"
    return None


@pytest.mark.parametrize("name", sorted(OWN))
def test_every_command_names_an_entry_point(name: str) -> None:
    assert entry_problem(OWN[name]["command"]) is None


def test_a_command_without_an_entry_point_is_noticed() -> None:
    for command in (["python", "-m", "workers.nobody"], ["python", "-c", "from memos.kit.config import Nothing"]):
        assert entry_problem(command)
    assert entry_problem(["memosd", "serve"])
    assert entry_problem(["celery", "-A", "workers.nobody", "worker"])


def test_the_model_workers_options_exist() -> None:
    from workers.model.cli import serve

    options = re.findall(r"--([a-z-]+)", " ".join(OWN["model-worker"]["command"]))
    assert options
    assert {option.replace("-", "_") for option in options} <= set(serve.__annotations__)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_setting_exists(name: str) -> None:
    service = SERVICES[name]
    known = settings_names()
    if service.get("command", [])[:2] == ["python", "-m"]:
        known |= names_read_by(service["command"][2])
    used = {key for key in service.get("environment", {}) if key.startswith("MEMOS_")}
    assert used <= known


def test_every_secret_comes_from_the_environment_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text)) == set(example)
    assert not any(example.values()), "the example carries no secret that someone could keep"
    # Without a value compose refuses to start, rather than starting with an empty secret.
    assert not re.findall(r"(?<!\$)\$\{[A-Z_]+\}", text)
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_volumes_networks_and_dependencies_resolve() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"], f"{name} mounts {source}"
        assert set(service["networks"]) <= set(COMPOSE["networks"]), name
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"], f"{name} waits for the health of {other}"
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no", f"{name} waits for the end of {other}"


def test_hosts_in_addresses_are_services() -> None:
    for name, service in SERVICES.items():
        for value in service.get("environment", {}).values():
            for host in re.findall(r"://(?:[^/@\s]*@)?([a-z][a-z-]*)[:/]", re.sub(r"\$\{[^}]*\}", "x", str(value))):
                assert host in SERVICES, f"{name} calls {host}"


def test_only_the_api_is_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["api"]
    assert all(str(port).startswith("127.0.0.1:") for port in published["api"])
    assert not any(service.get("network_mode") == "host" or service.get("privileged") for service in SERVICES.values())
    assert COMPOSE["networks"]["inner"]["internal"] is True


def test_long_lived_services_restart_and_say_how_they_are() -> None:
    for name, service in SERVICES.items():
        if service["restart"] == "no":
            continue
        assert service["restart"] == "unless-stopped", name
        assert "test" in service["healthcheck"] or service["healthcheck"]["disable"], name


def test_only_the_migration_holds_the_administrators_password() -> None:
    holders = {name for name, s in SERVICES.items() if "POSTGRES_PASSWORD" in str(s.get("environment"))}
    assert holders == {"postgres", "migrate"}


def test_every_copied_path_exists_and_enters_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    admitted = {line[1:] for line in ignored if line.startswith("!")}
    for instruction, words in instructions():
        if instruction == "COPY" and not words[0].startswith("--from"):
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert any(fnmatch.fnmatch(source.removeprefix("./"), pattern) for pattern in admitted), source
    assert "*" in ignored


def test_the_image_has_everything_the_package_needs() -> None:
    """What setuptools collects is what the Dockerfile copies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = {word for instruction, words in instructions() if instruction == "COPY" for word in words[:-1]}
    assert packages | {project["project"]["readme"], "pyproject.toml", "constraints.txt"} <= copied


def test_the_image_runs_as_nobody_in_particular() -> None:
    stages = [index for index, (instruction, _) in enumerate(instructions()) if instruction == "FROM"]
    last = instructions()[stages[-1] :]
    assert ("USER", ["memos"]) in last
    assert last.index(("USER", ["memos"])) < next(i for i, (name, _) in enumerate(last) if name == "CMD")
    command = next(words for name, words in last if name == "CMD")
    assert entry_problem(command) is None
    known = set("FROM ARG ENV RUN WORKDIR COPY USER EXPOSE STOPSIGNAL CMD".split())
    assert {name for name, _ in instructions()} <= known
