/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulator's surroundings: registers in and out, instruction bytes through the guest's own tables, accesses to RAM or to whoever answers
 * the address. Runs on the exit path of the vCPU that is loaded. An access that has to wait leaves the vCPU as it was; its
 * instruction exits again.
 */
#include <asm/hvm.h>

#include <asm/emul.h>
#include <asm/msr.h>
#include <asm/trap.h>
#include <asm/vpci.h>
#include <asm/walk.h>
#include <hv/domain.h>
#include <hv/io.h>
#include <hv/log.h>

#define VEC_UD 6

static unsigned user_access(struct vcpu *v)
{
	struct segment ss;

	hvm->get_segment(v, SEG_SS, &ss);
	return (ss.attr >> 5 & 3) == 3 ? WALK_USER : 0;
}

static enum emul_result page_fault(struct emul *e, enum walk_result why, uint64_t va,
				   unsigned access)
{
	if (why == WALK_NOT_CANONICAL) {
		e->fault.vector = VEC_GP;
		e->fault.error = 0;
		return EMUL_FAULT;
	}
	/* APM vol. 2, 8.4.2: present, write, user, fetch. */
	e->fault.vector = VEC_PF;
	e->fault.error = (why == WALK_PROTECTION ? 1 : 0) | (access & WALK_WRITE ? 2 : 0) |
			 (access & WALK_USER ? 4 : 0) | (access & WALK_FETCH ? 16 : 0);
	e->fault.cr2 = va;
	return EMUL_FAULT;
}

/* RAM of the domain: copy. False: not RAM, or not writable. */
static bool ram_access(struct domain *d, gpa_t pa, void *buf, unsigned n, bool write)
{
	return (write ? guest_phys_write(d, pa, buf, n) : guest_phys_read(d, buf, pa, n)) == 0;
}

/* Within one page. A write to memory that may only be read is dropped, as a ROM drops it. */
static enum emul_result one_access(struct vcpu *v, gpa_t pa, unsigned size, bool write,
				   uint64_t *value)
{
	struct p2m_entry at = p2m_lookup(v->domain, gpa_to_gfn(pa));
	struct io_access a = { .addr = pa, .size = (uint8_t)size, .write = write, .value = *value };
	enum io_result res;

	if (p2m_type_is_ram(at.type)) {
		if (!ram_access(v->domain, pa, value, size, write) && !write)
			return EMUL_UNKNOWN;
		return EMUL_DONE;
	}
	res = io_access(v, &a);
	if (res == IO_NOBODY && v->domain->arch.physdev)
		res = vpci_mmio(v, &a);
	switch (res) {
	case IO_DONE: *value = a.value; return EMUL_DONE;
	case IO_WAIT: return EMUL_WAIT;
	default: /* an empty bus */
		if (!write)
			*value = ~0ull;
		return EMUL_DONE;
	}
}

static enum emul_result access(struct emul *e, uint64_t va, unsigned size, bool write,
			       uint64_t *value)
{
	struct vcpu *v = e->ctx;
	unsigned kind = user_access(v) | (write ? WALK_WRITE : 0);
	unsigned first = (unsigned)MIN((uint64_t)size, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
	uint64_t low = *value, high = *value >> (first < 8 ? 8 * first : 0);
	enum walk_result walk;
	enum emul_result res;
	gpa_t pa, pa2 = { 0 };

	/* Both pages are translated before either is touched. */
	walk = guest_walk(v, gva(va), kind, &pa);
	if (walk != WALK_OK)
		return page_fault(e, walk, va, kind);
	if (first < size) {
		walk = guest_walk(v, gva(va + first), kind, &pa2);
		if (walk != WALK_OK)
			return page_fault(e, walk, va + first, kind);
	}
	res = one_access(v, pa, first, write, &low);
	if (res == EMUL_DONE && first < size) {
		res = one_access(v, pa2, size - first, write, &high);
		low = (low & ((1ull << 8 * first) - 1)) | high << 8 * first;
	}
	if (res == EMUL_DONE && !write)
		*value = size == 8 ? low : low & ((1ull << 8 * size) - 1);
	return res;
}

static enum emul_result do_read(struct emul *e, uint64_t va, unsigned size, uint64_t *value)
{
	*value = 0;
	return access(e, va, size, false, value);
}

static enum emul_result do_write(struct emul *e, uint64_t va, unsigned size, uint64_t value)
{
	return access(e, va, size, true, &value);
}

/*
 * The bytes are those that lie there now: another vCPU may have put a privileged instruction where the processor met one that only touched
 * memory, so what the processor checked then is checked again.
 */
static bool privileged(struct emul *e)
{
	struct segment ss;

	hvm->get_segment(e->ctx, SEG_SS, &ss);
	if (!(ss.attr & 0x60)) /* CPL is SS's DPL */
		return true;
	e->fault.vector = VEC_GP;
	e->fault.error = 0;
	return false;
}

static enum emul_result do_port(struct emul *e, uint16_t port, unsigned size, bool write,
				uint32_t *value)
{
	/* An exit for a port comes after the processor has looked at the I/O permissions; others do not. */
	if (!hvm->port_exit(e->ctx) && !privileged(e))
		return EMUL_FAULT;
	return hvm_port(e->ctx, port, size, write, value) ? EMUL_DONE : EMUL_WAIT;
}

static uint64_t do_read_cr(struct emul *e, unsigned n)
{
	return hvm->get_cr(e->ctx, n);
}

static enum emul_result do_write_cr(struct emul *e, unsigned n, uint64_t value)
{
	if (!privileged(e))
		return EMUL_FAULT;
	if (hvm_write_cr(e->ctx, n, value))
		return EMUL_DONE;
	e->fault.vector = VEC_GP;
	e->fault.error = 0;
	return EMUL_FAULT;
}

static const struct emul_ops ops = {
	.read = do_read,
	.write = do_write,
	.port = do_port,
	.read_cr = do_read_cr,
	.write_cr = do_write_cr,
};

/* Where struct guest_regs keeps each register, in the processor's order; rsp is not there. */
static uint64_t *gpr_place(struct guest_regs *r, unsigned n)
{
	uint64_t *const place[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, NULL,    &r->rbp,
				      &r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
				      &r->r12, &r->r13, &r->r14, &r->r15 };

	return place[n];
}

static void load_registers(struct emul *e, struct vcpu *v, const struct hvm_state *s)
{
	static const uint8_t order[6] = { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned i = 0; i < 16; i++)
		e->gpr[i] = i == 4 ? s->rsp : *gpr_place(&v->arch.regs, i);
	e->rip = s->rip;
	e->rflags = s->rflags;
	for (unsigned i = 0; i < 6; i++)
		e->base[i] = s->seg[order[i]].base;
	/* L, then D, of the code segment; real mode counts as 16 bits. */
	e->bits = (s->efer & EFER_LMA) && (s->seg[SEG_CS].attr & BIT(9)) ? 64
		  : (s->seg[SEG_CS].attr & BIT(10))                      ? 32
									 : 16;
}

/* The instruction's bytes, as many as are mapped. False: not even one; a fault was queued. */
static bool fetch(struct emul *e, struct vcpu *v)
{
	uint64_t at = (e->bits == 64 ? 0 : e->base[EMUL_CS]) + e->rip;
	unsigned kind = user_access(v) | WALK_FETCH;

	while (e->nr_bytes < EMUL_MAX_BYTES) {
		uint64_t va = at + e->nr_bytes;
		unsigned n = (unsigned)MIN((uint64_t)EMUL_MAX_BYTES - e->nr_bytes,
					   PAGE_SIZE - (va & (PAGE_SIZE - 1)));
		enum walk_result walk;
		gpa_t pa;

		walk = guest_walk(v, gva(va), kind, &pa);
		if (walk != WALK_OK) {
			if (e->nr_bytes)
				return true;
			(void)page_fault(e, walk, va, kind);
			hvm_exception(v, e->fault.vector, e->fault.error, e->fault.cr2);
			return false;
		}
		if (!ram_access(v->domain, pa, e->bytes + e->nr_bytes, n, false))
			break;
		e->nr_bytes += (uint8_t)n;
	}
	return true;
}

static void store_registers(const struct emul *e, struct vcpu *v, struct hvm_state *s)
{
	for (unsigned i = 0; i < 16; i++)
		if (i != 4)
			*gpr_place(&v->arch.regs, i) = e->gpr[i];
	if (e->rflags != s->rflags || e->gpr[4] != s->rsp) {
		/* A control register may have been written meanwhile: take the present state. */
		hvm->get_state(v, s);
		s->rflags = e->rflags;
		s->rsp = e->gpr[4];
		s->rax = e->gpr[0];
		hvm->set_state(v, s);
	}
	hvm->set_rip(v, e->rip);
}

void hvm_emulate(struct vcpu *v)
{
	struct emul e = { .ops = &ops, .ctx = v };
	struct hvm_state s;

	hvm->get_state(v, &s);
	load_registers(&e, v, &s);
	if (!fetch(&e, v))
		return;
	switch (emulate(&e)) {
	case EMUL_DONE: store_registers(&e, v, &s); return;
	case EMUL_FAULT: hvm_exception(v, e.fault.vector, e.fault.error, e.fault.cr2); return;
	case EMUL_WAIT: return;
	default:
		log_guest("d%uv%u: cannot emulate %02x %02x %02x %02x %02x %02x at rip %llx",
			  v->domain->id, v->id, e.bytes[0], e.bytes[1], e.bytes[2], e.bytes[3],
			  e.bytes[4], e.bytes[5], (unsigned long long)e.rip);
		hvm_exception(v, VEC_UD, -1, 0);
		return;
	}
}
