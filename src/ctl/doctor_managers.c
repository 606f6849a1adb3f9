// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: programs that manage interfaces under a swap. If they
 * remove addresses when the carrier is lost, the swap is unreachable until they
 * restore them, and they may be swapped out.
 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "files.h"
#include "interface.h"
#include "netdisk.h"
#include "sysfs.h"

#define CGROUP "/sys/fs/cgroup/system.slice/%s.service/memory.swap.max"

#define VALUE_LEN 32

static bool is_yes(const char *value)
{
	return !strcasecmp(value, "yes") || !strcasecmp(value, "true") ||
	       !strcasecmp(value, "on") || !strcmp(value, "1");
}

/* The settings found in the files of one program. */
struct settings {
	const char *interface;
	char section[64];
	/* systemd-networkd: IgnoreCarrierLoss= and others. */
	char ignore[VALUE_LEN], keep[VALUE_LEN], without[VALUE_LEN];
	/* NetworkManager: this section is for the interface; ignore-carrier. */
	bool matches, ignored;
};

/* Split "Key = value" at the = and remove white space; false: no such line. */
static bool key_value(char *line, char **value)
{
	char *end = strchr(line, '=');

	if (!end || *line == '#' || *line == ';')
		return false;
	*value = end + 1 + strspn(end + 1, " \t");
	while (end > line && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	for (end = strchr(*value, '\0'); end > *value; end--)
		if (!isspace((unsigned char)end[-1]))
			break;
	*end = '\0';
	return true;
}

static void keep_value(char *value, const char *text)
{
	snprintf(value, VALUE_LEN, "%.31s", text);
}

static bool networkd_line(char *line, void *data)
{
	struct settings *settings = data;
	char *value;

	if (*line == '[') {
		snprintf(settings->section, sizeof(settings->section), "%s",
			 line);
	} else if (!strncmp(settings->section, "[Network]", 9) &&
		   key_value(line, &value)) {
		if (!strcmp(line, "IgnoreCarrierLoss"))
			keep_value(settings->ignore, value);
		else if (!strcmp(line, "KeepConfiguration"))
			keep_value(settings->keep, value);
		else if (!strcmp(line, "ConfigureWithoutCarrier"))
			keep_value(settings->without, value);
	}
	return true;
}

/* Is "eth0" in "interface-name:eth0;eth1"? A list may be of all, or of Ethernet. */
static bool nm_matches(char *list, const char *interface)
{
	char *word, *at;

	for (word = strtok_r(list, ";, ", &at); word;
	     word = strtok_r(NULL, ";, ", &at)) {
		if (!strncmp(word, "interface-name:", 15))
			word += 15;
		if (*word == '=')
			word++;
		if (!strcmp(word, "*") || !strcmp(word, "type:ethernet") ||
		    !strcmp(word, interface))
			return true;
	}
	return false;
}

static bool nm_line(char *line, void *data)
{
	struct settings *settings = data;
	char *value;

	if (*line == '[') {
		snprintf(settings->section, sizeof(settings->section), "%s",
			 line);
		/* A section without match-device applies to all devices. */
		settings->matches = true;
	} else if (key_value(line, &value)) {
		if (!strcmp(line, "match-device"))
			settings->matches =
				nm_matches(value, settings->interface);
		else if (strcmp(line, "ignore-carrier"))
			return true;
		else if (!strncmp(settings->section, "[main]", 6))
			settings->ignored =
				nm_matches(value, settings->interface);
		else if (!strncmp(settings->section, "[device", 7) &&
			 settings->matches)
			settings->ignored = is_yes(value);
	}
	return true;
}

struct directory {
	const char *path;
	bool (*line)(char *text, void *data);
	struct settings *settings;
};

static bool each_conf(const char *name, void *data)
{
	const struct directory *directory = data;
	const char *dot = strrchr(name, '.');
	int fd;

	if (!dot || strcmp(dot, ".conf"))
		return true;
	fd = file_open("%s/%s", directory->path, name);
	if (fd >= 0) {
		file_each_line(fd, directory->line, directory->settings);
		close(fd);
	}
	return true;
}

/*
 * Read directories from the lowest precedence to the highest, and the files of
 * one in any order: they are not expected to contradict each other.
 */
static void read_directories(const char *const *roots, const char *name,
			     bool (*line)(char *text, void *data),
			     struct settings *settings)
{
	char path[FILE_PATH_LEN];
	struct directory directory = { path, line, settings };

	for (; *roots; roots++) {
		snprintf(path, sizeof(path), "%s/%s", *roots, name);
		file_each_name(each_conf, &directory, "%s", path);
	}
}

/* A program that is swapped out can't renew a lease during an outage. */
static void check_swappable(const char *interface, const char *service)
{
	char most[32];
	struct finding *f;

	if (file_value(most, sizeof(most), CGROUP, service) > 0 &&
	    !strcmp(most, "0"))
		return;
	f = found("manager-swappable", ADVICE,
		  "%s: %s, which manages it, may be swapped out", interface,
		  service);
	figures(f, "memory.swap.max of its cgroup: %s.",
		*most ? most : "not known");
	why(f,
	    "It renews the lease and restores addresses. If its pages are in a swap behind this interface, it cannot do that when it is needed for the swap.");
	command(f, "systemctl set-property %s.service MemorySwapMax=0",
		service);
}

static struct finding *address_lost(const char *interface, const char *service)
{
	struct finding *f;

	f = found("address-lost-with-carrier", SERIOUS,
		  "%s: %s removes its addresses when the carrier is lost",
		  interface, service);
	why(f,
	    "The swap comes back only when the program has restored the addresses, and for that it may need pages that are in the swap. Then the machine hangs, although the cable is plugged in again.");
	return f;
}

/* The value of KEY= in a file of systemd's state; empty: none. */
static void state_value(const char *text, const char *key, char *value,
			size_t size)
{
	const char *at = strstr(text, key);

	*value = '\0';
	if (at && (at == text || at[-1] == '\n'))
		snprintf(value, size, "%.*s",
			 (int)strcspn(at + strlen(key), "\n"),
			 at + strlen(key));
}

static void check_networkd(const char *interface, long long index)
{
	static const char *const roots[] = { "/usr/lib/systemd/network",
					     "/run/systemd/network",
					     "/etc/systemd/network", NULL };
	struct settings settings = { .interface = interface };
	char state[4096], file[256], drop_ins[280];
	const char *name;
	struct finding *f;
	bool lease;
	int fd;

	if (file_read(state, sizeof(state), "/run/systemd/netif/links/%lld",
		      index) <= 0)
		return;
	state_value(state, "NETWORK_FILE=", file, sizeof(file));
	name = strrchr(file, '/');
	if (!name++)
		return;
	fd = file_open("%s", file);
	if (fd >= 0) {
		file_each_line(fd, networkd_line, &settings);
		close(fd);
	}
	snprintf(drop_ins, sizeof(drop_ins), "%s.d", name);
	read_directories(roots, drop_ins, networkd_line, &settings);

	lease = file_exists("/run/systemd/netif/leases/%lld", index);
	if (!is_yes(*settings.ignore ? settings.ignore : settings.without) ||
	    (lease && !is_yes(settings.keep) && strcmp(settings.keep, "dhcp") &&
	     strcmp(settings.keep, "dynamic"))) {
		f = address_lost(interface, "systemd-networkd");
		figures(f, "%s: IgnoreCarrierLoss=%s, KeepConfiguration=%s.",
			file, settings.ignore, settings.keep);
		command(f, "mkdir -p /etc/systemd/network/%s.d", name);
		command(f,
			"printf '[Network]\\nIgnoreCarrierLoss=yes\\nKeepConfiguration=yes\\n' > /etc/systemd/network/%s.d/ballast.conf",
			name);
		command(f, "networkctl reload");
	}
	check_swappable(interface, "systemd-networkd");
}

static void check_nm(const char *interface, long long index)
{
	static const char *const before[] = { "/usr/lib/NetworkManager",
					      "/run/NetworkManager", NULL };
	static const char *const after[] = { "/etc/NetworkManager", NULL };
	struct settings settings = { .interface = interface };
	struct finding *f;
	char state[4096];
	int fd;

	if (file_read(state, sizeof(state), "/run/NetworkManager/devices/%lld",
		      index) <= 0 ||
	    !strstr(state, "connection-uuid="))
		return;
	read_directories(before, "conf.d", nm_line, &settings);
	fd = file_open("/etc/NetworkManager/NetworkManager.conf");
	if (fd >= 0) {
		file_each_line(fd, nm_line, &settings);
		close(fd);
	}
	read_directories(after, "conf.d", nm_line, &settings);
	if (!settings.ignored) {
		f = address_lost(interface, "NetworkManager");
		figures(f, "No ignore-carrier for it in NetworkManager.conf.");
		command(f,
			"printf '[device-ballast-%s]\\nmatch-device=interface-name:%s\\nignore-carrier=1\\n' > /etc/NetworkManager/conf.d/ballast-%s.conf",
			interface, interface, interface);
		command(f, "systemctl restart NetworkManager");
	}
	check_swappable(interface, "NetworkManager");
}

static void check_manager(const char *interface)
{
	long long index;

	if (file_number(&index, "/sys/class/net/%s/ifindex", interface))
		return;
	check_networkd(interface, index);
	check_nm(interface, index);
}

static bool is_among(const char *name, const struct interface *interfaces,
		     int nr)
{
	while (nr > 0)
		if (!strcmp(interfaces[--nr].name, name))
			return true;
	return false;
}

/*
 * The interfaces of ballast's swaps, which may be a bond or a VLAN; and all
 * physical ones if there is another swap on the network, whose route is not
 * known here.
 */
void check_managers(const struct netdisks *disks)
{
	struct interface interfaces[INTERFACE_MAX + NETDISK_MAX];
	char name[IFNAMSIZ];
	bool all = false;
	int i, nr = 0;

	for (i = 0; i < disks->nr; i++)
		if (disks->disks[i].swap &&
		    disks->disks[i].kind != NETDISK_BALLAST)
			all = true;
	if (all)
		nr = interfaces_find(interfaces, INTERFACE_MAX);
	nr = nr < 0 ? 0 : nr;
	for (i = 0; i < disks->nr; i++) {
		const struct netdisk *disk = &disks->disks[i];

		if (!disk->swap || disk->kind != NETDISK_BALLAST ||
		    file_value(name, sizeof(name),
			       SYSFS_DISK "/" BALLAST_FILE_INTERFACE,
			       disk->name) <= 0 ||
		    is_among(name, interfaces, nr))
			continue;
		snprintf(interfaces[nr++].name, sizeof(interfaces->name),
			 "%.15s", name);
	}
	for (i = 0; i < nr; i++)
		check_manager(interfaces[i].name);
}
