// SPDX-License-Identifier: GPL-2.0
/*
 * Whether an export can be a disk; see export.h. The server is not trusted: all
 * values that it sent are checked here before use.
 */
#include "export.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>

#include "wire.h"

/**
 * ballast_export_check - can an export be a disk?
 * @export: from the server; missing values are filled in, and values smaller
 *	    than a disk's are rounded up
 * @page_size: the largest block that the block layer supports, bytes
 * @why: set to the reason on error
 *
 * Return: 0; -EINVAL; -EFBIG: over 2^63 - 1 bytes
 */
int ballast_export_check(struct wire_export *export, u32 page_size,
			 const char **why)
{
	if (!(export->flags & NBD_FLAG_HAS_FLAGS))
		export->flags = 0;
	if (!export->min_block)
		export->min_block = 512;
	if (!is_power_of_2(export->min_block)) {
		*why = "block size is not a power of two";
		return -EINVAL;
	}
	if (export->min_block > page_size) {
		*why = "block size is larger than a page";
		return -EINVAL;
	}
	export->min_block = max_t(u32, export->min_block, 512);

	if (export->preferred_block &&
	    !is_power_of_2(export->preferred_block)) {
		*why = "preferred block size is not a power of two";
		return -EINVAL;
	}
	export->preferred_block = max(export->preferred_block,
				      export->min_block);

	/* 0xffffffff means no limit; the disk has one. */
	if (!export->max_payload ||
	    export->max_payload > NBD_DEFAULT_MAX_PAYLOAD)
		export->max_payload = NBD_DEFAULT_MAX_PAYLOAD;
	export->max_payload = round_down(export->max_payload,
					 export->min_block);
	if (export->max_payload < page_size) {
		*why = "longest request is shorter than a page";
		return -EINVAL;
	}

	if (!export->size) {
		*why = "export size is 0";
		return -EINVAL;
	}
	if (export->size > S64_MAX) {
		*why = "export size is over 2^63 - 1 bytes";
		return -EFBIG;
	}
	if (export->size & (export->min_block - 1)) {
		*why = "export size is not a multiple of its block size";
		return -EINVAL;
	}
	return 0;
}

/* Features that the disk uses and a later export may lack. */
static const struct {
	u16 flag;
	const char *why;
} export_needs[] = {
	{ NBD_FLAG_SEND_FLUSH, "the export no longer supports flush" },
	{ NBD_FLAG_SEND_FUA, "the export no longer supports FUA" },
	{ NBD_FLAG_SEND_TRIM, "the export no longer supports trim" },
	{ NBD_FLAG_SEND_WRITE_ZEROES,
	  "the export no longer supports write zeroes" },
	{ NBD_FLAG_CAN_MULTI_CONN,
	  "the export no longer allows several connections" },
};

/**
 * ballast_export_differs - can an export replace the one of the attach?
 * @was: the export that the disk was attached to
 * @is: the export now; it may have more than before
 * @multi_conn: the disk uses several connections
 * @readonly: the disk never writes
 *
 * Return: NULL: it can; else the reason why not
 */
const char *ballast_export_differs(const struct wire_export *was,
				   const struct wire_export *is,
				   bool multi_conn, bool readonly)
{
	u16 lost = was->flags & ~is->flags;
	unsigned int i;

	if (!multi_conn)
		lost &= ~NBD_FLAG_CAN_MULTI_CONN;
	if (is->size < was->size)
		return "the export is smaller now";
	if (is->min_block > was->min_block)
		return "the export has a larger block size now";
	if (is->max_payload < was->max_payload)
		return "the export has a lower limit on the length of requests now";
	if (is->flags & ~was->flags & NBD_FLAG_READ_ONLY && !readonly)
		return "the export is read-only now";
	for (i = 0; i < ARRAY_SIZE(export_needs); i++)
		if (lost & export_needs[i].flag)
			return export_needs[i].why;
	return NULL;
}
