# SPDX-License-Identifier: GPL-2.0
"""Swap on an image of a Ceph cluster, through qemu-nbd, in storm (c).

    scripts/deps ceph-mon ceph-mgr ceph-osd ceph-common qemu-block-extra
    BALLAST_ROUNDS=2 scripts/vm-test tests/storm/test_ceph.py -s
"""

from contextlib import contextmanager

import pytest

import ceph
from rig.wait import until
from subjects import Subject
from test_outages import AWAY, SLOW, moved, storm  # noqa: F401 (a fixture)

pytestmark = [SLOW, pytest.mark.skipif(bool(ceph.missing()),
                                       reason=f"not installed: {' '.join(ceph.missing())}")]


class Image(Subject):
    """ballast over NBD over an image of Ceph."""

    def _serve(self, address):
        return ceph.Rbd()


IMAGE = Image("ceph", "ballast0", "ballast, an image of Ceph by qemu-nbd", ballast=True)


@contextmanager
def osd_lost(storm):  # noqa: F811
    """For good. Requests that need it wait until Ceph has marked it down."""
    storm.server.ceph.lose_osd(1)
    yield
    until(storm.server.ceph.knows_of_loss, 60, "Ceph to mark the OSD down", 0.5)


osd_lost.least = 40     # seconds; Ceph takes half a minute


def test_exporter_is_lost(storm):  # noqa: F811
    storm([(moved, AWAY)], IMAGE)


def test_osd_is_lost(storm):  # noqa: F811
    storm([(osd_lost, 45)], IMAGE)
