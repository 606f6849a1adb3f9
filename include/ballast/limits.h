/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's interface to user space: the options of the attach string with
 * their limits and defaults, and the names of the files in sysfs.
 *
 * The module, ballastctl and the tests use it. The tests read this file line by
 * line: one #define a line, whose value is a number, a string, or an expression
 * of numbers.
 */
#ifndef BALLAST_LIMITS_H
#define BALLAST_LIMITS_H

/* Options of the attach string */
#define BALLAST_OPT_SERVER		"server"
#define BALLAST_OPT_EXPORT		"export"
#define BALLAST_OPT_INDEX		"index"
#define BALLAST_OPT_CONNECTIONS		"connections"
#define BALLAST_OPT_QUEUE_DEPTH		"queue_depth"
#define BALLAST_OPT_TIMEOUT		"timeout"
#define BALLAST_OPT_DEADLINE		"deadline"
#define BALLAST_OPT_FENCE		"fence"
#define BALLAST_OPT_CONNECT_TIMEOUT	"connect_timeout"
#define BALLAST_OPT_READONLY		"readonly"
#define BALLAST_OPT_RESERVE		"reserve"
#define BALLAST_OPT_FILTER		"filter"
#define BALLAST_OPT_VERIFY		"verify"
#define BALLAST_OPT_ALLOW		"allow"

#define BALLAST_MAX_HOST		64	/* bytes, the NUL included */
#define BALLAST_DEFAULT_PORT		10809
#define BALLAST_MAX_EXPORT		4096	/* bytes */
#define BALLAST_MAX_INDEX		1048575
#define BALLAST_DEFAULT_CONNECTIONS	1
#define BALLAST_MAX_CONNECTIONS		64
#define BALLAST_DEFAULT_QUEUE_DEPTH	128
#define BALLAST_MAX_QUEUE_DEPTH		1024
#define BALLAST_MAX_SECONDS		86400	/* of all times */
#define BALLAST_DEFAULT_FENCE		60	/* seconds */
#define BALLAST_DEFAULT_CONNECT_TIMEOUT	10	/* seconds */
#define BALLAST_MAX_RESERVE		268435456	/* pages */
#define BALLAST_RESERVE_AUTO		(-1)
#define BALLAST_MAX_ALLOW		16	/* entries */

/* /sys/class/ballast/ */
#define BALLAST_FILE_ATTACH		"attach"
#define BALLAST_FILE_GUARD		"guard"

/* /sys/block/ballastN/ballast/ */
#define BALLAST_FILE_SERVER		"server"
#define BALLAST_FILE_EXPORT		"export"
#define BALLAST_FILE_STATE		"state"
#define BALLAST_FILE_REASON		"reason"
#define BALLAST_FILE_CONNECTIONS	"connections"
#define BALLAST_FILE_INFLIGHT		"inflight"
#define BALLAST_FILE_RECONNECTS		"reconnects"
#define BALLAST_FILE_FENCES		"fences"
#define BALLAST_FILE_FENCES_HELD	"fences_held"
#define BALLAST_FILE_FENCES_EXPIRED	"fences_expired"
#define BALLAST_FILE_INTERFACE		"interface"
#define BALLAST_FILE_ALLOW		"allow"
#define BALLAST_FILE_VERIFY		"verify"
#define BALLAST_FILE_VERIFIED		"verified"
#define BALLAST_FILE_VERIFY_ERRORS	"verify_errors"
#define BALLAST_FILE_MOVE		"move"
#define BALLAST_FILE_DETACH		"detach"

/* /sys/class/net/IFACE/ballast/ */
#define BALLAST_FILE_SIZE_PAGES		"size_pages"
#define BALLAST_FILE_AVAILABLE_PAGES	"available_pages"
#define BALLAST_FILE_LENT_PAGES		"lent_pages"
#define BALLAST_FILE_PACKET_LIMIT	"packet_limit"
#define BALLAST_FILE_LEND_BELOW		"lend_below"
#define BALLAST_FILE_IN_USE		"in_use"
#define BALLAST_FILE_GRADE		"grade"
#define BALLAST_FILE_CRITICAL_MS	"critical_ms"
#define BALLAST_FILE_ACTIVATIONS	"activations"
#define BALLAST_FILE_IN_USE_MS		"in_use_ms"
#define BALLAST_FILE_RX_KEPT		"rx_kept"
#define BALLAST_FILE_RX_ALLOWED		"rx_allowed"
#define BALLAST_FILE_RX_UNRELATED	"rx_unrelated"
#define BALLAST_FILE_RX_PFMEMALLOC	"rx_pfmemalloc"
#define BALLAST_FILE_RX_DROPPED		"rx_dropped"
#define BALLAST_FILE_RX_DROPPED_BYTES	"rx_dropped_bytes"
#define BALLAST_FILE_RX_DROPPED_SOCKET	"rx_dropped_other_socket"
#define BALLAST_FILE_RX_DROPPED_PROTO	"rx_dropped_protocol"
#define BALLAST_FILE_RX_DROPPED_FRAG	"rx_dropped_fragment"
#define BALLAST_FILE_RX_DROPPED_BUDGET	"rx_dropped_budget"
#define BALLAST_FILE_RX_DROPPED_LIMIT	"rx_dropped_limit"
#define BALLAST_FILE_RX_DROPPED_BAD	"rx_dropped_malformed"
#define BALLAST_FILE_LENDS		"lends"
#define BALLAST_FILE_REFILLS		"refills"
#define BALLAST_FILE_RESCUES		"rescues"
#define BALLAST_FILE_ESTIMATE		"estimate"

/* /sys/class/net/IFACE/ballast/packet_limit */
#define BALLAST_MIN_PACKETS		50	/* the default of the 2005 design */
#define BALLAST_MAX_PACKETS		1048576

#endif /* BALLAST_LIMITS_H */
