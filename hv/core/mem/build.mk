# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/mem/frame.c hv/core/mem/alloc.c hv/core/mem/pool.c hv/core/mem/p2m.c
core-src += hv/core/mem/populate.c hv/core/mem/dirty.c

unit-tests += tests/unit/frame_test.c tests/unit/pool_test.c tests/unit/p2m_test.c
unit-tests += tests/unit/guest_test.c tests/unit/memory_test.c tests/unit/dirty_test.c tests/unit/physmap_test.c
tsan-tests += tests/unit/frame_test.c tests/unit/pool_test.c tests/unit/p2m_test.c
tsan-tests += tests/unit/guest_test.c tests/unit/memory_test.c tests/unit/dirty_test.c tests/unit/physmap_test.c
