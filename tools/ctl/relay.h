/* SPDX-License-Identifier: Apache-2.0 */
/* A person's terminal, or a script's input and output, joined to a guest's console. */
#ifndef TOOLS_CTL_RELAY_H
#define TOOLS_CTL_RELAY_H

#define RELAY_LEAVE 0x1d /* Ctrl-] */
#define RELAY_TYPED 65536u

/*
 * Until RELAY_LEAVE is read from `in`, or one of the three ends: what `in` gives goes to `guest`, what `guest` gives to `out`. A guest that takes nothing holds
 * up neither its own output nor RELAY_LEAVE: RELAY_TYPED bytes of input wait here. More of it waits in `in`, unless that is a terminal: that is always
 * heard, so what has no room is lost, with a bell each time. An `in` that ends is the end of all when the guest has taken what it gave, and what it has said by then is shown.
 *
 * `guest` becomes non-blocking; `out` is written to until it takes everything.
 */
void relay(int guest, int in, int out);

#endif
