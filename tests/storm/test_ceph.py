# SPDX-License-Identifier: GPL-2.0
"""Swap on an image of a Ceph cluster, through qemu-nbd, in storm (c).

    scripts/deps ceph-mon ceph-mgr ceph-osd ceph-common qemu-block-extra
    BALLAST_ROUNDS=2 scripts/vm-test tests/storm/test_ceph.py -s
"""

import pytest

import ceph
from subjects import Subject
from test_outages import AWAY, SLOW, moved, storm  # noqa: F401 (a fixture)

pytestmark = [SLOW, pytest.mark.skipif(bool(ceph.missing()),
                                       reason=f"not installed: {' '.join(ceph.missing())}")]


class Image(Subject):
    """ballast over NBD over an image of Ceph."""

    def _serve(self, address):
        return ceph.Rbd()


IMAGE = Image("ceph", "ballast0", "ballast, an image of Ceph by qemu-nbd", ballast=True)


def test_exporter_is_lost(storm):  # noqa: F811
    storm([(moved, AWAY)], IMAGE)
