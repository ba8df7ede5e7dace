"""STF, the test language of p4c's own corpora: `parse` reads it, `runner` runs it on a Switch."""
