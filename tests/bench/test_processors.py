# SPDX-License-Identifier: GPL-2.0
"""Who waits for a lock, from what tracefs says."""

import pytest

import processors


@pytest.mark.parametrize("stack, its", [
    (" native_queued_spin_lock_slowpath+1\n _raw_spin_lock+48\n ballast_link_run+0x5/0x90 "
     "[ballast]\n link_reader+16\n", "ballast_link_run"),
    (" lock_sock_nested+60\n tcp_sendmsg+22\n sock_sendmsg+8\n", "tcp_sendmsg"),
    (" __mutex_lock.constprop.0+1\n nbd_send_cmd.isra.0+0x1 [nbd]\n", "nbd_send_cmd"),
    (" _raw_spin_lock_bh+1\n", "?"),
])
def test_site_is_the_first_that_is_no_lock(stack, its):
    assert processors.site(stack) == its
