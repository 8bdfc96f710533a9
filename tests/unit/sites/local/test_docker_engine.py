import os
from pathlib import Path

from isthmus.sites.local import docker_engine


def test_a_number_that_another_program_has_by_now_is_forgotten(tmp_path):
    mine, theirs, gone = (tmp_path / name for name in ("mine.pid", "theirs.pid", "gone.pid"))
    for file in (mine, theirs):
        file.write_text(str(os.getpid()))
    program = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    docker_engine.forget_the_dead({mine: program, theirs: "dockerd", gone: "dockerd"})
    assert mine.exists()
    assert not theirs.exists()
