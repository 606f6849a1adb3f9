/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Detects that a server has lost pages that were swapped out to it.
 *
 * A blank export, another one, an older copy of the image, or a server whose
 * crash lost acknowledged writes answers reads without an error, and the wrong
 * data become the memory of programs. So the session keeps checksums of the
 * pages swapped out last (sums.h), and reads some of them back over each
 * restored connection before requests use it.
 *
 * Only swap is recorded (REQ_SWAP): a file system may change a page after its
 * write was sent. Swap does not, since the disk requires stable pages.
 */
#ifndef BALLAST_VERIFY_H
#define BALLAST_VERIFY_H

#include "cmd.h"

struct ballast_session;
struct ballast_verify;
struct ballast_wait;
struct socket;

/**
 * struct ballast_verify_stats - what sysfs shows
 * @state: "off"; "on"; "refused": the last verification failed
 * @blocks: number of blocks read back and found right
 * @errors: number of connections refused
 */
struct ballast_verify_stats {
	const char *state;
	unsigned long blocks;
	unsigned long errors;
};

struct ballast_verify *ballast_verify_alloc(void);
void ballast_verify_free(struct ballast_verify *verify);
int ballast_verify_server(struct ballast_session *session, struct socket *sock,
			  bool structured, const struct ballast_wait *wait,
			  const char **why);
void ballast_verify_note(struct ballast_session *session, int err,
			 const char *why);
void ballast_verify_get_stats(const struct ballast_verify *verify,
			      struct ballast_verify_stats *stats);

void ballast_verify_begin(struct ballast_verify *verify,
			  struct ballast_cmd *cmd);
void ballast_verify_record(struct ballast_cmd *cmd, bool ok);

/**
 * ballast_verify_submit - a request is about to be sent for the first time
 * @verify: of the session; NULL: verify=off
 * @cmd: type, offset and length are filled in
 *
 * Context: any but hard interrupt; does not sleep
 */
static inline void ballast_verify_submit(struct ballast_verify *verify,
					 struct ballast_cmd *cmd)
{
	cmd->verify = NULL;
	if (verify && cmd->type != NBD_CMD_READ && cmd->type != NBD_CMD_FLUSH)
		ballast_verify_begin(verify, cmd);
}

/**
 * ballast_verify_end - a request ends; its pages are still its own
 * @cmd: was passed to ballast_verify_submit()
 * @ok: the server has acknowledged it
 *
 * Context: any but hard interrupt; does not sleep
 */
static inline void ballast_verify_end(struct ballast_cmd *cmd, bool ok)
{
	if (cmd->verify)
		ballast_verify_record(cmd, ok);
}

#endif /* BALLAST_VERIFY_H */
