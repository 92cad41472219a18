# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/gnttab/table.c hv/core/gnttab/entry.c hv/core/gnttab/maptrack.c
core-src += hv/core/gnttab/map.c hv/core/gnttab/unmap.c hv/core/gnttab/copy.c hv/core/gnttab/flush.c
core-src += hv/abi/gnttab.c
unit-tests += tests/unit/gnttab_test.c tests/unit/gnttab_map_test.c
tsan-tests += tests/unit/gnttab_test.c tests/unit/gnttab_map_test.c
