// SPDX-License-Identifier: GPL-2.0
/*
 * What distinguishes this machine from others, see machine.h.
 */
#include "machine.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "route.h"

/* 32 hexadecimal digits, or a UUID with its dashes; zero is no id. */
static bool parse_id(const char *text, char id[MACHINE_ID_LEN])
{
	const size_t len = strcspn(text, " \t\r\n");
	size_t i, nr = 0;

	if (len != 32 && len != 36)
		return false;
	for (i = 0; i < len; i++) {
		if (len == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
			if (text[i] != '-')
				return false;
			continue;
		}
		if (!isxdigit((unsigned char)text[i]))
			return false;
		id[nr++] = tolower((unsigned char)text[i]);
	}
	id[nr] = '\0';
	return strspn(id, "0") < nr;
}

static const char *const id_names[] = { "systemd.machine_id=",
					"systemd.machine-id=", NULL };
static const char *const attach_names[] = { "rd.ballast=", NULL };

/* The last value of a parameter that has one of these names, or NULL. */
static const char *find_parameter(const char *line, const char *const names[])
{
	const char *value = NULL;
	size_t i;

	while (*line) {
		line += strspn(line, " \t\r\n");
		for (i = 0; names[i]; i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				value = line + strlen(names[i]);
		line += strcspn(line, " \t\r\n");
	}
	return value;
}

bool machine_id(char id[MACHINE_ID_LEN])
{
	char line[4096], text[64];
	const char *value;

	file_read(line, sizeof(line), "/proc/cmdline");
	value = find_parameter(line, id_names);
	if (value && !strncmp(value, "firmware", 8) &&
	    (!value[8] || isspace((unsigned char)value[8])))
		return machine_firmware(id);
	if (value)
		return parse_id(value, id);
	if (file_exists("/etc/initrd-release"))
		return false;
	file_value(text, sizeof(text), "/etc/machine-id");
	return parse_id(text, id);
}

bool machine_initramfs_lacks_id(void)
{
	char line[4096];

	file_read(line, sizeof(line), "/proc/cmdline");
	return find_parameter(line, attach_names) &&
	       !find_parameter(line, id_names);
}

/* If all digits are the same, the UUID was never set. */
bool machine_firmware(char id[MACHINE_ID_LEN])
{
	char text[64];

	file_value(text, sizeof(text), "/sys/class/dmi/id/product_uuid");
	return parse_id(text, id) &&
	       strspn(id, (char[]){ *id, 0 }) < MACHINE_ID_LEN - 1;
}

bool machine_host(char host[MACHINE_HOST_LEN])
{
	file_value(host, MACHINE_HOST_LEN, "/proc/sys/kernel/hostname");
	return *host && strcmp(host, "(none)") && strcmp(host, "localhost") &&
	       strncmp(host, "localhost.", 10);
}

bool machine_mac(const struct sockaddr *server, char interface[IF_NAMESIZE],
		 char mac[MACHINE_MAC_LEN])
{
	char text[64], *colon;

	*interface = '\0';
	if (!route_interface(server, interface))
		return false;
	/* InfiniBand's are longer. */
	if (file_value(text, sizeof(text), "/sys/class/net/%s/address",
		       interface) != MACHINE_MAC_LEN - 1 ||
	    !strcmp(text, "00:00:00:00:00:00"))
		return false;
	memcpy(mac, text, MACHINE_MAC_LEN);
	while ((colon = strchr(mac, ':')))
		*colon = '-';
	return true;
}
