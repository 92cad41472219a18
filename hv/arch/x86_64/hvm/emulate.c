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
#include <hv/string.h>

#define VEC_UD 6

/* One instruction of one vCPU. */
struct step {
	struct vcpu *v;
	struct hvm_execution x;
	gpa_t pa; /* where its access led, which is not RAM... */
	bool pa_known;
	bool pa_write; /* ...and what kind of access it was */
};

static unsigned user_access(const struct step *s)
{
	return s->x.cpl == 3 ? WALK_USER : 0;
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

/* Not RAM: a device of ours, what a dom0 has to share with us, or an empty bus, which reads as ones. */
static enum emul_result device_access(struct vcpu *v, gpa_t pa, unsigned size, bool write,
				      uint64_t *value)
{
	struct io_access a = { .addr = pa, .size = (uint8_t)size, .write = write, .value = *value };
	enum io_result res = io_access(v, &a);

	if (res == IO_NOBODY && v->domain->arch.physdev)
		res = vpci_mmio(v, &a);
	switch (res) {
	case IO_DONE: *value = a.value; return EMUL_DONE;
	case IO_WAIT: return EMUL_WAIT;
	default:
		if (!write)
			*value = ~0ull;
		return EMUL_DONE;
	}
}

/* Within one page. A write to memory that may only be read is dropped, as a ROM drops it. */
static enum emul_result one_access(struct vcpu *v, gpa_t pa, unsigned size, bool write,
				   uint64_t *value)
{
	struct p2m_entry at = p2m_lookup(v->domain, gpa_to_gfn(pa));

	if (!p2m_type_is_ram(at.type))
		return device_access(v, pa, size, write, value);
	if (!ram_access(v->domain, pa, value, size, write) && !write)
		return EMUL_UNKNOWN;
	return EMUL_DONE;
}

/*
 * Is this the access that the processor made for this exit? It checked the guest's protection then, and translated the address. An access of the same
 * kind to the same place in a page is that one: no instruction that is emulated makes two such.
 */
static bool the_access(const struct step *s, uint64_t va, unsigned size, bool write)
{
	return s->pa_known && write == s->pa_write && !((va ^ s->pa.a) & (PAGE_SIZE - 1)) &&
	       size <= PAGE_SIZE - (va & (PAGE_SIZE - 1));
}

static enum emul_result access(struct emul *e, uint64_t va, unsigned size, bool write,
			       uint64_t *value)
{
	const struct step *s = e->ctx;
	struct vcpu *v = s->v;
	unsigned kind = user_access(s) | (write ? WALK_WRITE : 0);
	unsigned first = (unsigned)MIN((uint64_t)size, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
	uint64_t low = *value, high = *value >> (first < 8 ? 8 * first : 0);
	enum walk_result walk;
	enum emul_result res;
	gpa_t pa, pa2 = { 0 };

	if (the_access(s, va, size, write))
		return device_access(v, s->pa, size, write, value);
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
	const struct step *s = e->ctx;

	if (!s->x.cpl)
		return true;
	e->fault.vector = VEC_GP;
	e->fault.error = 0;
	return false;
}

static enum emul_result do_port(struct emul *e, uint16_t port, unsigned size, bool write,
				uint32_t *value)
{
	struct vcpu *v = ((const struct step *)e->ctx)->v;

	/* An exit for a port comes after the processor has looked at the I/O permissions; others do not. */
	if (!hvm->port_exit(v) && !privileged(e))
		return EMUL_FAULT;
	return hvm_port(v, port, size, write, value) ? EMUL_DONE : EMUL_WAIT;
}

static enum emul_result do_read_cr(struct emul *e, unsigned n, bool status, uint64_t *value)
{
	struct vcpu *v = ((const struct step *)e->ctx)->v;

	if (!(status && !(hvm->get_cr(v, 4) & CR4_UMIP)) && !privileged(e))
		return EMUL_FAULT;
	*value = hvm->get_cr(v, n);
	return EMUL_DONE;
}

static enum emul_result do_write_cr(struct emul *e, unsigned n, uint64_t value)
{
	if (!privileged(e))
		return EMUL_FAULT;
	if (hvm_write_cr(((const struct step *)e->ctx)->v, n, value))
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

/* The registers that struct guest_regs keeps, with their numbers; rsp is not there. */
/* clang-format off */
#define REGISTERS(X) X(0, rax) X(1, rcx) X(2, rdx) X(3, rbx) X(5, rbp) X(6, rsi) X(7, rdi) X(8, r8) X(9, r9) \
	X(10, r10) X(11, r11) X(12, r12) X(13, r13) X(14, r14) X(15, r15)
/* clang-format on */

static void load_registers(struct emul *e, const struct step *s)
{
	const struct guest_regs *r = &s->v->arch.regs;

#define LOAD(n, name) e->gpr[n] = r->name;
	REGISTERS(LOAD)
#undef LOAD
	e->gpr[4] = s->x.rsp;
	e->rip = s->x.rip;
	e->rflags = s->x.rflags;
	for (unsigned i = 0; i < 6; i++)
		e->base[i] = s->x.base[i];
	e->bits = s->x.bits;
}

static void store_registers(const struct emul *e, const struct step *s)
{
	struct guest_regs *r = &s->v->arch.regs;

#define STORE(n, name) r->name = e->gpr[n];
	REGISTERS(STORE)
#undef STORE
	hvm->set_execution(s->v, e->rip, e->gpr[4], e->rflags);
}

/* The instruction's bytes, as many as are mapped. False: not even one; a fault was queued. */
static bool fetch(struct emul *e, const struct step *s)
{
	uint64_t at = (e->bits == 64 ? 0 : e->base[EMUL_CS]) + e->rip;
	unsigned kind = user_access(s) | WALK_FETCH;

	if (s->x.bytes) {
		memcpy(e->bytes, s->x.bytes, EMUL_MAX_BYTES);
		e->nr_bytes = EMUL_MAX_BYTES;
		return true;
	}
	while (e->nr_bytes < EMUL_MAX_BYTES) {
		uint64_t va = at + e->nr_bytes;
		unsigned n = (unsigned)MIN((uint64_t)EMUL_MAX_BYTES - e->nr_bytes,
					   PAGE_SIZE - (va & (PAGE_SIZE - 1)));
		enum walk_result walk;
		gpa_t pa;

		walk = guest_walk(s->v, gva(va), kind, &pa);
		if (walk != WALK_OK) {
			if (e->nr_bytes)
				return true;
			(void)page_fault(e, walk, va, kind);
			hvm_exception(s->v, e->fault.vector, e->fault.error, e->fault.cr2);
			return false;
		}
		if (!guest_code_read(s->v->domain, pa, e->bytes + e->nr_bytes, n))
			break;
		e->nr_bytes += (uint8_t)n;
	}
	return true;
}

static void run_step(struct step *s)
{
	struct emul e;
	struct vcpu *v = s->v;

	e.ops = &ops;
	e.ctx = s;
	e.nr_bytes = 0;
	memset(e.bytes, 0, sizeof(e.bytes));
	hvm->get_execution(v, &s->x);
	load_registers(&e, s);
	if (!fetch(&e, s))
		return;
	switch (emulate(&e)) {
	case EMUL_DONE: store_registers(&e, s); return;
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

void hvm_emulate(struct vcpu *v)
{
	struct step s = { .v = v };

	run_step(&s);
}

void hvm_emulate_access(struct vcpu *v, gpa_t pa, bool write)
{
	struct step s = { .v = v, .pa = pa, .pa_known = true, .pa_write = write };

	run_step(&s);
}
