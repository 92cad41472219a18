# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/domain/domain.c hv/core/domain/lifecycle.c hv/core/domain/vcpu.c
core-src += hv/core/domain/invariants.c hv/core/evtchn/check.c hv/core/gnttab/check.c
core-src += hv/core/domain/control.c hv/core/domain/time.c hv/core/domain/watchdog.c
core-src += hv/core/policy/check.c hv/core/reason.c
unit-tests += tests/unit/domain_test.c tests/unit/abi_test.c
