/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic operations on words shared with guests (hv/guest_atomic.h): locked instructions, which end. */
#ifndef ASM_GUEST_ATOMIC_H
#define ASM_GUEST_ATOMIC_H

#include <hv/atomic.h>

#define arch_guest_or(p, v, ok)       (*(ok) = true, atomic_or((p), (v)))
#define arch_guest_and(p, v, ok)      (*(ok) = true, atomic_and((p), (v)))
#define arch_guest_xchg(p, v, ok)     (*(ok) = true, atomic_xchg((p), (v)))
#define arch_guest_cas(p, old, v, ok) (*(ok) = true, atomic_cas((p), (old), (v)))

#endif
