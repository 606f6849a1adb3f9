/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_URI_H
#define BALLASTCTL_URI_H

#include <stdbool.h>

#include <ballast/limits.h>

#define URI_EXPORT_LEN (BALLAST_MAX_EXPORT + 1)

/*
 * Values of a URI's placeholders. NULL: not known yet; a sample of the same
 * kind is used.
 */
struct uri_names {
	const char *id;		/* %m */
	const char *host;	/* %H */
	const char *mac;	/* %M */
};

/*
 * nbd://HOST[:PORT][/EXPORT], decoded; see
 * github.com/NetworkBlockDevice/nbd, doc/uri.md. The letters m, H and M are not
 * hexadecimal digits, so %m, %H, %M and %% are never an encoded byte.
 */
struct nbd_uri {
	char host[256];	/* a name, or an address without brackets */
	char port[6];
	char export[URI_EXPORT_LEN];
	bool has_id, has_host, has_mac;	/* which names the URI uses */
};

/*
 * Decode @text; @names may be NULL. Returns NULL, or what is wrong with it, in
 * a buffer that the next call overwrites.
 */
const char *uri_parse(const char *text, const struct uri_names *names,
		      struct nbd_uri *uri);

#endif
