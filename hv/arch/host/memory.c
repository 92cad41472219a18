/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulated memory: machine RAM, the frame table, second-stage entries, and TLBs that keep what a
 * flush does not take away.
 *
 * RAM is one reserved mapping; machine address `a` is at DIRECT_BASE + a. Touching a frame-table entry that was
 * never mapped is a fault, as on hardware.
 *
 * An entry says which level it is for, so that mixing levels fails:
 *
 *	63..60  0: empty; 4: table; 8 + level: leaf that hardware follows; 12 + level: leaf for software only
 *	59..16  frame number, exclusive or with a pattern of its kind
 *	3..0    enum p2m_type of a leaf
 *
 * A CPU's TLB is filled by the walks of its guests, one entry a leaf of whatever size, and loses entries at
 * random and by flushes. Flushes come in the two ways of the real architectures, as the seed says: broadcast
 * (Arm), or by kicking each CPU that is in guest mode and waiting until it has left (x86).
 */
#include "internal.h"

#include <arch/cpu.h>
#include <arch/timer.h>
#include <arch/guest.h>
#include <arch/memory.h>
#include <asm/layout.h>
#include <hv/assert.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifdef ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

uintptr_t sim_frame_table, sim_direct_base;

/* ---- RAM and the frame table ------------------------------------------------------------------- */

#define FRAMES_PER_TABLE_PAGE (PAGE_SIZE / sizeof(struct frame))
#define MACHINE_FRAMES        (1ull << 20) /* 4 GiB of machine addresses */

static char *ram, *table;
static uint8_t covered[MACHINE_FRAMES / FRAMES_PER_TABLE_PAGE];

/* Equal addresses in each run, so that what depends on them (order of locks) is equal too. */
static char *reserve(uintptr_t where, size_t size, int prot)
{
	void *p;

#ifdef HV_TSAN
	where = 0;
#endif
	p = mmap((void *)where, size, prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (where ? MAP_FIXED_NOREPLACE : 0),
		 -1, 0);
	if (p == MAP_FAILED)
		sim_fail("no address space for the machine's memory");
	return p;
}

void ram_boot(void)
{
	size_t bytes = sim.cfg.memory;

	assert_always(bytes <= (MACHINE_FRAMES << PAGE_SHIFT) - SIM_RAM_BASE,
		      "simulated machines are small");
	sim.ram_frames = bytes >> PAGE_SHIFT;
	ram = reserve(0x200000000000ul + SIM_RAM_BASE, bytes, PROT_READ | PROT_WRITE);
	table = reserve(0x210000000000ul, MACHINE_FRAMES * sizeof(struct frame), PROT_NONE);
	memset(covered, 0, sizeof(covered));
	sim_direct_base = (uintptr_t)ram - (uintptr_t)SIM_RAM_BASE;
	sim_frame_table = (uintptr_t)table;
}

void ram_end(void)
{
	ASAN_UNPOISON_MEMORY_REGION(ram, sim.cfg.memory);
	munmap(ram, sim.cfg.memory);
	munmap(table, MACHINE_FRAMES * sizeof(struct frame));
}

static bool is_ram(mfn_t m)
{
	return m.n - (SIM_RAM_BASE >> PAGE_SHIFT) < sim.ram_frames;
}

static char *ram_of(uint64_t frame)
{
	return ram + ((frame << PAGE_SHIFT) - SIM_RAM_BASE);
}

void *arch_frame_map(mfn_t m)
{
	if (!is_ram(m))
		sim_fail("frame %llx is mapped, and is no RAM", (unsigned long long)m.n);
	return ram_of(m.n);
}

void arch_frame_unmap(void *va)
{
	assert_always((uintptr_t)va - (uintptr_t)ram < sim.cfg.memory,
		      "what is unmapped was mapped");
}

void frames_forbid(uint64_t first, uint64_t n)
{
	ASAN_POISON_MEMORY_REGION(ram_of(first), n << PAGE_SHIFT);
}

void frames_permit(uint64_t first, uint64_t n)
{
	ASAN_UNPOISON_MEMORY_REGION(ram_of(first), n << PAGE_SHIFT);
}

static bool frame_table_covers(mfn_t m)
{
	return m.n < MACHINE_FRAMES &&
	       __atomic_load_n(&covered[m.n / FRAMES_PER_TABLE_PAGE], __ATOMIC_ACQUIRE);
}

bool arch_frame_table_extend(mfn_t m, uint64_t n, mfn_t (*take)(void))
{
	uint64_t first = m.n / FRAMES_PER_TABLE_PAGE;
	uint64_t last = (m.n + n - 1) / FRAMES_PER_TABLE_PAGE;

	if (n == 0 || m.n + n > MACHINE_FRAMES)
		return false;
	for (uint64_t i = first; i <= last; i++) {
		if (covered[i])
			continue;
		/* The frame is used up, as on hardware; the bytes are elsewhere. */
		if (!mfn_valid(take()))
			return false;
		sim.table_frames++;
		if (mprotect(table + i * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE) != 0)
			return false;
		__atomic_store_n(&covered[i], 1, __ATOMIC_RELEASE);
	}
	return true;
}

void arch_clean_dcache(const void *va, size_t n) {}

void arch_clean_invalidate_dcache(const void *va, size_t n) {}

void arch_copy_page(void *dst, const void *src)
{
	copy_racing(dst, src, PAGE_SIZE);
}

/* ---- entries ----------------------------------------------------------------------------------- */

enum { KIND_TABLE = 4, KIND_LEAF = 8, KIND_SOFT = 12 };

static unsigned pte_kind(pte_t e)
{
	return (unsigned)(e >> 60);
}

static uint64_t pattern(unsigned kind)
{
	return (0x5a5a5a5ull * kind) & 0xfffffff;
}

static pte_t make(unsigned kind, mfn_t m, unsigned low)
{
	return (pte_t)kind << 60 | ((m.n ^ pattern(kind)) & 0xfffffffffffull) << 16 | low;
}

static bool soft_type(enum p2m_type t)
{
	return t == P2M_MMIO_DM || t == P2M_PAGED || t == P2M_POD;
}

static unsigned leaf_level(pte_t e)
{
	return pte_kind(e) & 3;
}

pte_t arch_pte_leaf(mfn_t m, enum p2m_type t, unsigned level)
{
	assert_always(level <= 2, "leaves are 4 KiB, 2 MiB or 1 GiB");
	if (t == P2M_NONE)
		return 0;
	assert_always(soft_type(t) || (m.n & (BIT(9 * level) - 1)) == 0,
		      "a block begins at a multiple of its size");
	return make((soft_type(t) ? KIND_SOFT : KIND_LEAF) + level, m, t);
}

pte_t arch_pte_table(mfn_t t)
{
	return make(KIND_TABLE, t, 0);
}

bool arch_pte_is_table(pte_t e, unsigned level)
{
	unsigned kind = pte_kind(e);

	if (e == 0)
		return false;
	if (kind == KIND_TABLE) {
		assert_always(level > 0, "level 0 has no tables below");
		return true;
	}
	assert_always(kind >= KIND_LEAF && leaf_level(e) == level,
		      "an entry is read at the level it was written for");
	return false;
}

mfn_t arch_pte_mfn(pte_t e)
{
	assert_always(pte_kind(e) == KIND_TABLE || pte_kind(e) >= KIND_LEAF,
		      "only an entry has a frame");
	return mfn(((e >> 16) & 0xfffffffffffull) ^ pattern(pte_kind(e)));
}

enum p2m_type arch_pte_type(pte_t e, unsigned level)
{
	if (e == 0)
		return P2M_NONE;
	assert_always(pte_kind(e) >= KIND_LEAF && leaf_level(e) == level,
		      "a leaf is read at the level it was written for");
	return (enum p2m_type)(e & 15);
}

static bool pte_walks(pte_t e)
{
	return pte_kind(e) == KIND_TABLE || (pte_kind(e) >= KIND_LEAF && pte_kind(e) < KIND_SOFT);
}

bool arch_pte_must_break(pte_t old, pte_t new, unsigned level)
{
	if (!pte_walks(old) || !pte_walks(new))
		return false;
	return pte_kind(old) != pte_kind(new) || arch_pte_mfn(old).n != arch_pte_mfn(new).n;
}

/* ---- the record of writes ---------------------------------------------------------------------- */

#define RECORDED 4096u
static struct sim_pte_write record[RECORDED], in_order[RECORDED];
static uint64_t recorded;

void arch_pte_write(pte_t *slot, pte_t e)
{
	uintptr_t at = (uintptr_t)slot - (uintptr_t)ram;
	struct sim_pte_write w = {
		.time = arch_time_ns(),
		.cpu = sim_cpu_now()->id,
		.table = mfn((SIM_RAM_BASE + at) >> PAGE_SHIFT),
		.index = (unsigned)(at % PAGE_SIZE / sizeof(pte_t)),
		.old = *slot,
		.new = e,
	};

	assert_always(at < sim.cfg.memory, "tables lie in RAM");
	if (pte_walks(w.old) && pte_walks(e) &&
	    (pte_kind(w.old) != pte_kind(e) || arch_pte_mfn(w.old).n != arch_pte_mfn(e).n))
		sim_fail("entry %llx/%u is replaced without a break: %llx -> %llx",
			 (unsigned long long)w.table.n, w.index, (unsigned long long)w.old,
			 (unsigned long long)e);
	__atomic_store_n(slot, e, __ATOMIC_RELEASE);
	sim_trace('p', w.table.n << 9 | w.index, e);
#ifndef HV_TSAN /* threads would need a lock for the record */
	record[recorded++ % RECORDED] = w;
#endif
	if (sim.on_pte)
		sim.on_pte(&w, sim.on_pte_arg);
	sim_switch_point();
}

void sim_on_pte_write(void (*fn)(const struct sim_pte_write *w, void *arg), void *arg)
{
	sim.on_pte = fn;
	sim.on_pte_arg = arg;
}

unsigned sim_pte_writes(const struct sim_pte_write **w)
{
	uint64_t n = MIN(recorded, (uint64_t)RECORDED);

	for (uint64_t i = 0; i < n; i++)
		in_order[i] = record[(recorded - n + i) % RECORDED];
	*w = in_order;
	return (unsigned)n;
}

/* ---- views ------------------------------------------------------------------------------------- */

static uint8_t tag_used[256];

int arch_view_init(struct p2m_view *view)
{
	for (unsigned i = 1; i <= sim.cfg.tags; i++) {
		uint8_t no = 0;

		if (!__atomic_compare_exchange_n(&tag_used[i], &no, 1, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			continue;
		view->tag = (uint16_t)i;
		/* Both shapes that Arm has: three levels with tables side by side at the root, or four. */
		view->levels = sim.seed & 1 ? 3 : 4;
		view->root_order = view->levels == 3 ? 1 : 0;
		return 0;
	}
	return refuse(R_NO_VIEW_TAG, 0, sim.cfg.tags, sim.cfg.tags + 1);
}

static void tlb_lock(struct tlb *t)
{
#ifdef HV_TSAN
	while (__atomic_exchange_n(&t->busy, 1, __ATOMIC_ACQUIRE))
		;
#endif
}

static void tlb_unlock(struct tlb *t)
{
#ifdef HV_TSAN
	__atomic_store_n(&t->busy, 0, __ATOMIC_RELEASE);
#endif
}

void arch_view_free(struct p2m_view *view)
{
	for (unsigned i = 0; i < sim.nr_cpus; i++) {
		struct tlb *t = &sim.cpu[i].tlb;

		tlb_lock(t);
		for (unsigned j = 0; j < TLB_ENTRIES; j++)
			if (t->e[j].view == view && t->drop != view && !t->drop_all)
				sim_fail("tag %u is given back with translations cached", view->tag);
		tlb_unlock(t);
	}
	assert_always(tag_used[view->tag], "a tag is given back once");
	__atomic_store_n(&tag_used[view->tag], 0, __ATOMIC_SEQ_CST);
}

void memory_reset(void)
{
	memset(tag_used, 0, sizeof(tag_used));
	recorded = 0;
}

/* ---- TLBs -------------------------------------------------------------------------------------- */

void tlb_done(struct sim_cpu *c)
{
	tlb_unlock(&c->tlb);
}

/* n = 0: all of the view; view NULL: everything. */
static void tlb_drop(struct tlb *t, const struct p2m_view *view, uint64_t g, uint64_t n)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		struct tlb_entry *e = &t->e[i];

		if (e->view && (!view || e->view == view) &&
		    (n == 0 || (e->gfn < g + n && g < e->gfn + BIT(e->order))))
			e->view = NULL;
	}
}

static struct tlb_entry *tlb_find(struct tlb *t, const struct p2m_view *view, uint64_t g)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++)
		if (t->e[i].view == view && g - t->e[i].gfn < BIT(t->e[i].order))
			return &t->e[i];
	return NULL;
}

/* A CPU enters guest mode: what it was asked to flush goes now. */
void tlb_enter_guest(struct sim_cpu *c, const struct p2m_view *view)
{
	struct tlb *t = &c->tlb;

	write_once(&c->view, view);
	tlb_lock(t);
	if (t->drop_all)
		tlb_drop(t, NULL, 0, 0);
	else if (t->drop)
		tlb_drop(t, t->drop, 0, 0);
	write_once(&t->drop_all, false);
	write_once(&t->drop, (const struct p2m_view *)NULL);
	tlb_unlock(t);
}

static void flush_by_kick(const struct p2m_view *view)
{
	for (unsigned i = 0; i < sim.nr_cpus; i++) {
		struct sim_cpu *c = &sim.cpu[i];

		tlb_lock(&c->tlb);
		if (c->tlb.drop && c->tlb.drop != view)
			write_once(&c->tlb.drop_all, true);
		write_once(&c->tlb.drop, view);
		tlb_unlock(&c->tlb);
	}
	atomic_fence();
	for (unsigned i = 0; i < sim.nr_cpus; i++) {
		struct cpu *c = sim.cpu[i].cpu;

		if (c == this_cpu() || read_once(&sim.cpu[i].view) != view)
			continue;
		if (load_acquire(&c->mode) == CPU_GUEST)
			arch_cpu_kick(c);
		/* A guest that was left and entered again has flushed on the way: the mark is gone. */
		while (load_acquire(&c->mode) == CPU_GUEST &&
		       (read_once(&sim.cpu[i].tlb.drop) == view ||
			read_once(&sim.cpu[i].tlb.drop_all)))
			arch_cpu_relax();
	}
}

void arch_p2m_flush(struct p2m_view *view, gfn_t g, uint64_t n)
{
	__atomic_fetch_add(&sim.flushes, 1, __ATOMIC_RELAXED);
	sim_trace('f', g.n, n);
	if (sim.flush_broken)
		return;
	sim_switch_point();
	__atomic_fetch_add(&sim.flush_seq, 1, __ATOMIC_SEQ_CST);
	if (sim.kick_flush) {
		flush_by_kick(view);
		return;
	}
	for (unsigned i = 0; i < sim.nr_cpus; i++) {
		tlb_lock(&sim.cpu[i].tlb);
		tlb_drop(&sim.cpu[i].tlb, view, g.n, n);
		tlb_unlock(&sim.cpu[i].tlb);
	}
}

void arch_flush_local(void)
{
	tlb_enter_guest(sim_cpu_now(), NULL);
}

void arch_p2m_widened(struct p2m_view *view, gfn_t g, uint64_t n)
{
	arch_p2m_flush(view, g, n);
}

uint64_t sim_flushes(void)
{
	return sim.flushes;
}

void sim_break_flush(bool broken)
{
	sim.flush_broken = broken;
}

/* ---- the walk ---------------------------------------------------------------------------------- */

static void check_table(mfn_t t)
{
	const struct frame *f = frame_of(t);

	if (FRAME_STATE(read_once(&f->state_flags)) != FRAME_USED ||
	    read_once(&f->owner) != DOMID_XEN)
		sim_fail("a walk reads frame %llx, which is no table any more (state %u, owner %u)",
			 (unsigned long long)t.n, FRAME_STATE(f->state_flags), f->owner);
}

/* The leaf of `g`, 0 when there is none. `hw`: as hardware does it, while others go on. */
static pte_t walk(const struct p2m_view *view, uint64_t g, unsigned *level, bool hw)
{
	uint64_t seq;
	mfn_t t;
	pte_t e;

again:
	seq = __atomic_load_n(&sim.flush_seq, __ATOMIC_SEQ_CST);
	t = view->root;
	if (g >> (9 * view->levels + view->root_order))
		return 0;
	for (unsigned l = view->levels; l-- > 0;) {
		uint64_t index = g >> (9 * l);

		if (l == view->levels - 1u)
			t.n += index / PTES_PER_TABLE;
		index %= PTES_PER_TABLE;
		check_table(t);
		e = __atomic_load_n((pte_t *)arch_frame_map(t) + index, __ATOMIC_ACQUIRE);
		if (hw) {
			sim_switch_point();
			/* A flush waits for walks that began before it; here they begin again. */
			if (seq != __atomic_load_n(&sim.flush_seq, __ATOMIC_SEQ_CST))
				goto again;
		}
		if (e == 0)
			return 0;
		if (!arch_pte_is_table(e, l)) {
			*level = l;
			return e;
		}
		t = arch_pte_mfn(e);
	}
	return 0;
}

static bool may(enum p2m_type t, bool write)
{
	if (write)
		return p2m_type_writable(t) || t == P2M_MMIO_DIRECT || t == P2M_IOREQ;
	return t != P2M_NONE && !soft_type(t);
}

static void fill(struct tlb_entry *e, const struct p2m_view *view, uint64_t g, pte_t leaf,
		 unsigned level)
{
	uint64_t offset = g & (BIT(9 * level) - 1);
	mfn_t m = arch_pte_mfn(leaf);

	*e = (struct tlb_entry){
		.view = view,
		.gfn = g - offset,
		.mfn = m.n,
		.order = 9 * level,
		.type = arch_pte_type(leaf, level),
		.ram = is_ram(m) && frame_table_covers(m),
	};
	if (e->ram)
		e->owner = read_once(&frame_of(mfn(m.n + offset))->owner);
}

static void check_conflict(struct tlb *t, const struct tlb_entry *n)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		const struct tlb_entry *e = &t->e[i];

		if (e->view == n->view && e->gfn < n->gfn + BIT(n->order) &&
		    n->gfn < e->gfn + BIT(e->order) && (e->mfn - e->gfn != n->mfn - n->gfn))
			sim_fail("TLB conflict at gfn %llx: %llx (order %u) is cached, %llx (order "
				 "%u) is "
				 "in the tables",
				 (unsigned long long)n->gfn, (unsigned long long)e->mfn, e->order,
				 (unsigned long long)n->mfn, n->order);
	}
}

/* Is what the guest is about to use still its to use? */
static void check_use(const struct vcpu *v, const struct tlb_entry *e, uint64_t g)
{
	mfn_t m = mfn(e->mfn + (g - e->gfn));
	const struct frame *f;
	unsigned state;

	if (!e->ram)
		return;
	f = frame_of(m);
	state = FRAME_STATE(read_once(&f->state_flags));
	if ((state != FRAME_USED && state != FRAME_HELD) || read_once(&f->owner) != e->owner)
		sim_fail("d%uv%u uses gfn %llx -> frame %llx by a stale translation: state %u, "
			 "owner %u, "
			 "was %u's",
			 v->domain->id, v->id, (unsigned long long)g, (unsigned long long)m.n,
			 state, f->owner, e->owner);
}

/*
 * Whoever changes the tables flushes before letting the lock go. So what is cached while nobody holds it is
 * what the tables say, or more narrow.
 */
static void check_fresh(const struct vcpu *v, const struct tlb_entry *e, uint64_t g, bool write)
{
#ifndef HV_TSAN
	const struct lock *l = &v->domain->p2m.lock;
	unsigned level = 0;
	pte_t leaf;

	if (l->next != l->owner)
		return;
	leaf = walk(e->view, g, &level, false);
	if (!leaf || !may(arch_pte_type(leaf, level), write) ||
	    arch_pte_mfn(leaf).n + (g & (BIT(9 * level) - 1)) != e->mfn + (g - e->gfn))
		sim_fail(
		    "d%uv%u uses a stale translation: gfn %llx -> frame %llx is cached, the tables "
		    "have %llx, and no change is under way",
		    v->domain->id, v->id, (unsigned long long)g,
		    (unsigned long long)e->mfn + (g - e->gfn), (unsigned long long)leaf);
#endif
}

/*
 * The TLB stays locked (TSan build) until tlb_done(), so that a flush waits for the access that follows.
 * In the deterministic build there is no switch point between this and the access.
 */
void *guest_touch(struct vcpu *v, gpa_t pa, bool write)
{
	const struct p2m_view *view = &v->domain->p2m.view;
	uint64_t g = pa.a >> PAGE_SHIFT, seq;
	struct sim_cpu *c = sim_cpu_now();
	struct tlb *t = &c->tlb;
	struct tlb_entry *e, new;
	unsigned level = 0;
	pte_t leaf;

	tlb_lock(t);
	e = tlb_find(t, view, g);
	if (e && may(e->type, write)) {
		check_fresh(v, e, g, write);
		check_use(v, e, g);
		return (char *)arch_frame_map(mfn(e->mfn + (g - e->gfn))) + pa.a % PAGE_SIZE;
	}
	if (e)
		e->view = NULL;
again:
	seq = __atomic_load_n(&sim.flush_seq, __ATOMIC_SEQ_CST);
	tlb_unlock(t);
	leaf = walk(view, g, &level, true);
	tlb_lock(t);
	if (seq != __atomic_load_n(&sim.flush_seq, __ATOMIC_SEQ_CST))
		goto again;
	if (!leaf || !may(arch_pte_type(leaf, level), write) || !is_ram(arch_pte_mfn(leaf))) {
		tlb_unlock(t);
		return NULL;
	}
	fill(&new, view, g, leaf, level);
	check_conflict(t, &new);
	e = &t->e[sim_random(TLB_ENTRIES)];
	*e = new;
	check_use(v, e, g);
	return (char *)arch_frame_map(mfn(e->mfn + (g - e->gfn))) + pa.a % PAGE_SIZE;
}

unsigned sim_stale(struct domain *d)
{
	const struct p2m_view *view = &d->p2m.view;
	unsigned n = 0, level = 0;

	for (unsigned i = 0; i < sim.nr_cpus; i++) {
		const struct tlb *t = &sim.cpu[i].tlb;

		for (unsigned j = 0; j < TLB_ENTRIES; j++) {
			const struct tlb_entry *e = &t->e[j];
			pte_t leaf;

			if (e->view != view || t->drop == view || t->drop_all)
				continue;
			leaf = walk(view, e->gfn, &level, false);
			if (!leaf ||
			    arch_pte_mfn(leaf).n + (e->gfn & (BIT(9 * level) - 1)) != e->mfn ||
			    (may(e->type, true) && !may(arch_pte_type(leaf, level), true)))
				n++;
		}
	}
	return n;
}

/* ---- the door's question ----------------------------------------------------------------------- */

bool arch_guest_translate(struct vcpu *v, gva_t va, bool write, mfn_t *m)
{
	gpa_t pa = gpa(va.a);
	unsigned level = 0;
	uint64_t g;
	pte_t leaf;

	if (fault_strikes(FAULT_COPY))
		return false;
	if (v->arch.guest->translate && !v->arch.guest->translate(v, va, write, &pa))
		return false;
	g = pa.a >> PAGE_SHIFT;
	sim_switch_point();
	leaf = walk(&v->domain->p2m.view, g, &level, false);
	if (!leaf || !is_ram(arch_pte_mfn(leaf)))
		return false;
	/* The door tells the log of each write. */
	if (!may(arch_pte_type(leaf, level), write && arch_pte_type(leaf, level) != P2M_LOGDIRTY))
		return false;
	*m = mfn(arch_pte_mfn(leaf).n + (g & (BIT(9 * level) - 1)));
	sim_switch_point();
	return true;
}
