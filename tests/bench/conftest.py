# SPDX-License-Identifier: GPL-2.0
"""Where the benchmark's tests find the rig."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm"), str(HERE.parent / "storm")]
