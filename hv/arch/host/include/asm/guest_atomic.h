/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic operations on words shared with guests (hv/guest_atomic.h); FAULT_ATOMIC: the guest kept it from ending. */
#ifndef ASM_GUEST_ATOMIC_H
#define ASM_GUEST_ATOMIC_H

#include <hv/atomic.h>
#include <hv/fault.h>

#define HOST_GUEST_ATOMIC(p, ok, op)                  \
	({                                            \
		__auto_type found_ = read_once(p);    \
		*(ok) = !fault_strikes(FAULT_ATOMIC); \
		if (*(ok))                            \
			found_ = (op);                \
		found_;                               \
	})

#define arch_guest_or(p, v, ok)   HOST_GUEST_ATOMIC(p, ok, atomic_or((p), (v)))
#define arch_guest_and(p, v, ok)  HOST_GUEST_ATOMIC(p, ok, atomic_and((p), (v)))
#define arch_guest_xchg(p, v, ok) HOST_GUEST_ATOMIC(p, ok, atomic_xchg((p), (v)))
#define arch_guest_cas(p, old, v, ok) \
	(*(ok) = !fault_strikes(FAULT_ATOMIC), *(ok) && atomic_cas((p), (old), (v)))

#endif
