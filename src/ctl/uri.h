/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_URI_H
#define BALLASTCTL_URI_H

#include <ballast/limits.h>

#define URI_EXPORT_LEN (BALLAST_MAX_EXPORT + 1)

/*
 * nbd://HOST[:PORT][/EXPORT], decoded; see
 * github.com/NetworkBlockDevice/nbd, doc/uri.md.
 */
struct nbd_uri {
	char host[256];	/* a name, or an address without brackets */
	char port[6];
	char export[URI_EXPORT_LEN];
};

/* NULL, or what is wrong with it. */
const char *uri_parse(const char *text, struct nbd_uri *uri);

#endif
