// SPDX-License-Identifier: GPL-2.0
/*
 * Encrypts a disk with dm-crypt, through cryptsetup(8).
 */
#include "crypt.h"

#include <stdio.h>
#include <string.h>

#include "files.h"
#include "header.h"
#include "program.h"
#include "stack.h"

#define SECTOR	512
#define UNIT	4096	/* dm-crypt's sector size: no page is smaller */

static void ignore(const char *line, void *data)
{
	(void)line, (void)data;
}

/* The exit status; 127: there is no such program. */
static int run_quietly(char *const argv[])
{
	return program_lines(argv, ignore, NULL);
}

int crypt_check(void)
{
	static char *const version[] = { "cryptsetup", "--version", NULL };
	static char *const modprobe[] = { "modprobe", "-q", "dm_crypt", NULL };

	if (run_quietly(version) == 127)
		return usage_error(
			"--encrypt: cryptsetup is not installed; install cryptsetup (Debian: cryptsetup-bin)");
	if (!file_exists("/sys/module/dm_crypt") && run_quietly(modprobe))
		return usage_error(
			"--encrypt: the kernel has no dm-crypt; modprobe dm_crypt says why");
	return FINE;
}

static void read_version(const char *line, void *old)
{
	unsigned int major, minor;

	if (sscanf(line, "cryptsetup %u.%u", &major, &minor) == 2)
		*(bool *)old = major < 2 || (major == 2 && minor < 4);
}

/* cryptsetup before 2.4.0 has no sector size for the type plain. */
static bool is_old(void)
{
	static char *const version[] = { "cryptsetup", "--version", NULL };
	bool old = false;

	program_lines(version, read_version, &old);
	return old;
}

static void crypt_name(char *name, size_t size, const char *disk)
{
	snprintf(name, size, "%s-swap", disk);
}

/*
 * The key is from /dev/random: unlike /dev/urandom it waits until the kernel
 * has gathered entropy, which it may not have early in the boot. Both
 * directions bypass dm-crypt's work queues: these need a worker, which may wait
 * for memory, and so for the swap.
 */
int crypt_open(const char *disk, bool discard)
{
	char name[CRYPT_NAME_LEN], device[FILE_PATH_LEN];
	char size[32], offset[32];
	/* clang-format off */
	char *argv[] = {
		"cryptsetup", "open", "--batch-mode", "--type=plain",
		"--cipher=aes-xts-plain64", "--key-size=512",
		"--key-file=/dev/random", "--perf-no_read_workqueue",
		"--perf-no_write_workqueue", offset, size, device, name,
		NULL, NULL, NULL,
	};
	/* clang-format on */
	char **more = argv + ARRAY_SIZE(argv) - 3;
	long long sectors;

	if (file_number(&sectors, "/sys/block/%s/size", disk))
		return failure("/dev/%s: its size can't be read", disk);
	sectors -= HEADER_SIZE / SECTOR;
	sectors -= sectors % (UNIT / SECTOR);
	if (sectors <= 0)
		return failure("/dev/%s: is too small for an encrypted swap, which needs %d KiB more than a swap",
			       disk, HEADER_SIZE / 1024);
	crypt_name(name, sizeof(name), disk);
	file_path(device, sizeof(device), "/dev/%s", disk);
	snprintf(offset, sizeof(offset), "--offset=%d", HEADER_SIZE / SECTOR);
	snprintf(size, sizeof(size), "--size=%lld", sectors);
	if (!is_old())
		*more++ = "--sector-size=4096";
	if (discard)
		*more++ = "--allow-discards";
	return program_run(argv);
}

bool crypt_find(const char *disk, char *dm, size_t size)
{
	char name[CRYPT_NAME_LEN], holders[FILE_PATH_LEN], uuid[32];

	crypt_name(name, sizeof(name), disk);
	snprintf(holders, sizeof(holders), "/sys/block/%s/holders", disk);
	if (!stack_mapping(name, dm, size, holders))
		return false;
	file_read(uuid, sizeof(uuid), "/sys/block/%s/dm/uuid", dm);
	if (!strncmp(uuid, "CRYPT-PLAIN-", 12))
		return true;
	*dm = '\0';
	return false;
}

int crypt_close(const char *disk, bool deferred)
{
	char name[CRYPT_NAME_LEN];
	char *argv[] = { "cryptsetup", "close", name,
			 deferred ? "--deferred" : NULL, NULL };

	crypt_name(name, sizeof(name), disk);
	return program_run(argv);
}
