/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One domain's console ring (xen/io/console.h), from the daemon's side. The page is the guest's too: it may write anything there at any time. Our
 * two indices are kept here and only published there; the guest's two are read once a call and judged against ours.
 */
#ifndef TOOLS_CONSOLED_RING_H
#define TOOLS_CONSOLED_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/console.h>

#define RING_OUT sizeof(((struct xencons_interface *)0)->out)
#define RING_IN  sizeof(((struct xencons_interface *)0)->in)

struct ring {
	struct xencons_interface *page;
	uint32_t out_cons, in_prod;
};

/* Go on where a daemon before this one was: its indices are in the page. */
void ring_attach(struct ring *r, struct xencons_interface *page);

/*
 * Take up to `size` bytes that the guest has printed: how many. With *broken, the guest's index was impossible: what it may have meant is given up, and
 * the next call begins where it is now.
 */
size_t ring_take(struct ring *r, char *to, size_t size, bool *broken);
bool ring_has_output(const struct ring *r);

/* How much the guest can be given now. With an impossible index of the guest: nothing. */
size_t ring_room(const struct ring *r);
/* At most ring_room() bytes. */
void ring_put(struct ring *r, const char *bytes, size_t n);

#endif
