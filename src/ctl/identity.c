// SPDX-License-Identifier: GPL-2.0
/*
 * This machine's identity in swaps. The machine id must not be disclosed, see
 * machine-id(5), but the server can read a swap. So the identity is a hash of
 * the machine id and an id of this program: a UUID of version 5, while mkswap
 * generates version 4.
 */
#include "identity.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "files.h"
#include "machine.h"

/* "ballast swap", version 1. A change makes each swap another machine's. */
static const uuid_t application = { 0x5d, 0x0c, 0x2e, 0x3b, 0x9a, 0x4f,
				    0x4b, 0x71, 0x86, 0x1d, 0xc5, 0x2f,
				    0x70, 0xe8, 0x13, 0xa6 };

/* 32 hexadecimal digits; if all are the same, the UUID was never set. */
static bool read_firmware(char id[MACHINE_ID_LEN])
{
	char text[64], *at;
	size_t nr = 0;

	file_value(text, sizeof(text), "/sys/class/dmi/id/product_uuid");
	for (at = text; *at && nr < MACHINE_ID_LEN - 1; at++)
		if (isxdigit((unsigned char)*at))
			id[nr++] = tolower((unsigned char)*at);
	id[nr] = '\0';
	return nr == MACHINE_ID_LEN - 1 && strspn(id, (char[]){ *id, 0 }) < nr;
}

bool identity_get(struct identity *identity)
{
	char id[MACHINE_ID_LEN], host[256] = "";
	uuid_t uuid;

	gethostname(host, sizeof(host) - 1);
	snprintf(identity->label, sizeof(identity->label), "%.15s", host);
	identity->uuid[0] = '\0';
	if (!machine_id(id) && !read_firmware(id))
		return false;
	uuid_generate_sha1(uuid, application, id, strlen(id));
	uuid_unparse_lower(uuid, identity->uuid);
	return true;
}

bool identity_is_owner(const char *uuid)
{
	uuid_t parsed;

	return !uuid_parse(uuid, parsed) && uuid_type(parsed) == 5;
}

bool identity_same(const char *uuid, const char *other)
{
	return *uuid && !strcasecmp(uuid, other);
}
