# SPDX-License-Identifier: GPL-2.0
"""Where the storm's tests find the rig. Start them with make storm-quick."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]
