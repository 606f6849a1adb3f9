/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Physical interfaces: their drivers allocate memory for packets.
 */
#ifndef BALLAST_CARD_H
#define BALLAST_CARD_H

#include <linux/types.h>

struct net_device;

bool ballast_card_is(const struct net_device *dev);
struct net_device *
ballast_card_find(bool (*matches)(const struct net_device *dev));

#endif /* BALLAST_CARD_H */
