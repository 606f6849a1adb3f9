// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl guard: protects an interface for disks of other drivers.
 */
#include "guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "files.h"
#include "klog.h"
#include "module.h"
#include "options.h"
#include "out.h"
#include "persist.h"
#include "reserve.h"
#include "sysfs.h"

#define CONF PERSIST_DIR "/guard-%s.conf"
#define WORDS_LEN 2200 /* of all options */
#define BLANKS " \t"

const char help_guard[] =
	"Usage: ballastctl guard INTERFACE [allow=...] [reserve=PAGES] [--persist]\n"
	"       ballastctl guard INTERFACE off [--persist]\n"
	"       ballastctl guard [INTERFACE] [status]\n"
	"Guard an interface: keep a reserve of packet memory and a filter for network\n"
	"disks of other drivers (iSCSI, NVMe/TCP, swap on NFS, in-tree nbd). Loads the\n"
	"module if it is not loaded. On a bond, a bridge or a VLAN the interfaces below\n"
	"it are guarded.\n"
	"\n"
	"  allow=tcp:22,...   ports whose packets the filter lets pass, as in attach\n"
	"  reserve=PAGES      size of the reserve, or auto\n"
	"  off                end the guard\n"
	"  status             show the guard, or all guards\n"
	"  --persist          at each boot too, by " PERSIST_DIR
	"/guard-INTERFACE.conf\n"
	"\n"
	"Exit status of status: 0 guarded, 1 not guarded.\n";

struct arguments {
	const char *name; /* of the interface; NULL: all */
	bool off;
	bool status;
	bool persist;
	struct options options;
};

struct each {
	bool (*fn)(const struct guard *guard, void *data);
	void *data;
};

static bool each_line(char *line, void *data)
{
	const struct each *each = data;
	struct guard guard = { .options = "" };

	if (sscanf(line, "%15s %1023[^\n]", guard.name, guard.options) < 1)
		return true;
	return each->fn(&guard, each->data);
}

void guard_each(bool (*fn)(const struct guard *guard, void *data), void *data)
{
	struct each each = { fn, data };
	int fd = file_open(SYSFS_GUARD);

	if (fd < 0)
		return;
	file_each_line(fd, each_line, &each);
	close(fd);
}

static bool print_word(const struct guard *guard, void *data)
{
	bool *any = data;

	out("%s %s", *any ? "" : "guarded:", guard->name);
	if (*guard->options)
		out(" (%s)", guard->options);
	*any = true;
	return true;
}

void guard_print(void)
{
	bool any = false;

	guard_each(print_word, &any);
	if (any)
		out("\n");
}

struct search {
	const char *name; /* NULL: all */
	struct guard found;
	bool show;
	int nr;
};

static void show(const struct guard *guard)
{
	static struct reserve reserve;

	out("%s: guarded%s%s", guard->name, *guard->options ? ", " : "",
	    guard->options);
	if (!reserve_open(&reserve, guard->name)) {
		if (!reserve_read(&reserve))
			out(", reserve of %lld pages, %s",
			    reserve.value[RESERVE_SIZE],
			    reserve_grade_name(&reserve));
		reserve_close(&reserve);
	}
	out("\n");
}

static bool match(const struct guard *guard, void *data)
{
	struct search *search = data;

	if (search->name && strcmp(search->name, guard->name))
		return true;
	search->found = *guard;
	search->nr++;
	if (search->show)
		show(guard);
	return !search->name;
}

static int show_status(const char *name)
{
	struct search search = { .name = name, .show = true };

	guard_each(match, &search);
	if (!search.nr && name)
		out("%s: not guarded\n", name);
	else if (!search.nr)
		out("no interface is guarded\n");
	return out_flush() || !search.nr ? FAILED : FINE;
}

/* Also gets its options. */
static bool is_guarded(const char *name, struct guard *guard)
{
	struct search search = { .name = name };

	guard_each(match, &search);
	*guard = search.found;
	return search.nr;
}

/* Checked before loading the module. */
static int check_interface(const char *name)
{
	char flags[32];

	if (!file_is_name(name, IF_NAMESIZE))
		return usage_error("%.200s: is not the name of an interface",
				   name);
	if (!file_exists("/sys/class/net/%s", name))
		return failure("%s: no such interface", name);
	if (file_value(flags, sizeof(flags), "/sys/class/net/%s/flags", name) >
		    0 &&
	    strtoul(flags, NULL, 16) & IFF_LOOPBACK)
		return usage_error("%s: a loopback interface can't be guarded: the server is on this machine, and needs memory itself",
				   name);
	return FINE;
}

static int tell_failure(const char *name, int err, int klog)
{
	char why[512], what[IF_NAMESIZE + 8];

	snprintf(what, sizeof(what), "guard: %s", name);
	klog_why(klog, what, NULL, err, why, sizeof(why));
	return failure("%s: %s", name, why);
}

static int write_guard(const char *name, const char *words)
{
	int klog = klog_open(), err = file_write(words, SYSFS_GUARD);

	if (err)
		err = tell_failure(name, err, klog);
	klog_close(klog);
	return err;
}

/* GUARD= or OPTIONS= of the file; the last one counts, as with systemd. */
struct value {
	const char *key;
	char text[WORDS_LEN];
};

static bool find_value(char *line, void *data)
{
	struct value *value = data;
	size_t len = strlen(value->key);

	line += strspn(line, " \t");
	if (strncmp(line, value->key, len))
		return true;
	line += len + strspn(line + len, " \t");
	if (*line++ != '=')
		return true;
	line += strspn(line, " \t\"'");
	snprintf(value->text, sizeof(value->text), "%.*s",
		 (int)strcspn(line, "\"'"), line);
	return true;
}

static bool has_word(const char *words, const char *word, size_t len)
{
	size_t n;

	for (; *(words += strspn(words, BLANKS)); words += n) {
		n = strcspn(words, BLANKS);
		if (n == len && !strncmp(words, word, len))
			return true;
	}
	return false;
}

/* Are all of @words in @others? The kernel does not list a default. */
static bool has_words(const char *others, const char *words)
{
	const char *const none = BALLAST_OPT_RESERVE "=auto";
	size_t n;

	for (; *(words += strspn(words, BLANKS)); words += n) {
		n = strcspn(words, BLANKS);
		if (!has_word(others, words, n) && !has_word(none, words, n))
			return false;
	}
	return true;
}

/*
 * FINE; or, after reporting why the file can't be written, FAILED. A file that
 * differs may be an administrator's. @exists: it has the options @words, maybe
 * in another order, and stays as it is.
 */
static int check_persist(const char *name, const char *words, bool *exists)
{
	struct value guard = { "GUARD", "" }, old = { "OPTIONS", "" };
	int fd;

	if (!persist_is_name(name))
		return failure("%s: --persist: the name has a character that can't be in the name of a file in " PERSIST_DIR,
			       name);
	if (persist_check_directory())
		return FAILED;
	fd = file_open(CONF, name);
	*exists = fd >= 0;
	if (!*exists)
		return FINE;
	file_each_line(fd, find_value, &guard);
	file_each_line(fd, find_value, &old);
	close(fd);
	if (!has_word(guard.text, name, strlen(name)))
		return failure(CONF
			       ": already exists, and does not guard %s; to replace it, remove it first",
			       name, name);
	if (has_words(old.text, words) && has_words(words, old.text))
		return FINE;
	return failure(CONF
		       ": already exists, with other options: \"%.200s\" and not \"%.200s\"; systemctl restart ballast@guard-%s applies it; to replace it, remove it first",
		       name, old.text, words, name);
}

/* For the options @words, as "allow=tcp:22 reserve=9". */
static int persist(const char *name, const char *words)
{
	char text[WORDS_LEN + 128];
	int err;

	snprintf(text, sizeof(text),
		 "# Written by ballastctl guard --persist.\n"
		 "GUARD=%s\n"
		 "OPTIONS=\"%s\"\n",
		 name, words);
	err = conf_create(text, CONF, name);
	if (err)
		return failure(CONF ": %s; %s is guarded until the next boot",
			       name, strerror(-err), name);
	out(CONF " guards it at boot\n", name);
	return FINE;
}

static int forget(const struct arguments *arguments)
{
	const char *name = arguments->name;
	char path[FILE_PATH_LEN];

	if (!persist_is_name(name) || !file_exists(CONF, name))
		return FINE;
	if (!arguments->persist) {
		out(CONF
		    " guards it again at the next boot; remove it, or use off --persist\n",
		    name);
		return FINE;
	}
	if (file_path(path, sizeof(path), CONF, name) && unlink(path))
		return failure(CONF ": %m", name);
	out(CONF " is removed\n", name);
	return FINE;
}

/* Wait for it: the unit ends the guard, and that must not be the next one. */
static void stop_unit(const char *name)
{
	char unit[IF_NAMESIZE + 8];

	snprintf(unit, sizeof(unit), "guard-%s", name);
	if (persist_is_name(name))
		persist_stop(unit, true);
}

static int guard_off(const struct arguments *arguments)
{
	char words[IF_NAMESIZE + 1];
	struct guard guard;
	int err = FINE;

	if (!file_is_name(arguments->name, IF_NAMESIZE))
		return usage_error("%.200s: is not the name of an interface",
				   arguments->name);
	if (is_guarded(arguments->name, &guard)) {
		snprintf(words, sizeof(words), "-%s", arguments->name);
		err = write_guard(arguments->name, words);
		if (!err)
			out("%s: is no longer guarded\n", arguments->name);
	} else {
		out("%s: is not guarded\n", arguments->name);
	}
	if (!err) {
		out_flush();
		stop_unit(arguments->name);
		err = forget(arguments);
	}
	return out_flush() ? FAILED : err;
}

/* Without options, an interface that is guarded keeps those that it has. */
static int guard_on(const struct arguments *arguments)
{
	const char *name = arguments->name, *options = arguments->options.words;
	bool loaded, keep, exists = false;
	char words[WORDS_LEN];
	const char *wanted;
	struct guard guard;
	int err = check_interface(name);

	if (err)
		return err;
	keep = is_guarded(name, &guard) && !*options;
	wanted = keep ? guard.options : options + (*options == ' ');
	if (arguments->persist)
		err = check_persist(name, wanted, &exists);
	if (!err)
		err = module_load(&loaded);
	if (err)
		return err;
	if (loaded)
		out("the module ballast was loaded\n");
	if (keep) {
		out("%s: is already guarded\n", name);
	} else {
		snprintf(words, sizeof(words), "%s%s", name, options);
		err = write_guard(name, words);
		if (err)
			return err;
		out("%s: is guarded\n", name);
	}
	if (exists)
		out(CONF " guards it at boot already\n", name);
	else if (arguments->persist)
		err = persist(name, wanted);
	return out_flush() ? FAILED : err;
}

static int add_option(struct arguments *arguments, const char *word)
{
	if (strncmp(word, BALLAST_OPT_ALLOW "=",
		    strlen(BALLAST_OPT_ALLOW) + 1) &&
	    strncmp(word, BALLAST_OPT_RESERVE "=",
		    strlen(BALLAST_OPT_RESERVE) + 1))
		return usage_error("%.200s: no such option; see ballastctl guard --help",
				   word);
	return options_add(&arguments->options, word);
}

static int check_together(const struct arguments *arguments)
{
	if (arguments->off && arguments->status)
		return usage_error("off: can't be used with status");
	if ((arguments->off || arguments->status) && *arguments->options.words)
		return usage_error("%.200s: can't be used with %s",
				   arguments->options.words + 1,
				   arguments->off ? "off" : "status");
	if (arguments->persist && (!arguments->name || arguments->status))
		return usage_error(
			"--persist: requires an interface to guard, or off");
	return FINE;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
	int i, err = FINE;

	for (i = 1; i < argc && !err; i++) {
		if (!strcmp(argv[i], "--persist"))
			arguments->persist = true;
		else if (argv[i][0] == '-')
			err = usage_error("%.200s: no such option", argv[i]);
		else if (!strcmp(argv[i], "status"))
			arguments->status = true;
		else if (!arguments->name)
			arguments->name = argv[i];
		else if (!strcmp(argv[i], "off"))
			arguments->off = true;
		else if (strchr(argv[i], '='))
			err = add_option(arguments, argv[i]);
		else
			err = usage_error("%.200s: only one interface can be given",
					  argv[i]);
	}
	return err ? err : check_together(arguments);
}

int cmd_guard(int argc, char **argv)
{
	static struct arguments arguments;
	int err = parse(&arguments, argc, argv);

	if (err)
		return err;
	if (!arguments.name || arguments.status)
		return show_status(arguments.name);
	return arguments.off ? guard_off(&arguments) : guard_on(&arguments);
}
