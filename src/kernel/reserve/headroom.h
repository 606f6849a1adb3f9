/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headroom: pages that allocations which cannot wait can still get.
 */
#ifndef BALLAST_HEADROOM_H
#define BALLAST_HEADROOM_H

long ballast_headroom(unsigned int order);
long ballast_headroom_at_low(void);
long ballast_surplus(void);
void ballast_headroom_sample(void);

#endif /* BALLAST_HEADROOM_H */
