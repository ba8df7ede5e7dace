"""The workloads: a module each, with NAME, ABOUT and run(). `registry` lists them."""
