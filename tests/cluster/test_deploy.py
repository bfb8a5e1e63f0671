from __future__ import annotations

import pytest

from guided_sr.cluster import deploy


class Cluster:
    """A cluster that cannot be ended while a worker is being started."""

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.tried = 0

    def close(self) -> None:
        self.tried += 1
        if self.tried <= self.busy:
            raise AssertionError("can only join a started process")


@pytest.mark.parametrize(("busy", "tried"), [(0, 1), (1, 2), (9, 2)])
def test_what_workers_have_brought_is_not_lost_at_the_end(
    busy: int, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "_PAUSE", 0)
    cluster = Cluster(busy)
    with deploy._ended(cluster):
        brought = 3
    assert brought == 3
    assert cluster.tried == tried


def test_an_error_within_is_raised_though_the_end_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deploy, "_PAUSE", 0)
    with pytest.raises(KeyError), deploy._ended(Cluster(9)):
        raise KeyError
