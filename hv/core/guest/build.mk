# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/guest/copy.c hv/core/guest/pin.c
