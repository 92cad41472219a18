/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records: the framing, and the records that every architecture has. A saved domain is one pass over
 * all types and their instances in the order of the codes; loading is the same pass twice, to look and
 * to load, so nobody has to remember which records were there. Types are hv/state.h's, the
 * architecture's come from arch/state.h. Locks: none held; called by whoever has the domain paused.
 */
#include <hv/state.h>

#include <arch/state.h>
#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/string.h>
#include <public/state.h>
#include <xen/hvm/save.h>

/* ---- records of core ------------------------------------------------------------------------- */

static int header_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_header *h = record;

	h->magic = KRYPTON_STATE_MAGIC;
	h->machine = arch_state.machine;
	h->max_vcpus = d->max_vcpus;
	return 0;
}

static int header_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_header *h = record;

	if (h->magic != KRYPTON_STATE_MAGIC)
		return state_bad_field(KRYPTON_STATE_HEADER, struct krypton_state_header, magic,
				       h->magic);
	if (h->machine != arch_state.machine)
		return refuse(R_STATE_MACHINE, 0, arch_state.machine, h->machine);
	if (h->reserved)
		return state_bad_field(KRYPTON_STATE_HEADER, struct krypton_state_header, reserved,
				       h->reserved);
	if (h->max_vcpus != d->max_vcpus)
		return refuse(R_STATE_VCPUS, d->id, d->max_vcpus, h->max_vcpus);
	return 0;
}

static void header_load(struct domain *d, struct vcpu *v, const void *record) {}

static uint64_t until(const struct timer *t, uint64_t now)
{
	uint64_t at = t->expires;

	if (!timer_armed(t))
		return KRYPTON_NEVER;
	return at > now ? at - now : 0;
}

static void arm(struct timer *t, uint64_t delay, uint64_t now)
{
	if (delay == KRYPTON_NEVER)
		timer_stop(t);
	else
		timer_set(t, delay < KRYPTON_NEVER - now ? now + delay : KRYPTON_NEVER - 1);
}

static int vcpu_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_vcpu *r = record;
	uint64_t now = arch_time_ns();

	r->flags = (vcpu_state(v) != VCPU_OFFLINE ? KRYPTON_VCPU_UP : 0) |
		   (read_once(&v->initialised) ? KRYPTON_VCPU_INITIALISED : 0);
	r->singleshot = until(&v->singleshot, now);
	r->periodic = until(&v->periodic, now);
	/* The period of a timer that was stopped means nothing. */
	r->period = r->periodic == KRYPTON_NEVER ? 0 : read_once(&v->period);
	return 0;
}

static int vcpu_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_vcpu *r = record;
	const uint32_t all = KRYPTON_VCPU_UP | KRYPTON_VCPU_INITIALISED;

	/* A vCPU that is up has a context. */
	if ((r->flags & ~all) || (r->flags & all) == KRYPTON_VCPU_UP)
		return state_bad_field(KRYPTON_STATE_VCPU, struct krypton_state_vcpu, flags,
				       r->flags);
	if ((r->periodic == KRYPTON_NEVER) != (r->period == 0))
		return state_bad_field(KRYPTON_STATE_VCPU, struct krypton_state_vcpu, periodic,
				       r->periodic);
	/* The limits of VCPUOP_set_periodic_timer. */
	if (r->period && (r->period < VCPU_PERIOD_MIN_NS || r->period > VCPU_PERIOD_MAX_NS))
		return state_bad_field(KRYPTON_STATE_VCPU, struct krypton_state_vcpu, period,
				       r->period);
	return 0;
}

static void vcpu_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct krypton_state_vcpu *r = record;
	uint64_t now = arch_time_ns();

	lock_take(&d->lock);
	v->initialised = r->flags & KRYPTON_VCPU_INITIALISED;
	lock_release(&d->lock);
	if (!(r->flags & KRYPTON_VCPU_UP))
		(void)vcpu_transition(v, VCPU_DOWN);
	/* Its wait ends, whatever it was for: a guest looks again, as after any wake-up. */
	timer_stop(&v->poll);
	evtchn_poll_end(v);
	vcpu_wake(v);
	if (r->flags & KRYPTON_VCPU_UP)
		(void)vcpu_transition(v, VCPU_UP);
	write_once(&v->period, r->period);
	arm(&v->singleshot, r->singleshot, now);
	arm(&v->periodic, r->periodic, now);
}

static const struct state_type core_type[] = {
	{ .code = KRYPTON_STATE_HEADER,
	  .version = 1,
	  .length = sizeof(struct krypton_state_header),
	  .save = header_save,
	  .check = header_check,
	  .load = header_load },
	{ .code = KRYPTON_STATE_VCPU,
	  .per_vcpu = true,
	  .moving = true,
	  .version = 1,
	  .length = sizeof(struct krypton_state_vcpu),
	  .save = vcpu_save,
	  .check = vcpu_check,
	  .load = vcpu_load },
};

/* ---- the order of records ---------------------------------------------------------------------- */

/* Core's, then the architecture's; the other way round where the first of those is the header. */
static uint32_t nr_types(void)
{
	return (uint32_t)ARRAY_SIZE(core_type) - arch_state.xen + arch_state.nr;
}

static const struct state_type *type_at(uint32_t i)
{
	if (arch_state.xen)
		return i < arch_state.nr ? &arch_state.type[i] : &core_type[i - arch_state.nr + 1];
	return i < ARRAY_SIZE(core_type) ? &core_type[i]
					 : &arch_state.type[i - ARRAY_SIZE(core_type)];
}

static bool may_be_missing(uint32_t i)
{
	return type_at(i)->optional || (arch_state.xen && i > 0);
}

static uint32_t length_in(const struct state_type *t, const struct domain *d)
{
	return t->length_of ? t->length_of(d) : t->length;
}

static bool exists(const struct domain *d, const struct state_type *t, uint32_t instance)
{
	if (!length_in(t, d))
		return false;
	return t->per_vcpu ? domain_vcpu(d, instance) != NULL : instance == 0;
}

/* Move on to the first place from `p` on that this domain has. False: there is none. */
static bool settle(const struct domain *d, struct state_place *p)
{
	for (; p->type < nr_types(); p->type++, p->instance = 0) {
		const struct state_type *t = type_at(p->type);
		uint32_t end = t->per_vcpu ? d->max_vcpus : 1;

		for (; p->instance < end; p->instance++)
			if (exists(d, t, p->instance))
				return true;
	}
	return false;
}

static struct vcpu *vcpu_at(const struct domain *d, const struct state_type *t, uint32_t instance)
{
	return t->per_vcpu ? domain_find_vcpu(d, instance) : NULL;
}

size_t state_size(const struct domain *d)
{
	size_t size = sizeof(struct hvm_save_descriptor); /* the end */

	for (struct state_place p = { 0, 0 }; settle(d, &p); p.instance++)
		size += sizeof(struct hvm_save_descriptor) + length_in(type_at(p.type), d);
	return size;
}

/* Is nobody using what is about to be read or written? */
static int quiet(const struct domain *d)
{
	struct vcpu *v;

	if (!arch_state.nr)
		return refuse(R_STATE_NONE, d->id, 0, 0);
	if (read_once(&d->dying))
		return refuse(R_STATE_DYING, d->id, 0, 0);
	if (!read_once(&d->pause_count))
		return refuse(R_STATE_RUNNING, d->id, 0, 0);
	domain_for_each_vcpu(v, d)
	{
		if (!vcpu_off_cpu(v))
			return refuse(R_STATE_RUNNING, d->id, 0, v->id);
		if (vcpu_state(v) == VCPU_WAITING)
			return refuse(R_STATE_WAITING, v->id, 0, d->id);
	}
	return 0;
}

/* ---- saving ------------------------------------------------------------------------------------ */

int state_save_begin(struct state_save *s, struct domain *d, void *buf, size_t size)
{
	int err;

	assert((uintptr_t)buf % 8 == 0, "states are in buffers aligned to eight bytes");
	err = quiet(d);
	if (err)
		return err;
	if (size < state_size(d))
		return refuse(R_STATE_BUFFER, d->id, size, state_size(d));
	*s = (struct state_save){ .d = d, .buf = buf, .size = size };
	return 0;
}

/* Room for a record, which it returns; NULL: there is none. */
static void *put_record(struct state_save *s, uint16_t code, uint32_t instance, uint32_t length)
{
	struct hvm_save_descriptor *desc = (void *)(s->buf + s->used);

	if (s->size - s->used < sizeof(*desc) + length)
		return NULL;
	*desc = (struct hvm_save_descriptor){
		.typecode = code,
		.instance = (uint16_t)instance,
		.length = length,
	};
	s->used += sizeof(*desc) + length;
	return memset(desc + 1, 0, length);
}

int state_save_step(struct state_save *s)
{
	const struct state_type *t;
	struct vcpu *v;
	uint32_t *record;
	int err;

	if (!settle(s->d, &s->next))
		return put_record(s, HVM_SAVE_CODE(END), 0, 0)
			   ? 0
			   : refuse(R_STATE_BUFFER, s->d->id, s->size, state_size(s->d));
	t = type_at(s->next.type);
	v = vcpu_at(s->d, t, s->next.instance);
	if (!t->present || t->present(v)) {
		record = put_record(s, t->code, s->next.instance, length_in(t, s->d));
		if (!record)
			return refuse(R_STATE_BUFFER, s->d->id, s->size, state_size(s->d));
		if (t->version)
			*record = t->version;
		err = t->save(s->d, v, record);
		if (err)
			return err;
	}
	s->next.instance++;
	return -ERR_RESTART;
}

int state_save_one(struct domain *d, uint16_t code, uint32_t instance, void *buf, size_t room,
		   uint32_t *length)
{
	const struct state_type *t = state_type_find(code);
	int err = quiet(d);

	if (err)
		return err;
	if (!t || !exists(d, t, instance) || (t->present && !t->present(vcpu_at(d, t, instance))))
		return refuse(R_STATE_NO_RECORD, code, d->id, instance);
	*length = length_in(t, d);
	if (room < *length)
		return refuse(R_STATE_BUFFER, d->id, room, *length);
	memset(buf, 0, *length);
	if (t->version)
		*(uint32_t *)buf = t->version;
	return t->save(d, vcpu_at(d, t, instance), buf);
}

/* ---- loading ----------------------------------------------------------------------------------- */

int state_load_begin(struct state_load *s, struct domain *d, const void *buf, size_t size)
{
	assert((uintptr_t)buf % 8 == 0, "states are in buffers aligned to eight bytes");
	*s = (struct state_load){ .d = d, .buf = buf, .size = size };
	return quiet(d);
}

/* The record at s->at; on success all of it is inside the buffer. */
static int get_record(struct state_load *s, struct hvm_save_descriptor *desc)
{
	size_t left = s->size - s->at;

	if (left < sizeof(*desc))
		return refuse(R_STATE_SHORT, s->at, left, sizeof(*desc));
	memcpy(desc, s->buf + s->at, sizeof(*desc));
	if (left - sizeof(*desc) < desc->length)
		return refuse(R_STATE_SHORT, s->at, left - sizeof(*desc), desc->length);
	return 0;
}

/* The type with this code; nr_types() when there is none. */
static uint32_t type_of(uint16_t code)
{
	uint32_t i = 0;

	while (i < nr_types() && type_at(i)->code != code)
		i++;
	return i;
}

const struct state_type *state_type_find(uint16_t code)
{
	uint32_t i = type_of(code);

	return i < nr_types() ? type_at(i) : NULL;
}

static bool before(struct state_place a, struct state_place b)
{
	return a.type != b.type ? a.type < b.type : a.instance < b.instance;
}

/* All that is between here and `to` (exclusive) may be missing. */
static int skip_optional(struct state_load *s, struct state_place to)
{
	while (settle(s->d, &s->next) && before(s->next, to)) {
		const struct state_type *t = type_at(s->next.type);

		if (!may_be_missing(s->next.type))
			return refuse(R_STATE_MISSING, t->code, 0, s->next.instance);
		s->next.instance++;
	}
	return 0;
}

static int check_end(struct state_load *s, const struct hvm_save_descriptor *desc)
{
	const struct state_place end = { .type = nr_types() };
	int err = skip_optional(s, end);

	if (err)
		return err;
	if (desc->length || desc->instance)
		return refuse(R_STATE_LENGTH, desc->typecode, 0, desc->length);
	if (s->at + sizeof(*desc) != s->size)
		return refuse(R_STATE_TRAILING, s->at, 0, s->size - s->at - sizeof(*desc));
	return 0;
}

/* Only what is where it belongs, as long as it must be, and good in itself. */
static int check_record(struct state_load *s, const struct hvm_save_descriptor *desc)
{
	const uint8_t *record = s->buf + s->at + sizeof(*desc);
	struct state_place found = { type_of(desc->typecode), desc->instance };
	const struct state_type *t;
	uint32_t version;
	int err;

	if (found.type == nr_types())
		return refuse(R_STATE_UNKNOWN, desc->typecode, 0, desc->instance);
	t = type_at(found.type);
	if (!exists(s->d, t, found.instance))
		return refuse(R_STATE_INSTANCE, t->code, s->d->id, found.instance);
	if (before(found, s->next))
		return refuse(R_STATE_ORDER, t->code, 0, found.instance);
	err = skip_optional(s, found);
	if (err)
		return err;
	if (desc->length < sizeof(version))
		return refuse(R_STATE_LENGTH, t->code, length_in(t, s->d), desc->length);
	memcpy(&version, record, sizeof(version));
	if (t->version && version != t->version)
		return refuse(R_STATE_VERSION, t->code, t->version, version);
	if (desc->length != length_in(t, s->d))
		return refuse(R_STATE_LENGTH, t->code, length_in(t, s->d), desc->length);
	return t->check(s->d, vcpu_at(s->d, t, found.instance), record);
}

static void load_record(const struct state_load *s, const struct hvm_save_descriptor *desc)
{
	const struct state_type *t = type_at(type_of(desc->typecode));

	t->load(s->d, vcpu_at(s->d, t, desc->instance), s->buf + s->at + sizeof(*desc));
}

int state_load_step(struct state_load *s)
{
	struct hvm_save_descriptor desc;
	int err = get_record(s, &desc);

	if (err)
		return err;
	if (desc.typecode == HVM_SAVE_CODE(END)) {
		if (s->checked)
			return 0;
		err = check_end(s, &desc);
		if (err)
			return err;
		s->checked = true;
		s->at = 0;
		return -ERR_RESTART;
	}
	if (s->checked) {
		load_record(s, &desc);
	} else {
		err = check_record(s, &desc);
		if (err)
			return err;
		s->next.instance++;
	}
	s->at += sizeof(desc) + desc.length;
	return -ERR_RESTART;
}
