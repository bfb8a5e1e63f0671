"""Workers in processes of their own; a script each, as Dask wants a main module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="Dask is not installed")

ROOT = Path(__file__).parents[2]
TASKS = """
import os, time
from pathlib import Path

def work(task):
    name, folder = task
    mark = Path(folder) / f"{name}-{os.getpid()}"
    mark.touch()
    tries = len(list(Path(folder).glob(f"{name}-*")))
    if name == "deadly" or (name == "once" and tries < 2):
        os._exit(9)
    if name == "wrong":
        raise ValueError("wrong")
    if name == "disk":
        raise OSError(28, "disk full")
    return name.upper()
"""


def ran(folder: Path, code: str) -> str:
    """What a script prints."""
    (folder / "tasks.py").write_text(TASKS, "utf-8")
    script = folder / "script.py"
    script.write_text(
        "from guided_sr.cluster.deploy import ClusterOptions\n"
        "from guided_sr.cluster.pool import run_tasks\n"
        "from tasks import work\n"
        "def main():\n"
        + "".join(f"    {line}\n" for line in code.splitlines())
        + "if __name__ == '__main__':\n    main()\n",
        "utf-8",
    )
    paths = os.pathsep.join([str(ROOT), str(folder), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_lost_worker_costs_no_task_and_every_end_comes_back(tmp_path: Path) -> None:
    shown = ran(
        tmp_path,
        f"names = ['a', 'once', 'wrong', 'disk', 'deadly', 'b']\n"
        f"tasks = [(name, {str(tmp_path)!r}) for name in names]\n"
        "options = ClusterOptions('local', workers=2)\n"
        "ends = sorted(run_tasks(work, tasks, options), key=lambda end: end[0])\n"
        "for number, end in ends:\n"
        "    kind = getattr(end, 'exit_code', '')\n"
        "    print(names[number], type(end).__name__, end, kind, sep='|')\n",
    )
    lines = [line.split("|") for line in shown.splitlines()]
    assert [(name, kind) for name, kind, *_ in lines] == [
        ("a", "str"),
        ("once", "str"),
        ("wrong", "ValueError"),
        ("disk", "OSError"),
        ("deadly", "_LostError"),
        ("b", "str"),
    ]
    assert lines[4][3] == "75"
    assert "the worker was lost" in lines[4][2]
    assert len(list(tmp_path.glob("deadly-*"))) >= 3


def test_an_address_without_scheduler_is_71(tmp_path: Path) -> None:
    shown = ran(
        tmp_path,
        "import guided_sr.cluster.deploy as deploy\n"
        "deploy._CONNECT = 1\n"
        "try:\n"
        "    list(run_tasks(work, [], ClusterOptions('tcp://127.0.0.1:9')))\n"
        "except Exception as error:\n"
        "    print(error.exit_code, error)\n",
    )
    assert shown.startswith("71 no Dask scheduler answers at tcp://127.0.0.1:9")


def test_a_scheduler_that_goes_away_is_71(tmp_path: Path) -> None:
    shown = ran(
        tmp_path,
        "import subprocess, sys, time\n"
        "start = [sys.executable, '-m', 'distributed.cli.dask_scheduler']\n"
        "start += ['--no-dashboard', '--host', '127.0.0.1', '--port', '0',\n"
        "    '--scheduler-file', 'scheduler.json']\n"
        "scheduler = subprocess.Popen(start, stderr=subprocess.DEVNULL)\n"
        "import json, pathlib\n"
        "file = pathlib.Path('scheduler.json')\n"
        "while not file.exists() or not file.read_text(): time.sleep(0.1)\n"
        "address = json.loads(file.read_text())['address']\n"
        "import threading\n"
        "threading.Timer(2, scheduler.kill).start()\n"
        "try:\n"
        "    tasks = [('a', '.')]\n"
        "    print(list(run_tasks(work, tasks, ClusterOptions(address))))\n"
        "except Exception as error:\n"
        "    print(getattr(error, 'exit_code', repr(error)), error)\n"
        "finally:\n"
        "    scheduler.wait()\n",
    )
    assert shown.startswith("71 the cluster tcp://127.0.0.1:")
    assert "1 tasks left" in shown
