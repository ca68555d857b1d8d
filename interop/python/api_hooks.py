"""What Schemathesis is told beyond the description of wanryo's API."""

import json
import os

import schemathesis

# Ids that are there, by the name of their parameter.
KNOWN = json.loads(os.environ["WANRYO_KNOWN_IDS"])


@schemathesis.hook
def filter_case(_context, case):
    """A parameter that is empty is as good as none: browsers send a form's empty fields."""
    return "" not in (case.query or {}).values()


@schemathesis.hook
def map_path_parameters(_context, path_parameters):
    """About every other id that could be one is one that is there: of the others only "not found" is learnt."""
    for name, ids in KNOWN.items():
        value = str((path_parameters or {}).get(name, ""))
        if 1 <= len(value) <= 64 and sum(map(ord, value)) % 2:
            path_parameters[name] = ids[len(value) % len(ids)]
    return path_parameters
