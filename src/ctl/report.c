// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl report: collects what a report of a problem needs, without what
 * identifies machines, in one archive.
 *
 * Each line is redacted before it is written, so no other text reaches a disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "files.h"
#include "klog.h"
#include "program.h"
#include "redact.h"
#include "signals.h"

const char help_report[] =
	"Usage: ballastctl report [FILE]\n"
	"Collect what a report of a problem needs in one archive, FILE, which must not\n"
	"exist. The end of its name, .tar.gz, .tar.xz or .tar, sets the compression.\n"
	"Default: ballast-report-DATE-TIME.tar.gz in the current directory.\n"
	"\n"
	"It has the output of status, doctor and list, ballast's lines of the kernel log,\n"
	"counters of memory and sockets, the build of the module, the kernel's\n"
	"configuration, parameters and versions. It has nothing of what was swapped out.\n"
	"\n"
	"Addresses, MACs, machine ids and UUIDs, host names and the names of exports are\n"
	"replaced by placeholders such as IPV4-1, the same one each time. Review it\n"
	"before you send it: file README in it describes it.\n"
	"\n"
	"Run it as root; other users cannot read all of this.\n";

#define TOP "ballast-report" /* the directory in the archive */
#define MAX_LINES 200000 /* of one file */

static const char readme[] =
	"Made by ballastctl report, version " BALLAST_VERSION ".\n"
	"\n"
	"Replaced in all files, the same thing by the same placeholder each time:\n"
	"\n"
	"  IPV4-N, IPV6-N   addresses, but for 0.0.0.0, 127.0.0.0/8, ::, ::1 and netmasks\n"
	"  MAC-N            MAC addresses, in names of interfaces (enx...) too\n"
	"  ID-N             machine ids and UUIDs\n"
	"  HOST-N           names of this machine, of those in /etc/hosts and of the\n"
	"                   servers of mounted file systems, with their domains\n"
	"  EXPORT-N         names of exports\n"
	"\n"
	"A name that is a word of these files anyway (swap, disk, debian and the like),\n"
	"or shorter than three letters, is replaced only where it stands as export \"...\".\n"
	"Names of interfaces, drivers, programs and ports were not replaced.\n"
	"Nothing was read from any disk or swap.\n"
	"\n"
	"A file that says \"not collected\" has the reason behind it.\n";

static char work[64]; /* the directory to remove; empty: none */

static void redact(const char *text, void *data)
{
	FILE *to = data;

	if (!signals_caught())
		redact_line(text, to);
}

/* A file of the report; NULL after reporting the failure. */
static FILE *begin(const char *name)
{
	char path[128];
	FILE *to;

	snprintf(path, sizeof(path), "%s/" TOP "/%s", work, name);
	to = fopen(path, "wx");
	if (!to)
		failure("%s: %m", path);
	return to;
}

static int finish(FILE *to)
{
	bool bad = ferror(to);

	if (fclose(to) || bad)
		return failure("%s: %m", work);
	return signals_caught() ? FAILED : FINE;
}

static void not_collected(FILE *to, const char *what, int err)
{
	fprintf(to, "not collected: %s: %s\n", what, strerror(err));
}

struct copy {
	FILE *to;
	int lines;
};

static bool copy_line(char *text, void *data)
{
	struct copy *copy = data;

	redact_line(text, copy->to);
	return ++copy->lines < MAX_LINES && !signals_caught();
}

/* Append a file below $BALLAST_ROOT: 0 or -errno. */
static int copy_file(FILE *to, const char *path)
{
	struct copy copy = { to, 0 };
	int fd = file_open("%s", path), err;

	if (fd < 0)
		return fd;
	err = file_each_line(fd, copy_line, &copy);
	close(fd);
	return err;
}

static const struct {
	const char *name, *path;
} copied[] = {
	{ "zoneinfo", "/proc/zoneinfo" },
	{ "meminfo", "/proc/meminfo" },
	{ "vmstat", "/proc/vmstat" },
	{ "sockstat", "/proc/net/sockstat" },
	{ "sockstat6", "/proc/net/sockstat6" },
};

static int collect_files(void)
{
	size_t i;
	int err = FINE;

	for (i = 0; i < ARRAY_SIZE(copied) && !err; i++) {
		FILE *to = begin(copied[i].name);
		int why;

		if (!to)
			return FAILED;
		why = copy_file(to, copied[i].path);
		if (why)
			not_collected(to, copied[i].path, -why);
		err = finish(to);
	}
	return err;
}

#define SELF "/proc/self/exe"

/* The packages of dpkg and rpm that matter; a machine has one of the two. */
static const struct {
	const char *name;
	char *const argv[8];
} commands[] = {
	{ "status", { SELF, "status" } },
	{ "status.json", { SELF, "status", "--json" } },
	{ "list.json", { SELF, "list", "--json" } },
	{ "doctor", { SELF, "doctor" } },
	{ "dkms-status", { "dkms", "status" } },
	{ "packages-dpkg",
	  { "dpkg-query", "-W", "ballast*", "dkms", "linux-image-*",
	    "linux-headers-*", "nbd-client" } },
	{ "packages-rpm",
	  { "rpm", "-q", "ballast", "dkms", "kernel", "kernel-devel" } },
};

static int collect_output(void)
{
	size_t i;
	int err = FINE;

	for (i = 0; i < ARRAY_SIZE(commands) && !err; i++) {
		FILE *to = begin(commands[i].name);
		int status;

		if (!to)
			return FAILED;
		status = program_lines(commands[i].argv, redact, to);
		if (status == 127)
			not_collected(to, commands[i].argv[0], ENOENT);
		else if (status)
			fprintf(to, "(exit status %d)\n", status);
		err = finish(to);
	}
	return err;
}

static void log_record(unsigned long long microseconds, const char *text,
		       void *data)
{
	static char line[8300];

	snprintf(line, sizeof(line), "[%5llu.%06llu] %s",
		 microseconds / 1000000, microseconds % 1000000, text);
	if (strstr(line, "ballast"))
		redact_line(line, data);
}

static int collect_log(void)
{
	FILE *to = begin("kernel-log");
	int err;

	if (!to)
		return FAILED;
	err = klog_each(log_record, to);
	if (err)
		not_collected(to, "/dev/kmsg", -err);
	return finish(to);
}

static bool parameter(const char *name, void *data)
{
	char value[256];

	if (file_value(value, sizeof(value),
		       "/sys/module/ballast/parameters/%s", name) >= 0)
		fprintf(data, "%s=%s\n", name, value);
	return true;
}

static int collect_versions(const struct utsname *kernel)
{
	FILE *to = begin("versions");
	char text[256];

	if (!to)
		return FAILED;
	fprintf(to, "ballastctl " BALLAST_VERSION "\n%s %s %s %s\n",
		kernel->sysname, kernel->release, kernel->version,
		kernel->machine);
	if (file_value(text, sizeof(text), "/sys/module/ballast/version") < 0)
		strcpy(text, "not loaded");
	fprintf(to, "module %s\n", text);
	file_each_name(parameter, to, "/sys/module/ballast/parameters");
	if (copy_file(to, "/etc/os-release"))
		fprintf(to, "no /etc/os-release\n");
	return finish(to);
}

static int collect_config(const struct utsname *kernel)
{
	static char *const zcat[] = { "zcat", "/proc/config.gz", NULL };
	FILE *to = begin("kernel-config");
	char path[FILE_PATH_LEN];

	if (!to)
		return FAILED;
	snprintf(path, sizeof(path), "/boot/config-%s", kernel->release);
	if (copy_file(to, path) && program_lines(zcat, redact, to))
		not_collected(to, path, ENOENT);
	return finish(to);
}

/* dkms/ballast/VERSION/build/make.log and .../KERNEL/ARCH/log/make.log. */
static FILE *dkms;

static int dkms_file(const char *path, const struct stat *stat, int type,
		     struct FTW *ftw)
{
	const char *root = getenv("BALLAST_ROOT");

	(void)stat;
	if (type != FTW_F || strcmp(path + ftw->base, "make.log"))
		return 0;
	if (root)
		path += strlen(root);
	fprintf(dkms, "==> %s\n", path);
	copy_file(dkms, path);
	return 0;
}

static int collect_dkms(void)
{
	char path[FILE_PATH_LEN];

	dkms = begin("dkms-make.log");
	if (!dkms)
		return FAILED;
	if (!file_path(path, sizeof(path), "/var/lib/dkms/ballast") ||
	    nftw(path, dkms_file, 8, FTW_PHYS))
		not_collected(dkms, "/var/lib/dkms/ballast", ENOENT);
	return finish(dkms);
}

static bool host_of_line(char *line, void *data)
{
	char *word, *rest = line;
	bool address = true;

	(void)data;
	line[strcspn(line, "#")] = '\0';
	while ((word = strsep(&rest, " \t"))) {
		if (*word && !address && strncmp(word, "localhost", 9) &&
		    strncmp(word, "ip6-", 4))
			redact_host(word);
		address = address && !*word;
	}
	return true;
}

/* "nfs.example.com:/srv" and "//fileserver/share". */
static bool host_of_mount(char *line, void *data)
{
	char *source = line, *end;

	(void)data;
	source[strcspn(source, " ")] = '\0';
	if (!strncmp(source, "//", 2)) {
		source += 2;
		end = strchr(source, '/');
	} else {
		end = strstr(source, ":/");
	}
	if (end) {
		*end = '\0';
		redact_host(source);
	}
	return true;
}

static bool export_of_disk(const struct disk *disk, void *data)
{
	(void)data;
	redact_export(disk->export);
	return true;
}

static void know_names(void)
{
	static const struct {
		const char *path;
		bool (*line)(char *text, void *data);
	} sources[] = {
		{ "/etc/hosts", host_of_line },
		{ "/proc/self/mounts", host_of_mount },
	};
	char host[256];
	size_t i;
	int fd;

	if (file_value(host, sizeof(host), "/proc/sys/kernel/hostname") > 0) {
		redact_host(host);
		host[strcspn(host, ".")] = '\0';
		redact_host(host);
	}
	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		fd = file_open("%s", sources[i].path);
		if (fd < 0)
			continue;
		file_each_line(fd, sources[i].line, NULL);
		close(fd);
	}
	disk_each_read(NULL, export_of_disk, NULL);
}

static int collect(void)
{
	struct utsname kernel;
	FILE *to = begin("README");
	int err;

	if (!to)
		return FAILED;
	uname(&kernel);
	know_names();
	fputs(readme, to);
	err = finish(to);
	if (err || collect_versions(&kernel) || collect_output())
		return FAILED;
	if (collect_log() || collect_files() || collect_config(&kernel))
		return FAILED;
	return collect_dkms();
}

static int remove_one(const char *path, const struct stat *stat, int type,
		      struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int make_work(void)
{
	char path[sizeof(work) + sizeof(TOP)];
	const char *temporary = getenv("TMPDIR");

	if (!temporary || !*temporary || strlen(temporary) > sizeof(work) / 2)
		temporary = "/tmp";
	snprintf(work, sizeof(work), "%s/ballast-XXXXXX", temporary);
	if (!mkdtemp(work)) {
		failure("%s: %m", work);
		*work = '\0';
		return FAILED;
	}
	snprintf(path, sizeof(path), "%s/" TOP, work);
	return mkdir(path, 0700) ? failure("%s: %m", path) : FINE;
}

/*
 * By descriptor: the name may lead to another file by now, if another user can
 * write to the directory.
 */
static int pack(int fd, char *compression)
{
	char file[32];
	/* clang-format off */
	char *const tar[] = {
		"tar", "--create", compression, "--owner=0", "--group=0",
		"--numeric-owner", "--sort=name", "--file", file,
		"--directory", work, TOP, NULL,
	};
	/* clang-format on */

	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	fcntl(fd, F_SETFD, 0);
	return program_run(tar);
}

/* The option of tar; NULL: the file can't be an archive by its name. */
static char *compression_of(const char *file)
{
	static const struct {
		const char *end;
		char *option;
	} kinds[] = {
		{ ".tar.gz", "--gzip" },
		{ ".tgz", "--gzip" },
		{ ".tar.xz", "--xz" },
		{ ".txz", "--xz" },
		{ ".tar", "--no-auto-compress" },
	};
	size_t i, len = strlen(file), n;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		n = strlen(kinds[i].end);
		if (len > n && !strcmp(file + len - n, kinds[i].end))
			return kinds[i].option;
	}
	return NULL;
}

/* Readable by its owner only: redaction may have missed something. */
static int create(const char *file, int *fd)
{
	*fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (*fd < 0 && errno == EEXIST)
		return usage_error("%.200s: exists; name a new file", file);
	if (*fd < 0)
		return usage_error("%.200s: can't be written: %m", file);
	return FINE;
}

int cmd_report(int argc, char **argv)
{
	char name[64], *file = name, *compression;
	time_t now = time(NULL);
	int err, fd;

	if (argc > 2)
		return usage_error("%.200s: only one file can be given",
				   argv[2]);
	strftime(name, sizeof(name), "ballast-report-%Y%m%d-%H%M%S.tar.gz",
		 localtime(&now));
	if (argc > 1)
		file = argv[1];
	if (*file == '-')
		return usage_error("%.200s: no such option", file);
	compression = compression_of(file);
	if (!compression)
		return usage_error("%.200s: the name must end with .tar.gz, .tar.xz or .tar",
				   file);
	err = create(file, &fd);
	if (err)
		return err;
	signals_catch();
	err = make_work() || collect() || pack(fd, compression) ||
	      signals_caught();
	close(fd);
	if (*work)
		nftw(work, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (err)
		unlink(file);
	if (signals_caught())
		return failure("interrupted; %.200s was not written", file);
	if (err)
		return FAILED;
	printf("%s: written; review it before you send it\n", file);
	return fflush(stdout) ? failure("standard output: %m") : FINE;
}
