// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl attach: attaches the export of a URI as a disk, or as a swap.
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt.h"
#include "detach.h"
#include "disk.h"
#include "files.h"
#include "json.h"
#include "klog.h"
#include "lock.h"
#include "machine.h"
#include "module.h"
#include "options.h"
#include "out.h"
#include "persist.h"
#include "program.h"
#include "server.h"
#include "signals.h"
#include "swapon.h"
#include "swaps.h"
#include "sysfs.h"
#include "uri.h"

/* clang-format would indent after each limit. */
/* clang-format off */
const char help_attach[] =
	"Usage: ballastctl attach nbd://SERVER[:PORT]/EXPORT [OPTION ...] [--json]\n"
	"Attach a server's export as a disk; load the module if needed. SERVER is an\n"
	"IPv4 address, [an IPv6 address] or a name. %m is the machine id, %H the host\n"
	"name, %M the MAC of the card to the server, %% a %.\n"
	"  --swap             swap to the disk, if it is blank or a swap of this machine\n"
	"  --encrypt          encrypt it with a new random key (needs cryptsetup)\n"
	"  --take, --discard  take another machine's swap; tell the server what is free\n"
	"  --priority N       priority of the swap, 0 to 32767\n"
	"  --persist[=NAME]   at each boot too, by " PERSIST_DIR "/NAME.conf\n"
	"  index=N            attach as /dev/ballastN (default: the lowest free)\n"
	"  connections=N      TCP connections, 1 to " LIMIT_TEXT(BALLAST_MAX_CONNECTIONS)
	" (default " LIMIT_TEXT(BALLAST_DEFAULT_CONNECTIONS) ")\n"
	"  queue_depth=N      requests in flight per connection, 1 to " LIMIT_TEXT(BALLAST_MAX_QUEUE_DEPTH)
	" (default " LIMIT_TEXT(BALLAST_DEFAULT_QUEUE_DEPTH) ")\n"
	"  timeout=SECONDS    reconnect when a request is unanswered for this long\n"
	"  deadline=SECONDS   fail I/O when no request is answered for this long\n"
	"  fence=SECONDS      how long replayed writes wait for old ones (default " LIMIT_TEXT(BALLAST_DEFAULT_FENCE) ")\n"
	"  connect_timeout=SECONDS  time to connect, and again to negotiate (default "
	LIMIT_TEXT(BALLAST_DEFAULT_CONNECT_TIMEOUT) ")\n"
	"  readonly           refuse writes\n"
	"  reserve=PAGES      size of the interface's reserve, or auto\n"
	"  filter=on|off      drop unrelated packets while the reserve is in use\n"
	"  verify=on|off      refuse a server that has lost pages swapped to it\n"
	"  allow=tcp:22,...   ports whose packets the filter lets pass, at a low rate\n"
	"  allow=tcp:2049@192.0.2.5,tcp:2049@[2001:db8::5],...\n"
	"                     the same from one address, at a rate sufficient for a disk\n";
/* clang-format on */

#define INDEX_TRIES 64

struct attach {
	const char *text; /* the URI as it was given */
	struct nbd_uri uri;
	struct options options;
	bool swap;
	bool json;
	const char *persist; /* a name; NULL: no */
	struct swapon swapon;

	char id[MACHINE_ID_LEN];
	char host[MACHINE_HOST_LEN];
	char mac[MACHINE_MAC_LEN];
	struct uri_names names;

	bool loaded; /* the module, by this attach */
	long long size_bytes;
	char address[128];	/* [ADDRESS]:PORT that answered */
	char disk[DISK_NAME_LEN];
	unsigned long long identity; /* of the disk */
};

static int parse_priority(struct attach *attach, const char *value)
{
	long number = -1;
	int err = option_number("--priority", value, 0, 32767, &number);

	attach->swapon.priority = number;
	return err;
}

/* An option that takes no value. */
static bool is_flag(struct attach *attach, const char *word)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "--swap", &attach->swap },
		{ "--json", &attach->json },
		{ "--encrypt", &attach->swapon.encrypt },
		{ "--discard", &attach->swapon.discard },
		{ "--take", &attach->swapon.take },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!strcmp(word, flags[i].name)) {
			*flags[i].flag = true;
			return true;
		}
	}
	return false;
}

static int check_together(const struct attach *attach)
{
	if (!attach->text)
		return usage_error("nbd://SERVER[:PORT]/EXPORT is missing");
	if (!attach->swap) {
		if (attach->swapon.priority >= 0)
			return usage_error("--priority: requires --swap");
		if (attach->swapon.encrypt)
			return usage_error("--encrypt: requires --swap");
		if (attach->swapon.discard)
			return usage_error("--discard: requires --swap");
		if (attach->swapon.take)
			return usage_error("--take: requires --swap");
	}
	if (attach->options.readonly && attach->swap)
		return usage_error(BALLAST_OPT_READONLY ": can't be used with --swap, which writes");
	if (!attach->persist)
		return FINE;
	return persist_check(attach->persist, attach->text);
}

static int parse(struct attach *attach, int argc, char **argv)
{
	const char *why;
	bool persist = false;
	int i, err = FINE;

	attach->swapon.priority = -1;
	for (i = 1; i < argc && !err; i++) {
		if (is_flag(attach, argv[i])) {
			continue;
		} else if (!strcmp(argv[i], "--persist")) {
			persist = true;
		} else if (!strcmp(argv[i], "--priority")) {
			err = parse_priority(attach, argv[i + 1]);
			i++;
		} else if (!strncmp(argv[i], "--priority=", 11)) {
			err = parse_priority(attach, argv[i] + 11);
		} else if (!strncmp(argv[i], "--persist=", 10)) {
			attach->persist = argv[i] + 10;
		} else if (argv[i][0] == '-') {
			err = usage_error("%.200s: no such option", argv[i]);
		} else if (attach->text) {
			err = options_add(&attach->options, argv[i]);
		} else {
			attach->text = argv[i];
			why = uri_parse(argv[i], NULL, &attach->uri);
			if (why)
				err = usage_error("%.200s: %s", argv[i], why);
		}
	}
	if (persist && !attach->persist)
		attach->persist = attach->swap ? "swap" : "disk";
	return err ? err : check_together(attach);
}

/* Text for people; with --json there is one object at the end. */
#define say(_attach, ...)                 \
	do {                              \
		if (!(_attach)->json)     \
			out(__VA_ARGS__); \
	} while (0)

static int expand(struct attach *attach)
{
	const char *why = uri_parse(attach->text, &attach->names, &attach->uri);

	return why ? failure("%.200s: %s", attach->text, why) : FINE;
}

/*
 * A machine without a name of its own must not take another machine's export.
 * It may get a name later, so this is FAILED and not USAGE.
 */
static int expand_names(struct attach *attach)
{
	if (attach->uri.has_id) {
		if (!machine_id(attach->id))
			return failure("%.200s: %%m: neither /etc/machine-id nor systemd.machine_id= on the kernel's command line has a machine id; in an initramfs the file does not count",
				       attach->text);
		attach->names.id = attach->id;
	}
	if (attach->uri.has_host) {
		if (!machine_host(attach->host))
			return failure("%.200s: %%H: this machine has no host name of its own: it is \"%s\"",
				       attach->text, attach->host);
		attach->names.host = attach->host;
	}
	return expand(attach);
}

/* Each address of a server may have another route. */
static int expand_mac(struct attach *attach, const struct addrinfo *info)
{
	char interface[IF_NAMESIZE];

	if (!attach->uri.has_mac)
		return FINE;
	if (!machine_mac(info->ai_addr, interface, attach->mac))
		return failure("%.200s: %%M: %s: %s%s", attach->text,
			       attach->address,
			       *interface ?
				       "the route's interface has no MAC: " :
				       "there is no route",
			       interface);
	attach->names.mac = attach->mac;
	return expand(attach);
}

static int load_module(struct attach *attach)
{
	int err = module_load(&attach->loaded);

	if (err || !attach->loaded)
		return err;
	say(attach, "the module ballast was loaded\n");
	return out_flush();
}

/* Write the attach string for one index: 0 or -errno. */
static int try_index(struct attach *attach, long index)
{
	static char words[16384];
	int len;

	snprintf(attach->disk, sizeof(attach->disk), "ballast%ld", index);
	len = snprintf(words, sizeof(words),
		       BALLAST_OPT_SERVER "=%s " BALLAST_OPT_EXPORT "=\"%s\" "
		       BALLAST_OPT_INDEX "=%ld%s",
		       attach->address, attach->uri.export, index,
		       attach->options.words);
	if (len < 0 || (size_t)len >= sizeof(words))
		return -E2BIG;
	return file_write(words, SYSFS_ATTACH);
}

/*
 * Choose the index here and not in the kernel, since the attach file does not
 * return the one that the kernel chose. If another process takes it first,
 * try the next.
 */
static int try_address(struct attach *attach)
{
	int err = -EBUSY, tries = INDEX_TRIES;
	long index;

	if (attach->options.has_index)
		return try_index(attach, attach->options.index);
	for (index = 0; index <= BALLAST_MAX_INDEX && tries; index++) {
		if (file_exists("/sys/block/ballast%ld", index) ||
		    file_exists("/dev/mapper/ballast%ld-swap", index))
			continue; /* the latter may outlive its disk */
		err = try_index(attach, index);
		if (err != -EBUSY)
			return err;
		tries--;
	}
	return err;
}

static int tell_failure(const struct attach *attach, int err, int klog)
{
	/* The kernel's message if it is connected, but gets no greeting. */
	static const char silent[] = "the server does not answer";
	char why[512];

	klog_why(klog, attach->disk, "attach", err, why, sizeof(why));
	return failure("%s: %s%s", attach->address, why,
		       strstr(why, silent) ?
			       "; it may serve one client at a time and still count an old connection: qemu-nbd needs --shared=N" :
			       "");
}

static int tell_same_swap(const struct attach *attach, const char *disk)
{
	return failure("%s: export \"%.200s\" is already swapped to, as %s",
		       attach->address, attach->uri.export, disk);
}

/*
 * With two swaps on one export, each would overwrite pages of the other, and
 * neither the kernel nor the server would report an error.
 */
static int refuse_same_swap(struct attach *attach, const struct addrinfo *info)
{
	for (; info; info = info->ai_next) {
		if (!server_address(info, attach->address,
				    sizeof(attach->address)))
			continue;
		if (expand_mac(attach, info))
			return FAILED;
		if (server_find_swap(attach->address, attach->uri.export, NULL,
				     attach->disk))
			return tell_same_swap(attach, attach->disk);
	}
	return FINE;
}

/* Try the addresses in order, until one works or fails for another reason. */
static int connect_to(struct attach *attach)
{
	struct addrinfo *list, *info;
	int klog, err = -EADDRNOTAVAIL, told = FAILED;

	if (expand_names(attach) ||
	    server_resolve(attach->uri.host, attach->uri.port, &list))
		return FAILED;
	if (attach->swap && refuse_same_swap(attach, list)) {
		freeaddrinfo(list);
		return FAILED;
	}
	for (info = list; info; info = info->ai_next) {
		if (!server_address(info, attach->address,
				    sizeof(attach->address)))
			continue;
		if (expand_mac(attach, info))
			continue;
		/* From the attach on, a signal must not leave the disk behind. */
		signals_catch();
		klog = klog_open();
		err = try_address(attach);
		if (err)
			told = tell_failure(attach, err, klog);
		klog_close(klog);
		if (!server_is_unreachable(err) || signals_caught())
			break;
	}
	freeaddrinfo(list);
	return err ? told : FINE;
}

static int tell_attached(struct attach *attach, bool *readonly)
{
	static struct disk disk;
	int err = disk_open(&disk, attach->disk);

	if (!err)
		err = disk_read(&disk);
	if (err) {
		errno = -err;
		return failure("%s: is attached, but its state can't be read: %m",
			       attach->disk);
	}
	disk_close(&disk);
	*readonly = disk.readonly;
	attach->size_bytes = disk.sectors * 512;
	if (attach->json)
		return FINE;
	out("/dev/%s: attached to %s, export \"", attach->disk,
	    attach->address);
	out_text(attach->uri.export);
	out("\", %.1f MiB%s\n", disk.sectors / 2048.0,
	    disk.readonly ? ", read-only" : "");
	return out_flush();
}

/*
 * Two processes that attach one export at the same time each find no swap of it
 * before. With the lock, the second one sees the swap of the first.
 */
static int make_swap(struct attach *attach)
{
	char other[DISK_NAME_LEN];
	int lock = lock_export(attach->address, attach->uri.export), err;

	if (lock < 0)
		return FAILED;
	if (persist_identity(attach->disk) != attach->identity)
		err = failure("/dev/%s: was detached meanwhile", attach->disk);
	else if (server_find_swap(attach->address, attach->uri.export,
				  attach->disk, other))
		err = tell_same_swap(attach, other);
	else
		err = swapon_disk(&attach->swapon, attach->disk);
	close(lock);
	return err;
}

static int swap_to(struct attach *attach, bool readonly)
{
	if (readonly) {
		failure("/dev/%s: the export is read-only, so it can't be a swap",
			attach->disk);
		return REFUSED;
	}
	attach->swapon.quiet = attach->json;
	return make_swap(attach);
}

static int persist(struct attach *attach)
{
	int err = persist_disk(attach->persist, attach->text,
			       attach->swap ? &attach->swapon : NULL,
			       &attach->options);

	if (!err)
		say(attach, PERSIST_FILE " attaches it at boot\n",
		    attach->persist);
	return err;
}

static void tell_json(const struct attach *attach, bool readonly)
{
	struct swap swap;

	json_begin(NULL, '{');
	json_text("name", attach->disk);
	json_text(BALLAST_FILE_SERVER, attach->address);
	json_text(BALLAST_FILE_EXPORT, attach->uri.export);
	json_number("size_bytes", attach->size_bytes);
	json_bool("readonly", readonly);
	json_bool("module_loaded", attach->loaded);
	json_bool("formatted", attach->swapon.formatted);
	swap_json(swap_find(attach->disk, &swap) ? &swap : NULL);
	json_end('}');
}

/* What is left when the disk is attached. After an error the caller undoes it. */
static int complete(struct attach *attach)
{
	bool readonly = false;
	int err = tell_attached(attach, &readonly);

	if (!err && attach->swap && !signals_caught()) {
		err = swap_to(attach, readonly);
		out_flush();
	}
	if (!err && signals_caught())
		err = failure("interrupted");
	if (!err && attach->persist)
		err = persist(attach);
	if (err)
		return err;
	if (attach->json)
		tell_json(attach, readonly);
	if (!out_flush())
		return FINE;
	if (attach->persist)
		persist_forget(attach->persist);
	return FAILED;
}

int cmd_attach(int argc, char **argv)
{
	static struct attach attach;
	int err = parse(&attach, argc, argv);

	if (!err && attach.swapon.encrypt)
		err = crypt_check();
	if (err)
		return err;
	if (load_module(&attach) || connect_to(&attach))
		return FAILED;
	attach.identity = persist_identity(attach.disk);
	err = complete(&attach);
	if (err)
		detach_undo(attach.disk, attach.identity);
	else if (attach.persist)
		persist_start(attach.persist, attach.disk, attach.identity);
	return err;
}
