#!/usr/bin/env python3
"""A stand-in for the AWS CLI: no cloud is there. It keeps state in $STAND_IN/aws.json and speaks only what is documented
of: sts assume-role, sts get-caller-identity, iam put-role-policy, s3api head-bucket. Keys that a policy denies are denied
explicitly everywhere but for get-caller-identity, as AWS does it."""

import json, os, sys, time

place = os.path.join(os.environ["STAND_IN"], "aws.json")
words = sys.argv[1:]


def option(name):
    return words[words.index(name) + 1]


def load():
    try:
        return json.load(open(place))
    except FileNotFoundError:
        return {"keys": {}, "policies": {}}


def save(state):
    with open(place + ".new", "w") as out:
        json.dump(state, out)
    os.rename(place + ".new", place)


def caller(state):
    key = state["keys"].get(os.environ.get("AWS_ACCESS_KEY_ID"))
    if key is None or key["secret"] != os.environ.get("AWS_SECRET_ACCESS_KEY"):
        sys.exit("An error occurred (InvalidClientTokenId) when calling: The security token included is invalid.")
    return key


state = load()
if words[:2] == ["sts", "assume-role"]:
    session, seconds = option("--role-session-name"), int(option("--duration-seconds"))
    json.loads(option("--policy"))
    assert len(session) <= 64 and seconds >= 900, words
    number, secret = f"ASIA{len(state['keys']):016d}", os.urandom(20).hex()
    state["keys"][number] = {"secret": secret, "session": session, "issued": time.time()}
    save(state)
    keys = {"AccessKeyId": number, "SecretAccessKey": secret, "SessionToken": os.urandom(200).hex()}
    keys["Expiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    print(json.dumps({"Credentials": keys}))
elif words[:2] == ["iam", "put-role-policy"]:
    document = json.loads(option("--policy-document"))
    condition = document["Statement"][0]["Condition"]
    assert document["Statement"][0]["Effect"] == "Deny" and "DateLessThan" in condition
    state["policies"][option("--policy-name")] = condition["StringLike"]["aws:userid"]
    save(state)
elif words[:2] == ["sts", "get-caller-identity"]:
    print(json.dumps({"Arn": "arn:aws:sts::1:assumed-role/r/" + caller(state)["session"]}))
elif words[:2] == ["s3api", "head-bucket"]:
    key = caller(state)
    if f"*:{key['session']}" in state["policies"].values():
        sys.exit("An error occurred (AccessDenied) when calling the HeadBucket operation: not authorized to perform: "
                 "s3:ListBucket with an explicit deny in an identity-based policy")
else:
    sys.exit(f"aws: error: argument command: Invalid choice {words}")
