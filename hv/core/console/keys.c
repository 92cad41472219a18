/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug keys: one letter makes one part of the hypervisor report to the log. Parts register their
 * keys while booting; later the table only is read. Typed at the console when the hypervisor has the
 * input, or sent by dom0 (sysctl debug_keys).
 */
#include <hv/console.h>
#include <hv/assert.h>
#include <hv/log.h>

#define MAX_KEYS 32u

static struct {
	char c;
	const char *what;
	void (*fn)(void);
} keys[MAX_KEYS]; /* [c] after boot */
static uint32_t nr_keys;

void debug_key_register(char c, const char *what, void (*fn)(void))
{
	assert_always(nr_keys < MAX_KEYS, "the table of debug keys has room");
	keys[nr_keys].c = c;
	keys[nr_keys].what = what;
	keys[nr_keys++].fn = fn;
}

void debug_key(char c)
{
	for (uint32_t i = 0; i < nr_keys; i++) {
		if (keys[i].c == c) {
			keys[i].fn();
			return;
		}
	}
	if (c != 'h')
		return;
	for (uint32_t i = 0; i < nr_keys; i++)
		log_info("key '%c': %s", keys[i].c, keys[i].what);
}
