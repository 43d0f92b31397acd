"""Packages that are missing or too old end with 28 before anything is sent, and the way out of it leads on."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
import venv
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from conftest import KEY, PATIENCE, SCRIPTS, Run
from fake_service import FakeService, answer, create, job
from interpreters import interpreter, run_with
from mediakit.base import environment, packages

POSIX = pytest.mark.skipif(os.name == "nt", reason="modes and sh")
BARE = [sys.executable, "-E", "-S"]


def install(folder: Path, name: str, version: str, module: str | None = None, layout: str = "wheel", **needs: str):
    """What an installer leaves behind: a module, and metadata beside it."""
    module = module or name.lower().replace("-", "_")
    (folder / module).mkdir(parents=True, exist_ok=True)
    (folder / module / "__init__.py").touch()
    if module in packages._COMPILED:
        (folder / module / (packages._COMPILED[module] + EXTENSION_SUFFIXES[0])).touch()
    spelled = name.replace("-", "_")
    if layout == "wheel":
        beside = folder / f"{spelled}-{version}.dist-info"
        lines = [f"Requires-Dist: {package}{least}" for package, least in needs.items()]
        lines += ["Requires-Dist: never-there>=9; extra == 'socks'"]
        beside.mkdir()
        (beside / "METADATA").write_text("\n".join(["Name: x", *lines, "", "Requires-Dist: words-of-a-readme"]))
    elif layout == "debian":
        beside = folder / f"{spelled}-{version}.egg-info"
        beside.mkdir()
        lines = [f"{package}{least}" for package, least in needs.items()]
        (beside / "requires.txt").write_text("\n".join([*lines, "", "[socks]", "never-there>=9"]))
    elif layout == "file":
        (folder / f"{spelled}-{version}.egg-info").write_text("Name: x\n")
    else:  # copied without metadata
        (folder / module / "_version.py").write_text(f"__version__ = version = '{version}'\n")


ALL = {
    "requests": ("2.32.0", None),
    "urllib3": ("2.6.0", None),
    "python-dotenv": ("1.0.0", "dotenv"),
    "PyYAML": ("6.0", "yaml"),
    "Pillow": ("10.1.0", "PIL"),
    "jsonschema": ("4.18.0", None),
}


def everything(folder: Path, **other: str) -> list[str]:
    for name, (version, module) in ALL.items():
        install(folder, name, other.get(name.replace("-", "_"), version), module)
    return [str(folder)]


def emptied(module: Path) -> None:
    for file in module.iterdir():
        file.unlink()


def for_another_python(module: Path) -> None:
    (module / ("_imaging" + EXTENSION_SUFFIXES[0])).rename(module / "_imaging.cpython-27-x86_64-linux-gnu.so")


# what is there of it, and cannot be imported -> the package
NOT_WHOLE = {
    "a folder without its module": ("requests", lambda module: (module / "__init__.py").unlink(), "requests"),
    "an empty folder": ("requests", emptied, "requests"),
    "metadata alone": ("yaml", lambda module: (emptied(module), module.rename(module.with_name("gone"))), "pyyaml"),
    "a binary for another Python": ("PIL", for_another_python, "pillow"),
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_a_package_that_cannot_be_imported_is_not_there(tmp_path, monkeypatch, name):
    monkeypatch.setattr(packages, "_is_found_otherwise", lambda module: False)
    module, damage, package = NOT_WHOLE[name]
    everything(tmp_path)
    assert packages.problems([str(tmp_path)]) == []
    damage(tmp_path / module)
    assert [(one.package, one.found) for one in packages.problems([str(tmp_path)])] == [(package, None)]


def test_the_least_versions_are_enough(tmp_path):
    assert packages.problems(everything(tmp_path)) == []


@pytest.mark.parametrize("layout", ["wheel", "debian", "file", "copied"])
@pytest.mark.parametrize("version", ["1.26.12", "2.0.7", "2.5.0", "2", "0.1rc1"])
def test_an_old_version_is_seen_however_it_was_installed(tmp_path, layout, version):
    path = everything(tmp_path / "later")
    install(tmp_path / "first", "urllib3", version, layout=layout)
    assert packages.problems([str(tmp_path / "first"), *path]) == [packages.Problem("urllib3", version, "2.6")]
    assert packages.problems([*path, str(tmp_path / "first")]) == []


def test_what_a_package_needs_itself_is_looked_at_too(tmp_path):
    path = everything(tmp_path / "most")
    install(tmp_path / "first", "urllib3", "2.8.0", brotli=">=1.0.9", h2=" (>=4,<99)")
    install(tmp_path / "first", "brotli", "0.6.0")
    install(tmp_path / "debian", "requests", "2.32.3", layout="debian", idna="<4,>=2.5")
    found = packages.problems([str(tmp_path / "first"), str(tmp_path / "debian"), *path])
    # Whatever of these the tests' own Python has is no matter here: they are looked for where they would be.
    assert packages.Problem("brotli", "0.6.0", "1.0.9") in found
    assert {one.package for one in found} <= {"brotli", "h2", "idna"}


def test_a_package_that_tells_no_version_is_taken_as_it_is(tmp_path):
    path = everything(tmp_path / "most")
    (tmp_path / "first/urllib3").mkdir(parents=True)
    (tmp_path / "first/urllib3/__init__.py").touch()
    assert packages.problems([str(tmp_path / "first"), *path]) == []


# what happens to the folders of the path -> whether the packages are looked at again
CHANGES = {
    "nothing": (lambda site: None, False),
    "an upgrade": (lambda site: (site / "urllib3-2.6.0.dist-info").rename(site / "urllib3-2.6.1.dist-info"), True),
    "a package is gone": (lambda site: (site / "dotenv").rename(site.parent / "dotenv"), True),
    "a package is emptied": (lambda site: (site / "requests/__init__.py").unlink(), True),
    "a folder more": (lambda site: sys.path.append(str(site.parent)), True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_that_no_package_is_missing_is_remembered_until_something_changes(tmp_path, monkeypatch, change):
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "path", everything(tmp_path / "site"))
    happens, is_seen = CHANGES[change]
    assert packages.missing() == packages.missing() == []
    monkeypatch.setattr(packages, "problems", lambda: ["looked again"])
    happens(tmp_path / "site")
    assert packages.missing() == (["looked again"] if is_seen else [])


def test_what_is_missing_is_never_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("AI_MEDIA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "path", everything(tmp_path / "site", urllib3="2.0"))
    assert [one.package for one in packages.missing()] == [one.package for one in packages.missing()] == ["urllib3"]


# script -> arguments of a run that would ask a service
ASKING = {
    "create_and_wait.py": ["--model", "z-image/z-image", "--prompt", "a"],
    "wait_generation.py": ["--generation-id", "gen_1"],
}


@pytest.mark.parametrize("script", ASKING)
def test_old_packages_end_every_script_that_sends_before_it_does(scripts, tmp_path, script):
    install(tmp_path / "old", "urllib3", "1.26.12")
    with FakeService() as service:
        where = ["--provider", "skills-video", "--base-url", service.base_url]
        env = {"PYTHONPATH": str(tmp_path / "old"), "SKILLS_VIDEO_API_KEY": KEY}
        run = scripts.run(script, *where, *ASKING[script], env=env)
        assert (run.code, run.result["error"], service.connections) == (28, "package_too_old", 0), run.events
    assert [run.result[name] for name in ("package", "found", "required")] == ["urllib3", "1.26.12", "2.6"]
    assert run.names == ["error"] and run.result["outcome"] == "not_sent"


@pytest.mark.parametrize(
    "script, arguments",
    [
        ("create_and_wait.py", ["--provider", "sandbox", "--task", "t2i", "--prompt", "a"]),
        ("jobs.py", ["resume", "--all-undelivered"]),
        ("account.py", ["sandbox", "--as", "image-skill", "quota"]),
        ("sandbox.py", []),
        ("inspect_openapi.py", ["--openapi", "https://example.com/openapi.yaml", "--list-endpoints"]),
    ],
)
def test_old_packages_end_the_other_scripts_too(scripts, tmp_path, script, arguments):
    install(tmp_path / "old", "python-dotenv", "0.9", "dotenv")
    run = scripts.run(script, *arguments, env={"PYTHONPATH": str(tmp_path / "old")})
    assert (run.code, run.result["error"], run.result["package"]) == (28, "package_too_old", "python-dotenv"), (
        run.events
    )


UNUSABLE = {
    "built for another Python": ("urllib3", "raise ImportError('no such symbol')"),
    "cut": ("requests", "def ("),
    "one that ends the program": ("requests", "raise SystemExit(3)"),
    "an empty folder": ("certifi", ""),
    "one that raises anything": ("idna", "raise RuntimeError('odd')"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_package_that_is_there_and_cannot_be_imported_sends_nothing(scripts, tmp_path, name):
    package, code = UNUSABLE[name]
    (tmp_path / "odd" / package).mkdir(parents=True)
    (tmp_path / "odd" / package / "__init__.py").write_text(code)
    with FakeService(create=answer(202, job())) as service:
        odd = create(scripts, service, "--no-wait", streams=False, env={"PYTHONPATH": str(tmp_path / "odd")})
        assert (odd.code, odd.result["error"], service.connections) == (28, "missing_dependency", 0), odd.events
        assert odd.result["outcome"] == "not_sent" and odd.result["next_command"]
        assert create(scripts, service, "--no-wait", streams=False).code == 0 and service.posts() == 1


@pytest.mark.parametrize("flags", [["--online"], [], ["--provider", "sandbox"]], ids=str)
def test_the_guide_is_never_ready_where_the_next_command_would_end_so(scripts, tmp_path, flags):
    install(tmp_path / "old", "urllib3", "2.0.7")
    run = scripts.run("preflight.py", *flags, env={"PYTHONPATH": str(tmp_path / "old"), "SKILLS_VIDEO_API_KEY": KEY})
    assert (run.code, run.result["stage"], run.result["ready"]) == (28, "packages_required", False), run.events
    assert not any(row["ready"] or row["missing"][-1:] != ["packages"] for row in run.result["providers"])
    assert "urllib3 2.0.7" in run.result["message"] and "-I -m pip install" in run.result["next_command"]


@pytest.mark.parametrize(
    "script",
    [
        ["jobs.py", "list"],
        ["handle_runtime_error.py", "--status", "402"],
        ["inspect_openapi.py", "--provider", "skills-video", "--model", "kling-ai/v3/video", "--include-template"],
    ],
)
def test_what_needs_no_package_runs_without_any(scripts, script):
    run = run_with(scripts, BARE, *script)
    assert run.code != 28 and run.result["event"] != "error"


# -- the way out ---------------------------------------------------------------------------------------


def bare(scripts, *arguments: str, command=BARE, stdin: bytes = b"", **env: str) -> Run:
    ended = subprocess.run(
        [*command, str(SCRIPTS / arguments[0]), *arguments[1:]],
        input=stdin, capture_output=True, timeout=PATIENCE, env=scripts.environment(**env), cwd=scripts.folder,
    )  # fmt: skip
    return Run(ended.returncode, ended.stdout, ended.stderr)


@POSIX
def test_the_command_makes_an_environment_of_our_own_and_runs_nothing_of_the_working_directory(scripts):
    run = bare(scripts, "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", "--prompt", "a")
    shell, flag, line = run.result["next_argv"]
    assert shlex.split(run.result["next_command"]) == [shell, flag, line] and (shell, flag) == ("sh", "-c")
    mask, made, installed = (shlex.split(part) for part in line.split(" && "))
    own = str(scripts.folder / "state/venv")
    assert mask == ["umask", "077"] and made == [sys.executable, "-I", "-m", "venv", own]
    assert installed[:4] == [f"{own}/bin/python", "-I", "-m", "pip"]
    assert installed[-2:] == ["-r", environment.REQUIREMENTS]
    assert "--no-config" in run.result["guidance"][-1]


@POSIX
@pytest.mark.parametrize("version", [None, "3.8"])
def test_where_home_cannot_be_written_the_environment_is_in_the_working_directory(scripts, version):
    """As in an agent's sandbox; what lies there is never run by itself."""
    (scripts.folder / "file").write_text("")
    away = {"HOME": str(scripts.folder / "file/home"), "AI_MEDIA_HOME": ""}
    command = [interpreter(version)] if version else BARE
    run = bare(scripts, "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", command=command, **away)
    inside = str(scripts.folder / ".ai-media/venv/bin/python")
    assert run.code == 28 and any(inside in line for line in run.result["guidance"]), run.result
    steps = [shlex.split(step) for step in run.result["next_argv"][2].split(" && ")]
    assert steps[1][-1] == str(scripts.folder / ".ai-media/venv") and steps[2][0] == inside
    made = scripts.folder / ".ai-media/venv/bin"
    made.mkdir(parents=True, mode=0o700)
    (made / "python").symlink_to(sys.executable)
    again = bare(scripts, "create_and_wait.py", "--provider", "sandbox", "--task", "t2i", command=command, **away)
    assert again.code == 28 and "--clear" in again.result["next_argv"][2]


@POSIX
def test_where_home_cannot_be_written_a_strangers_folder_is_not_used(scripts):
    (scripts.folder / "file").write_text("")
    (scripts.folder / "elsewhere").mkdir()
    (scripts.folder / ".ai-media").symlink_to("elsewhere")
    run = bare(
        scripts, "jobs.py", "resume", "--all-undelivered", HOME=str(scripts.folder / "file/home"), AI_MEDIA_HOME=""
    )
    assert run.code == 28 and "next_command" not in run.result and "is not used" in str(run.result["guidance"])


@pytest.fixture
def own_environment(scripts) -> Path:
    """What the command would have made, with this Python's own packages in place of downloaded ones."""
    folder = scripts.folder / "state/venv"
    (scripts.folder / "state").mkdir(mode=0o700)
    mask = os.umask(0o077)
    try:
        venv.create(folder, symlinks=True)
    finally:
        os.umask(mask)
    [there] = folder.glob("lib/python3.*/site-packages")
    import requests

    for package in Path(requests.__file__).parent.parent.iterdir():
        if not (there / package.name).exists():
            (there / package.name).symlink_to(package)
    return folder


PAYLOAD = ["--provider", "sandbox", "--task", "t2i", "--payload-file", "-", "--output-dir", "out"]


@POSIX
def test_the_next_run_goes_on_in_it_by_itself(scripts, own_environment):
    body = json.dumps({"prompt": "a tin boat"}).encode()
    run = bare(scripts, "create_and_wait.py", *PAYLOAD, stdin=body)
    assert (run.code, run.result["ok"]) == (0, True), run.events
    assert bare(scripts, "preflight.py", "--provider", "sandbox").result["ready"] is True


@POSIX
@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_an_old_python_goes_on_in_it_too(scripts, own_environment, version):
    body = json.dumps({"prompt": "a tin boat"}).encode()
    run = bare(scripts, "create_and_wait.py", *PAYLOAD, command=[interpreter(version)], stdin=body)
    assert (run.code, run.result["ok"]) == (0, True), run.events


def planted_home(folder: Path) -> None:
    folder.parent.chmod(0o777)


def planted_packages(folder: Path) -> None:
    [there] = folder.glob("lib/python3.*/site-packages")
    there.chmod(0o777)


def planted_link(folder: Path) -> None:
    folder.rename(folder.parent.parent / "elsewhere")
    folder.symlink_to(folder.parent.parent / "elsewhere")


def planted_settings(folder: Path) -> None:
    (folder / "pyvenv.cfg").chmod(0o666)


def too_old(folder: Path) -> None:
    [there] = folder.glob("lib/python3.*/site-packages")
    [known] = there.glob("urllib3-*.dist-info")
    known.rename(there / "urllib3-1.26.12.dist-info")


def no_interpreter(folder: Path) -> None:
    (folder / "bin/python").unlink()


@POSIX
@pytest.mark.parametrize(
    "change", [planted_home, planted_packages, planted_link, planted_settings, too_old, no_interpreter]
)
def test_one_that_is_not_ours_alone_or_does_not_help_is_not_used(scripts, own_environment, change):
    change(own_environment)
    run = bare(scripts, "create_and_wait.py", *PAYLOAD, stdin=b'{"prompt":"a"}')
    assert (run.code, run.result["error"]) == (28, "missing_dependency"), run.events
    # What another could have planted is not cleared for whoever did it: the user is asked to look.
    assert ("next_command" in run.result) == (change is not planted_link)
    if change in (too_old, no_interpreter):
        assert "--clear" in run.result["next_command"]


@POSIX
def test_an_environment_below_a_relative_home_is_not_run(scripts, own_environment):
    run = bare(scripts, "create_and_wait.py", *PAYLOAD, stdin=b'{"prompt":"a"}', AI_MEDIA_HOME="state")
    assert (run.code, run.result["error"]) == (28, "missing_dependency")


# -- bytecode ------------------------------------------------------------------------------------------


def without_prefix(scripts, *arguments: str, **env: str) -> Run:
    return run_with(scripts, [sys.executable], *arguments, env={"PYTHONPYCACHEPREFIX": "", **env})


def written_into_the_skill() -> set[Path]:
    return set(SCRIPTS.rglob("*.pyc"))


@pytest.mark.parametrize("env", [{}, {"PYTHONDONTWRITEBYTECODE": "1"}], ids=["as it is", "unwritten"])
def test_bytecode_goes_into_the_users_folder_and_never_into_the_skills(scripts, env):
    before = {path: path.stat().st_mtime_ns for path in written_into_the_skill()}
    for _ in range(2):
        assert without_prefix(scripts, "preflight.py", "--provider", "sandbox", **env).code == 0
    kept = {path.name.split(".")[0] for path in (scripts.folder / "state/bytecode").rglob("*.pyc")}
    assert {"events", "script", "providers"} <= kept
    assert {path: path.stat().st_mtime_ns for path in written_into_the_skill()} == before
    assert stat.S_IMODE((scripts.folder / "state/bytecode").stat().st_mode) == 0o700


@POSIX
@pytest.mark.parametrize("planted", ["link", "mode", "relative"])
def test_bytecode_of_a_folder_that_others_can_write_is_neither_read_nor_written(scripts, planted):
    folder = scripts.folder / "state/bytecode"
    folder.parent.mkdir(mode=0o700)
    env = {}
    if planted == "link":
        (scripts.folder / "elsewhere").mkdir()
        folder.symlink_to(scripts.folder / "elsewhere")
    elif planted == "mode":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        env = {"AI_MEDIA_HOME": "state"}
    before = written_into_the_skill()
    assert without_prefix(scripts, "preflight.py", "--provider", "sandbox", **env).code == 0
    assert not [*folder.rglob("*.pyc")] and written_into_the_skill() == before


# What a full disk or a power cut leaves of a file, by its content.
DAMAGE = {
    "cut in half": lambda content: content[: len(content) // 2],
    "cut behind its head": lambda content: content[:16],
    "cut in its head": lambda content: content[:9],
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "zeros behind its head": lambda content: content[:16] + bytes(len(content) - 16),
    "zeros at its end": lambda content: content[: len(content) // 2].ljust(len(content), b"\0"),
    "something else": lambda content: content[:16] + b"\xfe" * 99,
}


def test_damaged_bytecode_is_not_used_and_is_written_anew(scripts):
    def run():
        for kept in (scripts.folder / "state/bytecode").rglob("packages-*"):
            kept.unlink()  # who remembers the packages writes nothing, and does not load what writes
        ended = without_prefix(scripts, "preflight.py", "--provider", "sandbox")
        assert (ended.code, ended.stderr) == (0, ""), ended
        return {path: path.read_bytes() for path in (scripts.folder / "state/bytecode").rglob("*.pyc")}

    whole = run()
    assert len(whole) > 2 * len(DAMAGE)
    for number, path in enumerate(sorted(whole)):
        path.write_bytes([*DAMAGE.values()][number % len(DAMAGE)](whole[path]))
    assert run() == whole


def test_bytecode_that_a_full_disk_took_in_part_is_not_kept(tmp_path, monkeypatch):
    from importlib import machinery

    from mediakit.base import start

    def took_half(loader, path, data, **more):
        written(loader, path, data[: len(data) // 2], **more)

    written = machinery.SourceFileLoader.set_data
    for method, kept in ((took_half, 0), (written, 1)):
        monkeypatch.setattr(machinery.SourceFileLoader, "set_data", method)
        found = start._finder_of_ours(str(tmp_path))(str(SCRIPTS / "mediakit/base")).find_spec("codes")
        assert found.loader.get_code("codes").co_filename.endswith("codes.py")
        assert len([*tmp_path.rglob("*.pyc")]) == kept


@POSIX
def test_bytecode_of_a_skill_that_was_replaced_is_not_taken_for_the_new_ones(scripts, tmp_path):
    """Archives give every file one time, and a fix may leave its size as it was."""
    import shutil

    skill = tmp_path / "skill"
    shutil.copytree(SCRIPTS, skill / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SCRIPTS.parent / "assets", skill / "assets")
    codes = skill / "scripts/mediakit/base/codes.py"
    text = codes.read_text()
    for word in ("bad arguments", "BAD ARGUMENTS"):
        codes.unlink()
        codes.write_text(text.replace("bad arguments", word))
        os.utime(codes, (1, 1))
        ended = subprocess.run(
            [sys.executable, str(skill / "scripts/jobs.py"), "--help"],
            capture_output=True, text=True, env=scripts.environment(PYTHONPYCACHEPREFIX=""),
        )  # fmt: skip
        assert word in ended.stdout, ended
