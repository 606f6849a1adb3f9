# SPDX-License-Identifier: GPL-2.0
"""compat.mk: what it finds in a kernel's headers, whatever their version."""

import os
import re
import subprocess
from pathlib import Path

KERNEL = Path(__file__).resolve().parents[2] / "src" / "kernel"


def found(tree):
    script = f"srctree := {tree}\ninclude {KERNEL}/compat.mk\nall:\n\t@echo $(ccflags-y)\n"
    # Not a make under the one that may run this.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make", "-s", "-f", "-"], env=environment, input=script, text=True,
                          check=True, capture_output=True)
    assert not done.stderr
    return set(done.stdout.split())


def test_headers(tmp_path):
    assert found(tmp_path) == set()
    for path, text in (
            ("blk-mq.h", "typedef bool (busy_tag_iter_fn)(struct request *, void *, bool);"),
            ("blkdev.h", "\tint (*open) (struct block_device *, fmode_t);\n"
                         "int __must_check device_add_disk(struct device *parent,"),
            ("ethtool.h", "struct kernel_ethtool_ringparam {"),
            ("../net/sock.h", "\tunsigned char\t\tskc_bypass_prot_mem:1;")):
        file = tmp_path / "include/linux" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    assert found(tmp_path) == {"-DCOMPAT_HAVE_RESERVED_ARG", "-DCOMPAT_HAVE_ADD_DISK_ERROR",
                               "-DCOMPAT_HAVE_KERNEL_RINGPARAM", "-DCOMPAT_HAVE_BYPASS_PROT_MEM"}
    (tmp_path / "include/linux/blk-mq.h").write_text(
        "typedef bool (busy_tag_iter_fn)(struct request *, void *);\n")
    (tmp_path / "include/linux/blkdev.h").write_text(
        "\tint (*open)(struct gendisk *disk, blk_mode_t mode);\n")
    assert found(tmp_path) == {"-DCOMPAT_HAVE_OPEN_DISK", "-DCOMPAT_HAVE_KERNEL_RINGPARAM",
                               "-DCOMPAT_HAVE_BYPASS_PROT_MEM"}


def test_limits(tmp_path):
    """A function of the queue, then an argument (6.9 and 6.10), then with features in it."""
    (tmp_path / "include/linux").mkdir(parents=True)
    blk_mq, blkdev = (tmp_path / "include/linux" / name for name in ("blk-mq.h", "blkdev.h"))
    blk_mq.write_text("#define blk_mq_alloc_disk(set, queuedata)\t\t\t\\\n")
    blkdev.write_text("\tunsigned int\t\tlogical_block_size;\n")
    assert found(tmp_path) == set()
    blk_mq.write_text("struct gendisk *__blk_mq_alloc_disk(struct blk_mq_tag_set *set,\n"
                      "\t\tstruct queue_limits *lim, void *queuedata,\n"
                      "\t\tstruct lock_class_key *lkclass);\n"
                      "#define blk_mq_alloc_disk(set, lim, queuedata)\t\t\\\n")
    assert found(tmp_path) == {"-DCOMPAT_HAVE_LIMITS_ARG"}
    blkdev.write_text("#define BLK_FEAT_WRITE_CACHE\t\t((__force blk_features_t)(1u << 0))\n")
    assert found(tmp_path) == {"-DCOMPAT_HAVE_LIMITS_ARG", "-DCOMPAT_HAVE_LIMITS_FEATURES"}


def test_names():
    """Each is found by one file and used by the other."""
    probed = set(re.findall(r"call have,([A-Z_]+),\S", (KERNEL / "compat.mk").read_text()))
    used = set(re.findall(r"\bCOMPAT_HAVE_([A-Z_]+)\b", (KERNEL / "compat.h").read_text()))
    assert probed - {"NAME"} == used - {""}
