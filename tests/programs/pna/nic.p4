// SPDX-License-Identifier: Apache-2.0
// The architecture of a program that both p4c-dpdk and p4c-bm2-pna compile. Included after core.p4.
// pna.p4 declares send_to_port's parameter without a direction, which admits only constants and action parameters;
// declared `in`, any value will do, and the output is the same. Likewise mirror_packet.

#define send_to_port(parameter) send_to_port(in parameter)
#define mirror_packet(slot, session) mirror_packet(in slot, in session)
#ifdef __TARGET_BMV2__
#include <pna.p4>
#else
#include <dpdk/pna.p4>
#endif
#undef send_to_port
#undef mirror_packet
