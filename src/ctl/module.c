// SPDX-License-Identifier: GPL-2.0
/*
 * Loads the kernel module, or reports why it can't be loaded.
 */
#include "module.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "files.h"
#include "out.h"
#include "program.h"
#include "sysfs.h"

#define MAKE_LOG "/var/lib/dkms/ballast/" BALLAST_VERSION "/build/make.log"

/* A line of modules.dep: "updates/dkms/ballast.ko.xz: ". */
static bool not_ballast(char *line, void *data)
{
	if (!strncmp(line, "ballast.ko", 10) || strstr(line, "/ballast.ko"))
		*(bool *)data = true;
	return !*(bool *)data;
}

static bool is_built(const char *release)
{
	int fd = file_open("/lib/modules/%s/modules.dep", release);
	bool found = false;

	if (fd < 0)
		return false;
	file_each_line(fd, not_ballast, &found);
	close(fd);
	return found;
}

/* DKMS keeps the log of a failed build; its first line names the kernel. */
static bool build_failed(const char *release)
{
	char log[4096];

	return file_read(log, sizeof(log), MAKE_LOG) > 0 &&
	       strstr(log, release);
}

static int not_built(const char *release)
{
	if (!file_exists("/lib/modules/%s/build/include", release))
		return failure("no module for kernel %s: its headers are missing, which DKMS needs to build it; on Debian: apt-get install linux-headers-%s",
			       release, release);
	if (build_failed(release))
		return failure("no module for kernel %s: the build failed; see " MAKE_LOG,
			       release);
	return failure("no module for kernel %s; to build it: dkms install ballast/" BALLAST_VERSION
		       " -k %s",
		       release, release);
}

/* Secure Boot puts the kernel in lockdown: it loads only signed modules. */
static int not_loaded(void)
{
	struct utsname kernel;
	char modes[64]; /* "none [integrity] confidentiality" */

	if (!uname(&kernel) && !is_built(kernel.release))
		return not_built(kernel.release);
	if (geteuid())
		return failure("only root may load the module; run it as root");
	if (file_value(modes, sizeof(modes), "/sys/kernel/security/lockdown") >
		    0 &&
	    !strstr(modes, "[none]"))
		return failure(
			"the kernel loads only signed modules (Secure Boot); to enroll the key of DKMS see CAVEATS in ballastctl(8)");
	return FAILED;
}

/* Before a server is mentioned, which may also answer that it permits nothing. */
static int check_permission(void)
{
	char path[FILE_PATH_LEN];

	if (!file_path(path, sizeof(path), SYSFS_ATTACH) ||
	    !access(path, W_OK) || errno != EACCES)
		return FINE;
	return failure(SYSFS_ATTACH ": %m; run it as root");
}

int module_load(bool *loaded)
{
	static char *const modprobe[] = { "modprobe", "ballast", NULL };

	*loaded = false;
	if (file_exists(SYSFS_CLASS))
		return check_permission();
	if (program_run(modprobe))
		return not_loaded();
	if (!file_exists(SYSFS_CLASS))
		return failure("modprobe ballast succeeded, but " SYSFS_CLASS
			       " does not exist");
	*loaded = true;
	return FINE;
}
