"""p4nic against p4c's own corpora: `make conformance P4C=<checkout>`, nothing of which is committed here."""
