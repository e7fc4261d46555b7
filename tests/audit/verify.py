"""Verifies an audit log of mcp-secure: LOG KEY PUB. Written from the page of the book alone.

With `consistency PUB OLD PROOF`: that a log has only grown since the checkpoint in OLD.

Prints one JSON object; fails on the first thing that is not as it was written.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def expand(key, purpose):
    return hmac.new(key, purpose + b"\x01", hashlib.sha256).digest()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    def __init__(self, size=0, nodes=()):
        self.size, self.nodes = size, list(nodes)

    def push(self, leaf):
        size = self.size
        while size & 1:
            leaf = node(self.nodes.pop(), leaf)
            size >>= 1
        self.nodes.append(leaf)
        self.size += 1

    def root(self):
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        root = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            root = node(left, root)
        return root


class Wrong(Exception):
    pass


def open_note(note, public):
    name, _, encoded = public.split("+", 2)
    key = base64.b64decode(encoded)
    body, signatures = note.split("\n\n", 1)
    prefix = "\u2014 " + name + " "
    hint = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    for line in signatures.split("\n"):
        if line.startswith(prefix):
            raw = base64.b64decode(line[len(prefix):], validate=True)
            if raw[:4] == hint:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], (body + "\n").encode())
                origin, size, root = body.split("\n")[:3]
                if origin != name:
                    raise Wrong("another log")
                return int(size), base64.b64decode(root, validate=True)
    raise Wrong("no signature")


def verify(log, key_file, pub_file):
    key = unb64(open(key_file).read().split()[1])
    public = open(pub_file).read().strip()
    folder = log + ".segments"
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    files = [os.path.join(folder, name) for name in files if name.endswith(".jsonl")] + [log]

    tree, previous, key_now = Tree(), bytes(32), key
    records = checkpoints = epoch = 0
    line_end = re.compile(rb'^(.*,"seq":(0|[1-9][0-9]*)),"mac":"([A-Za-z0-9_-]{43})"}$', re.S)
    for at, path in enumerate(files):
        data = open(path, "rb").read()
        lines = data.split(b"\n")
        if lines.pop() != b"":
            raise Wrong("no line end")
        for number, line in enumerate(lines):
            match = line_end.match(line)
            if not match:
                raise Wrong("record %d is no line of the log" % records)
            content, seq, mac = match.group(1), int(match.group(2)), match.group(3)
            value = json.loads(line)
            if number == 0 and at > 0 and value["event"] != "segment":
                raise Wrong("no segment")
            if seq != tree.size:
                raise Wrong("record %d instead of %d" % (seq, tree.size))
            leaf = hashlib.sha256(b"\x00" + content).digest()
            mac_key = expand(key_now, b"mcp-secure audit: records")
            should = hmac.new(mac_key, b"record\x00" + previous + leaf, hashlib.sha256).digest()
            if b64(should).encode() != mac:
                raise Wrong("record %d was changed" % seq)
            if seq == 0:
                named = hashlib.sha256(b"mcp-secure audit: verification key\x00" + key).digest()
                if value["event"] != "genesis" or value["key"] != b64(named):
                    raise Wrong("another key")
                if value["public"] != public:
                    raise Wrong("another public key")
            if value["event"] == "checkpoint":
                size, root = open_note(value["note"], public)
                if size != seq or root != tree.root() or value["epoch"] != epoch:
                    raise Wrong("checkpoint %d" % seq)
                key_now = expand(key_now, b"mcp-secure audit: next key")
                epoch += 1
                checkpoints += 1
            tree.push(leaf)
            previous = should
            records += 1
    return {"records": records, "checkpoints": checkpoints}


def root_of(nodes, size, old, whole):
    """RFC 6962, 2.1.2, read backwards: the roots of the old and of the new tree, of a proof.

    `nodes` is used up from its end; `whole` says that the old tree's root is known and not sent.
    """
    if size == old:
        one = whole if whole is not None else nodes.pop(0)
        return one, one
    half = 1
    while half * 2 < size:
        half *= 2
    last = nodes.pop()
    if old <= half:
        was, now = root_of(nodes, half, old, whole)
        return was, node(now, last)
    was, now = root_of(nodes, size - half, old - half, None)
    return node(last, was), node(last, now)


def consistency(pub_file, old_file, proof_file):
    public = open(pub_file).read().strip()
    old, old_root = open_note(open(old_file).read(), public)
    head, note = open(proof_file).read().split("\n\n", 1)
    kind, size, *nodes = head.split("\n")
    new, new_root = open_note(note, public)
    if kind != "mcp-secure audit consistency 1" or size != "old %d" % old or not 0 < old <= new:
        raise Wrong("another proof")
    nodes = [base64.b64decode(text, validate=True) for text in nodes]
    was, now = root_of(nodes, new, old, old_root)
    if nodes or was != old_root or now != new_root:
        raise Wrong("not what it was")
    return {"old": old, "new": new}


if __name__ == "__main__":
    try:
        asked = sys.argv[1:]
        if asked[0] == "consistency":
            print(json.dumps(consistency(*asked[1:])))
        else:
            print(json.dumps(verify(*asked)))
    except (Wrong, InvalidSignature, ValueError, KeyError, AttributeError, IndexError) as error:
        print(json.dumps({"wrong": repr(error)}))
        sys.exit(1)
