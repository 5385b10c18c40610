"""What other people's libraries make of a webhook: standardwebhooks verifies, cloudevents reads.

stdin: {"secret", "headers", "body"}. stdout: the event's attributes as JSON. Fails where either refuses.
"""

import json
import sys

from cloudevents.v1.http import from_http
from standardwebhooks.webhooks import Webhook

given = json.load(sys.stdin)
Webhook(given["secret"]).verify(given["body"], given["headers"])
event = from_http(given["headers"], given["body"])
print(json.dumps({"type": event["type"], "id": event["id"], "source": event["source"],
                  "subject": event["subject"], "time": event["time"], "data": event.data}))
