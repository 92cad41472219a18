# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/evtchn/table.c hv/core/evtchn/bind.c hv/core/evtchn/send.c
core-src += hv/core/evtchn/port_2l.c hv/core/evtchn/port_fifo.c hv/core/evtchn/virq.c
core-src += hv/abi/evtchn.c
unit-tests += tests/unit/evtchn_test.c tests/unit/evtchn_send_test.c tests/unit/fifo_test.c
tsan-tests += tests/unit/evtchn_test.c tests/unit/evtchn_send_test.c tests/unit/fifo_test.c
