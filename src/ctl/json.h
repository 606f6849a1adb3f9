/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_JSON_H
#define BALLASTCTL_JSON_H

#include <stdbool.h>

/*
 * Write indented JSON to out(), with the commas that it needs. @key is NULL in
 * an array, and for the outermost value.
 *
 *	json_begin(NULL, '{');
 *	json_number("pages", 561);
 *	json_begin("names", '[');
 *	json_text(NULL, "eth0");
 *	json_end(']');
 *	json_end('}');
 *
 * After json_lines() each outermost value is one line.
 */
void json_lines(void);
void json_begin(const char *key, char bracket);
void json_end(char bracket);
void json_text(const char *key, const char *value);
void json_number(const char *key, long long value);
void json_real(const char *key, double value);
void json_bool(const char *key, bool value);
void json_null(const char *key);

#endif
