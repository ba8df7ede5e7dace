"""Traffic for load balancers: seeded flows, frames, wires to a target's ports, a check of what returns."""
