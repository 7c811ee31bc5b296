"""Bank cores, populations and load that reach the switch as any bank does: over TCP and by commands."""
