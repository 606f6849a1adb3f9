// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as an attach string. What is taken must keep what options.h
 * promises; what is refused must say why.
 */
#include "fuzz.h"
#include "options.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ballast_options opts;
	char why[BALLAST_WHY_LEN];
	unsigned int i;
	char *string;
	int err;

	if (size > 4095)
		return -1;
	/* As sysfs hands it over: exactly so long, a NUL behind. */
	string = malloc(size + 1);
	memcpy(string, data, size);
	string[size] = '\0';
	memset(why, 0x5a, sizeof(why));
	err = ballast_options_parse(string, size, &opts, why);
	if (err) {
		REQUIRE(err < 0);
		REQUIRE(memchr(why, '\0', sizeof(why)));
		REQUIRE(why[0]);
		free(string);
		return 0;
	}
	REQUIRE(memchr(opts.host, '\0', sizeof(opts.host)) && opts.host[0]);
	REQUIRE(opts.port);
	REQUIRE(opts.export_len <= NBD_MAX_STRING);
	REQUIRE(!opts.export_len || (opts.export >= string &&
				     opts.export + opts.export_len <=
					     string + size));
	REQUIRE(opts.index >= -1 && opts.index <= BALLAST_MAX_INDEX);
	REQUIRE(opts.connections && opts.connections <= BALLAST_MAX_CONNECTIONS);
	REQUIRE(opts.queue_depth && opts.queue_depth <= BALLAST_MAX_QUEUE_DEPTH);
	REQUIRE(opts.timeout <= BALLAST_MAX_SECONDS);
	REQUIRE(opts.deadline <= BALLAST_MAX_SECONDS);
	REQUIRE(opts.reserve >= BALLAST_RESERVE_AUTO &&
		opts.reserve <= BALLAST_MAX_RESERVE);
	REQUIRE(opts.nr_allow <= BALLAST_MAX_ALLOW);
	for (i = 0; i < opts.nr_allow; i++)
		REQUIRE(opts.allow[i].port &&
			(opts.allow[i].protocol == 6 ||
			 opts.allow[i].protocol == 17));
	free(string);
	return 0;
}
