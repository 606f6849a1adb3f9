# SPDX-License-Identifier: GPL-2.0
"""matplotlib, for pictures that docs hold: the same input gives the same file."""


def load():
    """pyplot, or None where it is not installed."""
    try:
        import matplotlib
    except ImportError:
        print("no pictures: they take Debian's python3-matplotlib")
        return None
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "ballast"
    from matplotlib import pyplot
    return pyplot
