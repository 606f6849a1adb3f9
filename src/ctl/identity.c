// SPDX-License-Identifier: GPL-2.0
/*
 * This machine's identity in swaps. The machine id must not be disclosed, see
 * machine-id(5), but the server can read a swap. So the identity is a hash of
 * the machine id and an id of this program: a UUID of version 5, while mkswap
 * generates version 4.
 */
#include "identity.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "machine.h"

/* "ballast swap", version 1. A change makes each swap another machine's. */
static const uuid_t application = { 0x5d, 0x0c, 0x2e, 0x3b, 0x9a, 0x4f,
				    0x4b, 0x71, 0x86, 0x1d, 0xc5, 0x2f,
				    0x70, 0xe8, 0x13, 0xa6 };

static void from_id(const char *id, char uuid[IDENTITY_UUID_LEN])
{
	uuid_t hash;

	uuid_generate_sha1(hash, application, id, strlen(id));
	uuid_unparse_lower(hash, uuid);
}

/* The initramfs would refuse a swap of a machine whose id it does not know. */
static bool own_id(char id[MACHINE_ID_LEN])
{
	if (machine_initramfs_lacks_id() && machine_firmware(id))
		return true;
	return machine_id(id) || machine_firmware(id);
}

bool identity_get(struct identity *identity)
{
	char id[MACHINE_ID_LEN], host[256] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(identity->label, sizeof(identity->label), "%.15s", host);
	identity->uuid[0] = '\0';
	if (!own_id(id))
		return false;
	from_id(id, identity->uuid);
	return true;
}

bool identity_is_owner(const char *uuid)
{
	uuid_t parsed;

	return !uuid_parse(uuid, parsed) && uuid_type(parsed) == 5;
}

static bool is_made_from(const char *uuid, const char *id)
{
	char own[IDENTITY_UUID_LEN];

	from_id(id, own);
	return !strcasecmp(uuid, own);
}

/*
 * An initramfs may know no machine id, and makes a swap with the firmware's
 * UUID. Therefore both count.
 */
bool identity_is_mine(const char *uuid)
{
	char id[MACHINE_ID_LEN];

	return (machine_id(id) && is_made_from(uuid, id)) ||
	       (machine_firmware(id) && is_made_from(uuid, id));
}
