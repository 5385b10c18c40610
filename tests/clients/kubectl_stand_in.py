#!/usr/bin/env python3
"""A stand-in for kubectl and an API server: no cluster is there. It keeps state in $STAND_IN/kubectl.json and speaks only
what `kubectl` documents of: create secret generic, create token --bound-object-*, delete secret, create -f - of a
TokenReview. $STAND_IN/down makes it fail as an unreachable server does; $STAND_IN/hang makes `create token` hang after
the token was made."""

import base64, json, os, sys, time

here = os.environ["STAND_IN"]
place = os.path.join(here, "kubectl.json")
words = [word for word in sys.argv[1:]]


def option(name, default=None):
    if name not in words:
        return default
    at = words.index(name)
    value = words[at + 1]
    del words[at : at + 2]
    return value


def load():
    try:
        return json.load(open(place))
    except FileNotFoundError:
        return {"secrets": {}, "tokens": {}}


def save(state):
    with open(place + ".new", "w") as out:
        json.dump(state, out)
    os.rename(place + ".new", place)


if os.path.exists(os.path.join(here, "down")):
    sys.exit("The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?")
context, namespace, output = option("--context"), option("-n", "default"), option("-o")
state = load()
if words[:3] == ["create", "secret", "generic"]:
    name = words[3]
    if name in state["secrets"]:
        sys.exit(f'error: failed to create secret secrets "{name}" already exists')
    state["secrets"][name] = namespace
    save(state)
    print(f"secret/{name} created")
elif words[:2] == ["create", "token"]:
    kind, bound = option("--bound-object-kind"), option("--bound-object-name")
    duration = int(option("--duration").rstrip("s"))
    if kind != "Secret" or bound not in state["secrets"]:
        sys.exit(f'error: failed to create token: secrets "{bound}" not found')
    random = base64.urlsafe_b64encode(os.urandom(300)).decode().rstrip("=")
    token = "eyJhbGciOiJSUzI1NiJ9." + random + ".sig"
    state["tokens"][token] = bound
    save(state)
    if os.path.exists(os.path.join(here, "hang")):
        time.sleep(600)
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + duration))
    print(json.dumps({"kind": "TokenRequest", "status": {"token": token, "expirationTimestamp": expires}}))
elif words[:2] == ["delete", "secret"]:
    state["secrets"].pop(words[2], None)
    save(state)
elif words[:3] == ["create", "-f", "-"]:
    review = json.load(sys.stdin)
    bound = state["tokens"].get(review["spec"]["token"])
    status = {"authenticated": True} if bound in state["secrets"] else {"error": "[invalid bearer token]"}
    assert output == "jsonpath={.kind}:{.status.authenticated}", output
    print(review["kind"] + ":" + ("true" if status.get("authenticated") else ""), end="")
else:
    sys.exit(f"error: unknown command {words}")
