/* SPDX-License-Identifier: Apache-2.0 */
/* What boot code found out about this PC, for the parts that run it. All fixed once boot is over. */
#ifndef ASM_MACHINE_H
#define ASM_MACHINE_H

#include <hv/acpi.h>
#include <hv/bitmap.h>
#include <hv/compiler.h>

#define MAX_IOAPICS         16u
#define MAX_FIRMWARE_RANGES 64u
#define MAX_FIRMWARE_TABLES 64u

/* What firmware says of a part of the address space that is not RAM. Types are those of ACPI 6.4, table 15.6 (and of start_info.h). */
struct firmware_range {
	uint64_t start, end;
	uint32_t type;
};

/* Where an ACPI table lies; good when its checksum was right. */
struct firmware_table {
	char signature[4];
	uint64_t address;
	uint32_t length;
};

struct ioapic_info {
	uint64_t base;
	uint32_t id, first_gsi;
};

/* An ISA interrupt whose line or trigger is not the usual (MADT type 2). */
struct isa_override {
	bool present, level, low;
	uint32_t gsi;
};

struct machine {
	bool has_fixed; /* an FADT was found */
	struct acpi_fixed fixed;
	uint16_t sleep_off;     /* SLP_TYP value of S5... */
	bool sleep_off_known;   /* ...as the DSDT has it */
	uint64_t hpet;          /* machine address, 0: none */
	uint8_t keyboard_flags; /* Scroll, Num and Caps Lock as the BIOS has them: bits 4 to 6 */
	uint16_t uart;          /* first port of the one that the hypervisor uses, 0: none */
	uint32_t nr_cpus;       /* usable processors that firmware lists */
	struct {
		uint32_t apic_id, acpi_id;
	} cpu[MAX_CPUS];
	uint32_t nr_ioapics;
	struct ioapic_info ioapic[MAX_IOAPICS];
	struct isa_override isa[16];
	uint32_t nr_firmware;
	bool firmware_cut; /* the list is not complete */
	struct firmware_range firmware[MAX_FIRMWARE_RANGES];
	uint32_t nr_tables;
	struct firmware_table table[MAX_FIRMWARE_TABLES];
};

extern struct machine machine;

/* Fill `machine` from the ACPI tables (acpi_init() was successful). */
void machine_read_acpi(void);

/* Measure the TSC and the APIC timer against a clock of known speed. Boot CPU, APIC on. */
void time_init(void);
/* arch_time_ns() when the host's TSC is `tsc`. */
uint64_t tsc_to_ns(uint64_t tsc);
/* TSC ticks per second, and its count at arch_time_ns() 0. */
extern uint64_t tsc_hz, tsc_boot;
/* The pvclock form of the same: ns = ((tsc - tsc_boot) << shift) * mul >> 32, shift may be negative. */
extern uint32_t tsc_to_ns_mul;
extern int8_t tsc_to_ns_shift;

#endif
