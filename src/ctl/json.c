// SPDX-License-Identifier: GPL-2.0
/*
 * Writing JSON without allocating, see json.h.
 */
#include "json.h"

#include <string.h>

#include "out.h"

static unsigned int depth;
static bool one_line;	/* for each outermost value */
static bool empty = true;	/* no value yet between these brackets */

static void indent(void)
{
	unsigned int i;

	if (one_line)
		return;
	if (depth)
		out("\n");
	for (i = 0; i < depth; i++)
		out("  ");
}

/* JSON is UTF-8: any other byte becomes U+FFFD. */
static void string(const char *text)
{
	size_t len;

	out("\"");
	for (; *text; text += len ? len : 1) {
		len = utf8_length(text);
		if (!len)
			out("\\ufffd");
		else if (*text == '"' || *text == '\\')
			out("\\%c", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			out("\\u%04x", (unsigned char)*text);
		else
			out_bytes(text, len);
	}
	out("\"");
}

static void begin_value(const char *key)
{
	if (!empty)
		out(",");
	indent();
	empty = false;
	if (key) {
		string(key);
		out(": ");
	}
}

void json_lines(void)
{
	one_line = true;
}

void json_begin(const char *key, char bracket)
{
	begin_value(key);
	out("%c", bracket);
	depth++;
	empty = true;
}

void json_end(char bracket)
{
	bool was_empty = empty;

	depth--;
	empty = false;
	if (!was_empty && depth)
		indent();
	else if (!was_empty && !one_line)
		out("\n");
	out("%c", bracket);
	if (!depth) {
		out("\n");
		empty = true;
	}
}

void json_text(const char *key, const char *value)
{
	begin_value(key);
	string(value);
}

void json_number(const char *key, long long value)
{
	begin_value(key);
	out("%lld", value);
}

void json_real(const char *key, double value)
{
	begin_value(key);
	out("%.3f", value);
}

void json_bool(const char *key, bool value)
{
	begin_value(key);
	out(value ? "true" : "false");
}

void json_null(const char *key)
{
	begin_value(key);
	out("null");
}
