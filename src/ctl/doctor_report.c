// SPDX-License-Identifier: GPL-2.0
/*
 * The report of "ballastctl doctor", as text and as JSON.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "json.h"
#include "out.h"

#define MAX_FINDINGS	64
#define MAX_UNSEEN	16

static struct finding findings[MAX_FINDINGS + 1];
static int nr_findings;
static int nr_omitted;

static char unseen[MAX_UNSEEN][160];
static int nr_unseen;

struct finding *found(const char *id, enum severity severity,
		      const char *format, ...)
{
	/* Findings over the limit overwrite the entry after the last. */
	struct finding *finding = &findings[nr_findings];
	va_list args;

	if (nr_findings < MAX_FINDINGS)
		nr_findings++;
	else
		nr_omitted++;
	memset(finding, 0, sizeof(*finding));
	finding->id = id;
	finding->severity = severity;
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
	return finding;
}

static void append(char *text, size_t size, const char *format, va_list args)
{
	size_t len = strlen(text);

	vsnprintf(text + len, size - len, format, args);
}

void figures(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(finding->figures, sizeof(finding->figures), format, args);
	va_end(args);
}

void why(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(finding->why, sizeof(finding->why), format, args);
	va_end(args);
}

void command(struct finding *finding, const char *format, ...)
{
	va_list args;

	if (finding->nr_commands == FINDING_COMMANDS)
		return;
	va_start(args, format);
	append(finding->commands[finding->nr_commands++],
	       sizeof(finding->commands[0]), format, args);
	va_end(args);
}

void not_looked_at(const char *format, ...)
{
	va_list args;

	if (nr_unseen == MAX_UNSEEN)
		return;
	va_start(args, format);
	vsnprintf(unseen[nr_unseen++], sizeof(unseen[0]), format, args);
	va_end(args);
}

enum severity report_severity(void)
{
	enum severity worst = HEALTHY;
	int i;

	for (i = 0; i < nr_findings; i++)
		if (findings[i].severity > worst)
			worst = findings[i].severity;
	return worst;
}

static const char *severity_name(enum severity severity)
{
	return severity == SERIOUS ? "serious" : "advice";
}

/* Wrap at the width of a terminal, with a hanging indent. */
static void paragraph(const char *title, const char *text)
{
	const int width = 80, indent = 11;
	int column = indent;
	size_t len;

	if (!*text)
		return;
	out("  %-9s", title);
	while (*text) {
		len = strcspn(text, " ");
		if (column > indent && column + 1 + (int)len > width) {
			out("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			out(" ");
			column++;
		}
		out("%.*s", (int)len, text);
		column += len;
		text += len;
		text += strspn(text, " ");
	}
	out("\n");
}

static void print_finding(const struct finding *finding)
{
	int i;

	out("%s: ", severity_name(finding->severity));
	out_text(finding->what);
	out(" [%s]\n", finding->id);
	paragraph("figures:", finding->figures);
	paragraph("why:", finding->why);
	/* Not wrapped, so that they can be copied. */
	for (i = 0; i < finding->nr_commands; i++) {
		out("  %-9s", i ? "" : "run:");
		out_text(finding->commands[i]);
		out("\n");
	}
	out("\n");
}

static unsigned long kib(unsigned long pages)
{
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void print_zones(const struct zoneinfo *zones)
{
	int i;

	out("%-14s %12s %12s %12s %12s\n", "zone (KiB)", "free", "min", "low",
	    "high");
	for (i = 0; i < zones->nr; i++) {
		const struct zone *zone = &zones->zones[i];

		out("%-3d %-10s %12lu %12lu %12lu %12lu\n", zone->node,
		    zone->name, kib(zone->free), kib(zone->min),
		    kib(zone->low), kib(zone->high));
	}
	out("\n");
}

static void print_counts(void)
{
	int count[] = { 0, 0, 0 }, i;

	for (i = 0; i < nr_findings; i++)
		count[findings[i].severity]++;
	out("%d serious, %d advice.\n", count[SERIOUS], count[ADVICE]);
	if (nr_omitted)
		out("%d more are not shown.\n", nr_omitted);
}

void report_text(const struct zoneinfo *zones)
{
	int i;

	for (i = 0; i < nr_findings; i++)
		print_finding(&findings[i]);
	if (!nr_findings) {
		out("All is well.\n");
	} else {
		if (zones)
			print_zones(zones);
		print_counts();
	}
	for (i = 0; i < nr_unseen; i++) {
		out("Not looked at: ");
		out_text(unseen[i]);
		out("\n");
	}
}

static void finding_json(const struct finding *finding)
{
	int i;

	json_begin(NULL, '{');
	json_text("id", finding->id);
	json_text("severity", severity_name(finding->severity));
	json_text("finding", finding->what);
	json_text("figures", finding->figures);
	json_text("why", finding->why);
	json_begin("commands", '[');
	for (i = 0; i < finding->nr_commands; i++)
		json_text(NULL, finding->commands[i]);
	json_end(']');
	json_end('}');
}

static void zones_json(const struct zoneinfo *zones)
{
	int i;

	json_begin("zones", '[');
	for (i = 0; zones && i < zones->nr; i++) {
		const struct zone *zone = &zones->zones[i];

		json_begin(NULL, '{');
		json_number("node", zone->node);
		json_text("name", zone->name);
		json_number("free_kib", kib(zone->free));
		json_number("min_kib", kib(zone->min));
		json_number("low_kib", kib(zone->low));
		json_number("high_kib", kib(zone->high));
		json_number("boost_kib", kib(zone->boost));
		json_number("managed_kib", kib(zone->managed));
		json_end('}');
	}
	json_end(']');
}

void report_json(const struct zoneinfo *zones)
{
	int i;

	json_begin(NULL, '{');
	json_bool("healthy", !nr_findings);
	json_begin("findings", '[');
	for (i = 0; i < nr_findings; i++)
		finding_json(&findings[i]);
	json_end(']');
	json_begin("not_looked_at", '[');
	for (i = 0; i < nr_unseen; i++)
		json_text(NULL, unseen[i]);
	json_end(']');
	zones_json(zones);
	json_end('}');
}
