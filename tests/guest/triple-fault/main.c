/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU that cannot deliver an exception shuts down: its domain ends, said with the place (machine.json: "says"). */
#include "machine.h"

void guest_test(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	print("GUEST-TEST PASS\n");
	__asm__ volatile("lidt %0; int3" ::"m"(none));
	fail("no way back", 0, 1);
}
