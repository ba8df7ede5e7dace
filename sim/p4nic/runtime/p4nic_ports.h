/* Ports. */
#ifndef P4NIC_PORTS_H
#define P4NIC_PORTS_H

static u32 ports_burst(struct worker *w)
{
    (void)w;
    return 0;
}

static void ports_wait(struct worker *w) { (void)w; }

static void ports_wake(struct engine *e) { (void)e; }

#endif
