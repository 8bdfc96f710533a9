"""Resources and images as rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Thread

from isthmus.store import Store, images, resources
from isthmus.store.resources import ResourceRow
from isthmus.views import ImageView

from .rows import add, ask, deployment, tell

ONE = deployment(1).id
WORKER = ResourceRow(
    ONE, "worker", 0, "machine", "s", None, "pending", attributes={"ssh": {"port": 22}}, spec={"num_cpus": 1},
    done={"slurm|create": {"digest": "d", "inputs": {}, "outputs": {"a": None}}}, created=1.0, updated=1.0,
)  # fmt: skip
IMAGE = ImageView("k" * 32, "s", 5_000_000_000, 1.0, 1.0, "worker", "slurm")


def test_a_resource_is_put_replaced_and_removed(store: Store) -> None:
    add(store, deployment(1))
    tell(store, lambda c: resources.put(c, WORKER))
    assert ask(store, lambda c: resources.of_deployment(c, ONE)) == [WORKER]
    made = replace(WORKER, site_id="abc", state="running", image="k", updated=2.0)
    tell(store, lambda c: resources.put(c, made))
    tell(store, lambda c: resources.put(c, replace(WORKER, node=".network", kind="network")))
    tell(store, lambda c: resources.put(c, replace(WORKER, index=1)))
    assert {(r.node, r.index, r.site_id) for r in ask(store, lambda c: resources.of_deployment(c, ONE))} == {
        (".network", 0, None), ("worker", 0, "abc"), ("worker", 1, None),
    }  # fmt: skip
    assert ask(store, resources.count_machines) == {"s": 2}
    assert {(m.kind, m.node, m.index, m.site_id) for m in ask(store, lambda c: resources.on_site(c, "s"))} == {
        ("network", ".network", 0, None), ("machine", "worker", 0, "abc"), ("machine", "worker", 1, None),
    }  # fmt: skip
    tell(store, lambda c: resources.remove(c, ONE, "worker", 0))
    assert len(ask(store, lambda c: resources.of_deployment(c, ONE))) == 2


def test_an_image_is_kept_once_and_remembers_its_last_use(store: Store) -> None:
    tell(store, lambda c: images.put(c, IMAGE))
    tell(store, lambda c: images.put(c, replace(IMAGE, used=5.0, node="another")))
    tell(store, lambda c: images.put(c, replace(IMAGE, key="older")))
    assert ask(store, images.all_images) == [replace(IMAGE, used=5.0), replace(IMAGE, key="older")]
    tell(store, lambda c: images.touch(c, "s", "older", 9.0))
    assert [i.key for i in ask(store, images.all_images)] == ["older", IMAGE.key]
    tell(store, lambda c: images.remove(c, "s", "older"))
    assert [i.key for i in ask(store, images.all_images)] == [IMAGE.key]


def test_two_who_note_the_same_image_at_once_both_succeed(open_another: Callable[[], Store]) -> None:
    mine, theirs = open_another(), open_another()
    failed: list[BaseException] = []

    def note() -> None:
        try:
            tell(theirs, lambda c: images.put(c, replace(IMAGE, used=7.0)))
        except BaseException as error:
            failed.append(error)

    with mine.write() as c:
        images.put(c, IMAGE)
        other = Thread(target=note)
        other.start()
        other.join(0.2)
    other.join()
    assert failed == []
    assert [i.used for i in ask(mine, images.all_images)] == [7.0]
