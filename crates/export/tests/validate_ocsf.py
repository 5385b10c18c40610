"""Validate OCSF events, a JSON object a line on standard input, against the schema that the events name.

The schema is the one that schema.ocsf.io exports, as the package `ocsf-json-schema` carries it; `jsonschema` judges, by
JSON Schema 2020-12. Attributes that the schema does not know are faults.
"""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = sys.argv[1]
schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
validators = {}
faults = checked = 0

for number, line in enumerate(sys.stdin, 1):
    event = json.loads(line)
    metadata = event["metadata"]
    assert metadata["version"] == VERSION, metadata
    key = (event["class_uid"], tuple(metadata["profiles"]))
    if key not in validators:
        name = schema.lookup_class_name_from_uid(key[0])
        document = schema.get_class_schema(name, list(key[1]))
        Draft202012Validator.check_schema(document)
        validators[key] = Draft202012Validator(document)
    for fault in validators[key].iter_errors(event):
        faults += 1
        where = "/".join(str(part) for part in fault.absolute_path)
        print(f"event {number} ({metadata['event_code']}, class {key[0]}): {where}: {fault.message[:300]}")
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"], event
    checked += 1

classes = sorted({key[0] for key in validators})
print(f"{checked} events of classes {classes}, {faults} faults")
sys.exit(1 if faults else 0)
