# SPDX-License-Identifier: GPL-2.0
"""The test rig: guests, their images and network, and the servers they use."""
