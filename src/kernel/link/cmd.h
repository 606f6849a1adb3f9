/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request's data: where in its bios the next byte is.
 *
 * The iterator walks over the bios' own vectors, so that nothing has to be
 * allocated for it.
 */
#ifndef BALLAST_CMD_H
#define BALLAST_CMD_H

#include <linux/types.h>

struct ballast_cmd;
struct sk_buff;

void ballast_cmds_fail(struct list_head *cmds);
void ballast_cmd_rewind(struct ballast_cmd *cmd);
size_t ballast_cmd_left_in_bio(struct ballast_cmd *cmd);
void ballast_cmd_advance(struct ballast_cmd *cmd, size_t n);
void ballast_cmd_seek(struct ballast_cmd *cmd, u32 pos);
int ballast_cmd_fill(struct ballast_cmd *cmd, struct sk_buff *skb, int offset,
		     size_t n);
int ballast_cmd_zero(struct ballast_cmd *cmd, size_t n);

#endif /* BALLAST_CMD_H */
