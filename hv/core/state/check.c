/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug builds only: a key that pauses each domain in turn, saves its state, loads it into the same domain,
 * saves it again and compares the two, and lets the domain run on. One piece of work, in steps.
 */
#ifdef HV_DEBUG

#include <hv/assert.h>
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/state.h>
#include <hv/string.h>
#include <public/state.h>
#include <xen/hvm/save.h>

enum check_phase { PAUSE, SAVE, LOAD, SAVE_AGAIN };

static struct {
	struct work work;
	bool busy;        /* [own CPU] from the key to the last domain */
	domid_t next;     /* the lowest that was not checked yet */
	struct domain *d; /* counted and paused, while phase is not PAUSE */
	enum check_phase phase;
	mfn_t buf; /* two states, one behind the other */
	unsigned order;
	size_t size; /* of one at most */
	size_t used; /* what the first one took */
	struct state_save save;
	struct state_load load;
} check;

static uint8_t *buffer(unsigned which)
{
	return (uint8_t *)frame_va(check.buf) + which * check.size;
}

static void end_domain(const char *how, bool reason)
{
	char why[192] = "";

	if (reason)
		(void)reason_format(why, sizeof(why), reason_last());
	log_info("d%u: state: %s%s%s", check.d->id, how, reason ? ": " : "", why);
	if (mfn_valid(check.buf))
		frame_free(check.buf, check.order);
	check.buf = INVALID_MFN;
	domain_unpause(check.d);
	domain_put(check.d);
	check.d = NULL;
	check.phase = PAUSE;
}

/* Types whose records differ although nothing is wrong with them are passed over. */
static bool time_changes(uint16_t code)
{
	const struct state_type *t = state_type_find(code);

	return t && t->moving;
}

static void stand_still(uint16_t code, void *before, void *after)
{
	const struct state_type *t = state_type_find(code);

	if (t && t->still)
		t->still(before, after);
}

static void compare(void)
{
	uint8_t *a = buffer(0), *b = buffer(1);
	char how[64];

	for (size_t at = 0; at < check.used;) {
		const struct hvm_save_descriptor *desc = (const void *)(a + at);
		size_t n = sizeof(*desc) + desc->length;

		stand_still(desc->typecode, a + at + sizeof(*desc), b + at + sizeof(*desc));
		if (memcmp(a + at, b + at, n) != 0 && !time_changes(desc->typecode)) {
			(void)snprint(how, sizeof(how),
				      "record %x of instance %u came back different",
				      desc->typecode, desc->instance);
			end_domain(how, false);
			return;
		}
		at += n;
	}
	(void)snprint(how, sizeof(how), "%u bytes saved, loaded, the same again",
		      (unsigned)check.used);
	end_domain(how, false);
}

static bool first_step(void)
{
	for (struct domain *d = domain_first(); d; d = domain_next(d)) {
		if (d->id < check.next || read_once(&d->state) != DOMAIN_ALIVE)
			continue;
		check.next = (domid_t)(d->id + 1);
		check.d = domain_get(d->id);
		if (!check.d)
			continue;
		domain_pause(check.d);
		check.phase = SAVE;
		check.save.d = NULL;
		return true;
	}
	check.busy = false;
	return false;
}

static bool stopped(const struct domain *d)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, d) if (!vcpu_off_cpu(v)) return false;
	return true;
}

/* -ERR_RESTART until a whole state is in buffer `which`. */
static int save_step(unsigned which)
{
	int err = 0;

	if (!check.save.d)
		err = state_save_begin(&check.save, check.d, buffer(which), check.size);
	if (!err)
		err = state_save_step(&check.save);
	if (!err)
		check.save.d = NULL;
	return err;
}

static int phase_step(void)
{
	switch (check.phase) {
	case SAVE: return save_step(0);
	case LOAD: return state_load_step(&check.load);
	default: return save_step(1);
	}
}

static bool check_step(struct work *w)
{
	int err;

	if (!check.d)
		return first_step();
	if (!stopped(check.d) && !read_once(&check.d->dying))
		return true;
	if (!mfn_valid(check.buf)) {
		check.size = state_size(check.d);
		for (check.order = 0; (PAGE_SIZE << check.order) < 2 * check.size;)
			check.order++;
		check.buf = frame_alloc(check.order, ALLOC_ANY_NODE, 0);
		if (!mfn_valid(check.buf)) {
			end_domain("no memory", false);
			return true;
		}
	}
	err = phase_step();
	if (!err && check.phase == SAVE) {
		check.phase = LOAD;
		check.used = check.save.used;
		err = state_load_begin(&check.load, check.d, buffer(0), check.used);
	} else if (!err && check.phase == LOAD) {
		check.phase = SAVE_AGAIN;
	} else if (!err) {
		compare();
	}
	if (err && err != -ERR_RESTART)
		end_domain("refused", true);
	return true;
}

static void check_key(void)
{
	if (check.busy)
		return;
	check.busy = true;
	check.next = 0;
	check.buf = INVALID_MFN;
	check.phase = PAUSE;
	check.work.step = check_step;
	work_queue(&check.work);
}

void state_check_init(void)
{
	debug_key_register('S', "save each domain's state and load it again", check_key);
}

#endif
