/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's side of PSCI: by SMC, or by HVC where something above us put it there. */
#include <asm/psci_host.h>
#include <hv/fdt.h>
#include <hv/log.h>

/* DEN0022, 5.1: 64-bit calls where there are two. */
#define PSCI_VERSION        0x84000000u
#define PSCI_CPU_ON_64      0xc4000003u
#define PSCI_SYSTEM_OFF     0x84000008u
#define PSCI_SYSTEM_RESET   0x84000009u
#define PSCI_FEATURES       0x8400000au
/* DEN0028, 7. */
#define SMCCC_VERSION       0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define NOT_SUPPORTED       (-1)

static enum { NO_CONDUIT, SMC, HVC } conduit; /* [c] */

static int64_t call(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a;
	register uint64_t x2 __asm__("x2") = b;
	register uint64_t x3 __asm__("x3") = c;

	if (conduit == NO_CONDUIT)
		return NOT_SUPPORTED;
	/* DEN0028 (SMC calling convention), 2.5: x4 to x17 may be lost under version 1.0. */
	if (conduit == SMC)
		__asm__ volatile("smc #0"
				 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4", "x5", "x6", "x7",
				   "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
				   "x17", "memory");
	else
		__asm__ volatile("hvc #0"
				 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4", "x5", "x6", "x7",
				   "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
				   "x17", "memory");
	return (int64_t)x0;
}

BOOT_TEXT void psci_host_init(const void *fdt)
{
	static const char *const names[] = { "arm,psci-1.0", "arm,psci-0.2" };
	const char *method;
	int64_t version;
	int node = DT_NO_NODE;

	for (unsigned i = 0; i < ARRAY_SIZE(names) && node < 0; i++)
		node = dt_by_compatible(fdt, DT_ROOT, names[i]);
	if (node < 0 || dt_string(fdt, node, "method", &method) != DT_OK) {
		log_warning("no PSCI 0.2 or later: one CPU, and no way to power off or reset");
		return;
	}
	conduit = method[0] == 's' ? SMC : HVC;
	version = call(PSCI_VERSION, 0, 0, 0);
	log_debug("PSCI %lld.%lld by %s", (long long)(version >> 16), (long long)(version & 0xffff),
		  conduit == SMC ? "SMC" : "HVC");
}

BOOT_TEXT int64_t smccc_arch_features(uint32_t function)
{
	/* Asked first whether it can be asked: 1.1 of both. PSCI_FEATURES is there from PSCI 1.0 on. */
	if (conduit != SMC || call(PSCI_VERSION, 0, 0, 0) < 0x10000 ||
	    (int32_t)call(PSCI_FEATURES, SMCCC_VERSION, 0, 0) < 0 ||
	    (int32_t)call(SMCCC_VERSION, 0, 0, 0) < 0x10001)
		return NOT_SUPPORTED;
	return (int32_t)call(SMCCC_ARCH_FEATURES, function, 0, 0);
}

int64_t psci_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t context)
{
	return call(PSCI_CPU_ON_64, mpidr, entry, context);
}

void psci_system_off(void)
{
	(void)call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void psci_system_reset(void)
{
	(void)call(PSCI_SYSTEM_RESET, 0, 0, 0);
}
