#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Build, boot and test ballast on every kernel that it is for. Started by make matrix.

Each kernel is a Debian suite's, in a flavour, with that suite's own compiler. The module
must build without a warning (W=1, sparse), and TESTS must pass in guests that run it.
Prints a table, which docs/kernels.md holds.
"""

import argparse
import datetime
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests" / "vm"))

from rig import host, image, module  # noqa: E402

KERNELS = ("bullseye:cloud-amd64 bullseye:amd64 bookworm:cloud-amd64 bookworm:amd64 "
           "bookworm-backports:cloud-amd64 trixie:cloud-amd64 trixie:amd64 "
           "trixie-backports:cloud-amd64 forky:cloud-amd64 forky:amd64")
TESTS = "tests/vm tests/storm/test_storm.py"
PYTEST_INTERRUPTED = 2  # its exit status


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", default=KERNELS, help="SUITE:FLAVOUR ...")
    parser.add_argument("--tests", default=TESTS, help="pytest's arguments")
    parser.add_argument("--out", type=Path, default=REPO / "build" / "matrix")
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    options.out.mkdir(parents=True, exist_ok=True)

    rows = []
    interrupted = False
    try:
        for kernel in options.kernels.split():
            suite, _, flavour = kernel.partition(":")
            rows.append(one(suite, flavour or "cloud-amd64", options.tests.split(), options.out))
            (options.out / "table.md").write_text(table(rows, options.tests))
    except KeyboardInterrupt:
        interrupted = True
    print(f"\n{table(rows, options.tests)}\nin {options.out}")
    if interrupted:
        print("interrupted: the table is not whole")
    return interrupted or any(row["bad"] for row in rows)


def one(suite, flavour, tests, out):
    """A row of the table."""
    host.say(f"{suite} {flavour}")
    row = {"suite": suite, "flavour": flavour, "release": "-", "compiler": "-", "build": "-",
           "tests": "-", "bad": True}
    try:
        kernel = image.get(suite, flavour)
        row["release"] = kernel.release
        row["compiler"] = compiler(kernel)
        said = module.build(suite, flavour, flags=("W=1", "C=1")).output
    except RuntimeError as error:
        (out / f"{suite}-{flavour}.log").write_text(str(error))
        row["build"] = "fails"
        return row
    warnings = re.findall(r"^.*\b(?:warning|error)\b.*$", said, re.M | re.I)
    row["build"] = f"{len(warnings)} warnings" if warnings else "clean"

    report = out / f"{suite}-{flavour}.xml"
    report.unlink(missing_ok=True)
    with open(out / f"{suite}-{flavour}.log", "w") as log:
        host.say(f"{suite} {flavour}: tests, {log.name}")
        run = subprocess.run([REPO / "scripts" / "vm-test", f"--suite={suite}",
                              f"--flavour={flavour}", f"--junitxml={report}", *tests],
                             stdout=log, stderr=log, check=False)
    if run.returncode == PYTEST_INTERRUPTED:
        raise KeyboardInterrupt
    if not report.exists():
        row["tests"] = "none ran"
        return row
    totals = xml.parse(report).getroot().find("testsuite").attrib
    ran, skipped = int(totals["tests"]), int(totals["skipped"])
    failed = int(totals["failures"]) + int(totals["errors"])
    row["tests"] = f"{ran - failed - skipped} passed, {failed} failed, {skipped} skipped"
    row["bad"] = bool(failed or warnings or ran == skipped)
    host.say(f"{suite} {flavour}: {row['build']}; {row['tests']}")
    return row


def compiler(kernel):
    """The compiler that the suite has, as /usr/bin/gcc points to it."""
    return (kernel.root / "usr/bin/gcc").resolve().name.removeprefix("x86_64-linux-gnu-")


def table(rows, tests):
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPO, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
    return (f"{datetime.date.today()}, ballast {said}, tests: {tests}\n\n"
            "| Debian | flavor | kernel | compiler | build (W=1, sparse) | in guests |\n"
            "| --- | --- | --- | --- | --- | --- |\n" + "".join(
                f"| {row['suite']} | {row['flavour']} | {row['release']} | {row['compiler']} "
                f"| {row['build']} | {row['tests']} |\n" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
