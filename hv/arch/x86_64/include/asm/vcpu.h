/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86 part of a vCPU. Registers are saved in `regs` at each exit; the rest stays in the vendor's block while the
 * vCPU is loaded and is reached through hvm.h.
 */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <asm/hvm.h>
#include <asm/regs.h>
#include <asm/vlapic.h>
#include <hv/guest.h>

/* Frames of its domain's pool that a vCPU costs beyond its own structure's. */
#define ARCH_VCPU_FRAMES 2u

/* What other vCPUs' INIT and STARTUP left for a vCPU to take: STARTUP after INIT, where both are set. */
#define START_PAGE       0xffu
#define START_SIPI       0x100u
#define START_INIT       0x200u

struct arch_vcpu {
	struct guest_regs regs; /* first: enter.S saves here */
	uint64_t vmcb;          /* [c] SVM: machine address of the control block */
	void *vmcb_va;          /* [c] */
	uint32_t asid; /* [own] address-space tag: good on CPU `asid_cpu`, in its generation... */
	uint32_t asid_cpu;        /* [own] */
	uint64_t asid_generation; /* [own] */
	uint64_t view_generation; /* [own] ...and while the view's generation is this one */
	uint32_t work;            /* [a] bits of enum hvm_work_bits: what may be pending */
	bool loaded;              /* [own CPU] */
	bool upcall;              /* [own] the event upcall is pending: WORK_UPCALL was seen */
	uint8_t upcall_vector;    /* [own] HVMOP_set_evtchn_upcall_vector, 0: the domain's */
	bool nmi_pending;         /* [a] */
	bool nmi_masked;          /* [own] one is being handled... */
	bool nmi_returning;       /* [own] ...and the IRET at nmi_iret is about to be executed */
	bool nmi_step;            /* [own] as a single step */
	uint64_t nmi_iret;        /* [own] */
	bool wait_sipi;           /* [a] never started, or stopped by INIT: waits for STARTUP */
	uint32_t start;           /* [a] INIT and STARTUP that it has not taken yet (START_*) */
	struct hvm_event event;   /* [own] to be injected, when event_valid */
	bool event_valid;
	uint64_t xcr0; /* [own] */
	uint64_t tsc_aux;
	uint64_t dr[4];       /* [own] DR0 to DR3, while it is not loaded */
	void *fpu;            /* [c] XSAVE area, frames of the pool */
	uint64_t tsc_offset;  /* [own] */
	struct pin time_pin;  /* [own] VCPUOP_register_vcpu_time_memory_area */
	uint16_t time_offset; /* [own] in it */
	struct vlapic lapic;
};

#endif
