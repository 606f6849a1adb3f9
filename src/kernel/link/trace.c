// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of include/trace/events/ballast.h.
 */
#include "link.h"

#include "compat.h"

#define CREATE_TRACE_POINTS
#include <trace/events/ballast.h>
