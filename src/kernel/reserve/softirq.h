/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive softirqs may use the page allocator's emergency reserves while
 * memory for packets is short.
 */
#ifndef BALLAST_SOFTIRQ_H
#define BALLAST_SOFTIRQ_H

int ballast_softirq_start(void);
void ballast_softirq_stop(void);

#endif /* BALLAST_SOFTIRQ_H */
