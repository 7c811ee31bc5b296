"""The simulated world: the switch's own code among faults, on one seed and a virtual clock, in one thread.

`plan` draws from a seed what a world is like, `stage` builds it, `world` plays it, `judge` and `audit` say whether all
was right; `runner` plays thousands. Unlike the rest of the simulators it imports the switch: it is not a bank's
program but a place for the daemon to live in.
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # worlds run beside each other, and their files are small
