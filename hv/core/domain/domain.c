/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who exists: the table from domain id to structure, and creation. The table is read under RCU and changed
 * under the DOMLIST lock; a creation holds it throughout, so that a half-made domain is never seen and
 * two creations cannot meet. Called by boot code, domctl and every hypercall that names a domain.
 */
#include <hv/domain.h>

#include <arch/memory.h>
#include <arch/vcpu.h>
#include <hv/assert.h>
#include <hv/console.h>
#include <hv/domain_time.h>
#include <hv/err.h>
#include <hv/iommu.h>
#include <hv/string.h>
#include <xen/domctl.h>

_Static_assert(sizeof(struct domain) <= PAGE_SIZE, "a domain's structure is one frame");

#define IDS_PER_LEAF (PAGE_SIZE / sizeof(struct domain *))
/* For every number that a domid_t can hold: no id leads out of the table, under speculation either. */
#define NR_LEAVES    (0x10000u / IDS_PER_LEAF)

/* Leaves are frames of pointers, made as ids are first used and kept. */
static struct domain **id_leaf[NR_LEAVES];
static uint32_t highest_id; /* [DOMLIST, a] no domain above it */
static uint32_t last_id;    /* [DOMLIST] chosen last */
static struct lock domlist_lock = LOCK_INIT(RANK_DOMLIST);

struct domain *domain_find(domid_t id)
{
	struct domain **leaf;

	if (unlikely(id == DOMID_SELF)) {
		struct vcpu *v = current_vcpu();

		return v ? v->domain : NULL;
	}
	if (unlikely(id >= DOMID_FIRST_RESERVED))
		return NULL;
	leaf = rcu_load(&id_leaf[id / IDS_PER_LEAF]);
	return leaf ? rcu_load(&leaf[id % IDS_PER_LEAF]) : NULL;
}

struct domain *domain_get(domid_t id)
{
	struct domain *d = domain_find(id);

	return d && ref_get(&d->ref) ? d : NULL;
}

struct domain *domain_from(uint32_t id)
{
	uint32_t last = read_once(&highest_id);

	while (id <= last) {
		struct domain **leaf = rcu_load(&id_leaf[id / IDS_PER_LEAF]);
		struct domain *d;

		if (!leaf) {
			id = (uint32_t)ROUND_DOWN(id, IDS_PER_LEAF) + (uint32_t)IDS_PER_LEAF;
			continue;
		}
		d = rcu_load(&leaf[id % IDS_PER_LEAF]);
		if (d)
			return d;
		id++;
	}
	return NULL;
}

struct domain *domain_first(void)
{
	return domain_from(0);
}

struct domain *domain_next(const struct domain *d)
{
	return domain_from(d->id + 1u);
}

/* The slot of `id`; its leaf is made when missing. */
static int id_slot(domid_t id, struct domain ***slot) HOLDS(domlist_lock)
{
	struct domain ***leaf = &id_leaf[id / IDS_PER_LEAF];

	if (!*leaf) {
		mfn_t m = frame_alloc(0, ALLOC_ANY_NODE, 0);

		if (!mfn_valid(m))
			return refuse(R_NO_MEMORY, id, 0, 1);
		rcu_store(leaf, (struct domain **)frame_va(m));
	}
	*slot = &(*leaf)[id % IDS_PER_LEAF];
	return 0;
}

static int choose_id(domid_t *id) HOLDS(domlist_lock)
{
	uint32_t i;

	if (*id != DOMID_INVALID) {
		if (*id >= DOMID_FIRST_RESERVED)
			return refuse(R_DOMID_RANGE, *id, DOMID_FIRST_RESERVED, 0);
		if (domain_find(*id))
			return refuse(R_DOMID_IN_USE, *id, 0, 0);
		return 0;
	}
	/* Not one that was used a moment ago: tools may still mean the domain that is gone. */
	for (i = 1; i < DOMID_FIRST_RESERVED; i++) {
		last_id = last_id + 1 < DOMID_FIRST_RESERVED ? last_id + 1 : 1;
		if (!domain_find((domid_t)last_id)) {
			*id = (domid_t)last_id;
			return 0;
		}
	}
	return refuse(R_DOMIDS_EXHAUSTED, 0, DOMID_FIRST_RESERVED, 0);
}

/* Tables for a whole address space: per 2 MiB one leaf table at worst, and its parents. */
static uint32_t page_table_need(uint64_t frames)
{
	uint64_t leaves = (frames >> ORDER_2M) + 1;

	/* Guests that share and balloon page by page split some; they may ask for more. */
	return (uint32_t)MIN(leaves / 4 + (leaves >> 9) + 16, (uint64_t)UINT32_MAX / 4);
}

uint32_t domain_pool_need(const struct domain_config *cfg)
{
	uint32_t grants = cfg->max_grant_frames, maps = cfg->max_maptrack_frames;

	/* Each kind has frames of pointers to its frames (hv/evtchn.h, hv/gnttab.h). */
	return 8 + (1 + ARCH_VCPU_FRAMES) * cfg->max_vcpus + cfg->max_evtchn / EVTCHN_PER_FRAME +
	       2 + fifo_pool_need(cfg->max_vcpus) + grants * (1 + ACTIVE_FRAMES) +
	       grants / GRANT_FRAMES_PER_DIR + 1 + maps + maps / MAPTRACK_FRAMES_PER_DIR + 1 +
	       page_table_need(cfg->max_frames + cfg->static_frames) +
	       (cfg->flags & XEN_DOMCTL_CDF_iommu
		    ? iommu_pool_need(cfg->max_frames + cfg->static_frames)
		    : 0);
}

static int check_config(const struct domain_config *c)
{
	if (c->max_vcpus == 0 || c->max_vcpus > MAX_VCPUS)
		return refuse(R_BAD_VCPU_COUNT, 0, MAX_VCPUS, c->max_vcpus);
	if (c->max_evtchn < 2 || c->max_evtchn > EVTCHN_MAX_PORTS)
		return refuse(R_BAD_EVTCHN_LIMIT, 0, EVTCHN_MAX_PORTS, c->max_evtchn);
	if (c->max_grant_frames > GNTTAB_MAX_FRAMES)
		return refuse(R_BAD_GRANT_LIMIT, 0, GNTTAB_MAX_FRAMES, c->max_grant_frames);
	if (c->max_maptrack_frames > MAPTRACK_MAX_FRAMES)
		return refuse(R_BAD_MAPTRACK_LIMIT, 0, MAPTRACK_MAX_FRAMES, c->max_maptrack_frames);
	return 0;
}

static void apply_defaults(struct domain_config *c)
{
	if (!c->max_evtchn)
		c->max_evtchn = EVTCHN_2L_NR_CHANNELS;
	if (!c->max_grant_frames)
		c->max_grant_frames = 64;
	if (!c->max_maptrack_frames)
		c->max_maptrack_frames = c->roles & (ROLE_CONTROL | ROLE_HARDWARE) ? 1024 : 1;
	if (!c->pool_frames)
		c->pool_frames = domain_pool_need(c);
	c->pool_frames += c->pool_more;
}

/* Everything that can fail, in order; undone by release_parts() from wherever it stopped. */
static int make_parts(struct domain *d, const struct domain_config *c)
{
	int err;

	err = pool_init(&d->pool, c->pool_frames, c->node);
	if (err)
		return err;
	if (c->roles & ROLE_STATIC) {
		err = pool_fill(&d->pool);
		if (err)
			goto out_pool;
	}
	err = domain_mem_init(d, c->max_frames);
	if (err)
		goto out_pool;
	d->vcpu = pool_alloc_page(&d->pool);
	if (!d->vcpu) {
		err = reason_err(R_POOL_EXHAUSTED);
		goto out_mem;
	}
	d->shared_info = pool_alloc_page(&d->pool);
	if (!d->shared_info) {
		err = reason_err(R_POOL_EXHAUSTED);
		goto out_vcpus;
	}
	d->shared_info_mfn = frame_from_va(d->shared_info);
	err = p2m_init(d);
	if (err)
		goto out_shared;
	if (c->flags & XEN_DOMCTL_CDF_iommu) {
		err = iommu_context_create(d);
		if (err)
			goto out_p2m;
	}
	err = evtchn_init(d, c->max_evtchn);
	if (err)
		goto out_iommu;
	err = gnttab_init(d, c->max_grant_frames, c->max_maptrack_frames);
	if (err)
		goto out_evtchn;
	err = arch_domain_init(d, c);
	if (err)
		goto out_gnttab;
	return 0;

out_gnttab:
	gnttab_free(d);
out_evtchn:
	evtchn_free(d);
out_iommu:
	while (iommu_context_destroy_step(d) == -ERR_RESTART)
		; /* the same, and no device yet */
out_p2m:
	while (p2m_destroy_step(d) == -ERR_RESTART)
		; /* an empty table: one step */
out_shared:
	pool_free(&d->pool, d->shared_info_mfn);
out_vcpus:
	pool_free(&d->pool, frame_from_va(d->vcpu));
out_mem:
	domain_mem_destroy(d);
out_pool:
	pool_destroy(&d->pool);
	return err;
}

int domain_create(domid_t id, const struct domain_config *config, struct domain **out)
{
	struct domain_config cfg = *config;
	struct domain **slot, *d;
	mfn_t m;
	int err;

	apply_defaults(&cfg);
	err = check_config(&cfg);
	if (err)
		return err;

	lock_take(&domlist_lock);
	err = choose_id(&id);
	if (!err)
		err = id_slot(id, &slot);
	if (err)
		goto out;
	m = frame_alloc(0, cfg.node, 0);
	if (!mfn_valid(m)) {
		err = refuse(R_NO_MEMORY, id, 0, 1);
		goto out;
	}
	d = frame_va(m);
	d->id = id;
	d->state = DOMAIN_BUILDING;
	d->roles = cfg.roles;
	d->target = DOMID_INVALID;
	d->max_vcpus = cfg.max_vcpus;
	d->pause_count = 1; /* domain_start() takes it away, or the toolstack that made it */
	d->control_pauses = cfg.controlled;
	d->pool_base = cfg.pool_frames;
	d->create_flags = cfg.flags;
	d->direct_map = cfg.direct_map;
	d->shutdown_code = ~0u;
	memcpy(d->uuid, cfg.uuid, sizeof(d->uuid));
	ref_init(&d->ref);
	lock_init(&d->lock, RANK_DOMAIN);
	err = make_parts(d, &cfg);
	if (err) {
		frame_free(m, 0);
		goto out;
	}
	watchdog_init(d);
	domain_time_publish(d);
	rcu_store(slot, d);
	if (id > highest_id)
		write_once(&highest_id, (uint32_t)id);
	*out = d;
out:
	lock_release(&domlist_lock);
	return err;
}

/* ---- the end of a structure ------------------------------------------------------------------ */

void domain_unlist(struct domain *d)
{
	struct domain **slot;

	lock_take(&domlist_lock);
	slot = &id_leaf[d->id / IDS_PER_LEAF][d->id % IDS_PER_LEAF];
	assert(*slot == d, "a domain is in the table until it is DEAD");
	rcu_store(slot, (struct domain *)NULL);
	lock_release(&domlist_lock);
}

/* Nobody can reach the domain any more: one vCPU a step, then the structure itself. */
static bool free_step(struct work *w)
{
	struct domain *d = container_of(w, struct domain, destroy_work);

	while (d->destroy_next < d->max_vcpus) {
		struct vcpu *v = d->vcpu[d->destroy_next++];

		if (v) {
			vcpu_free(v);
			return true;
		}
	}
	console_domain_free(d);
	arch_domain_free(d);
	gnttab_free(d);
	evtchn_free(d);
	pool_free(&d->pool, d->shared_info_mfn);
	pool_free(&d->pool, frame_from_va(d->vcpu));
	domain_mem_destroy(d);
	pool_destroy(&d->pool);
	frame_free(frame_from_va(d), 0);
	return false;
}

static void free_after_grace(struct rcu_head *h)
{
	struct domain *d = container_of(h, struct domain, rcu);

	d->destroy_next = 0;
	d->destroy_work = (struct work){ .step = free_step };
	work_queue(&d->destroy_work);
}

void domain_put(struct domain *d)
{
	if (ref_put(&d->ref))
		rcu_call(&d->rcu, free_after_grace);
}
