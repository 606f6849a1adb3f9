// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of include/trace/events/ballast.h.
 */
#include "compat.h"
#include "cmd.h"

#define CREATE_TRACE_POINTS
#include <trace/events/ballast.h>
