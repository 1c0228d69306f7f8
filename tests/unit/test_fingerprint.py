"""The fingerprint that shows where two sets of ids differ."""

from __future__ import annotations

import random

from dynadex.verify.fingerprint import Fingerprint, id_hash

IDS = [f"song-{number}" for number in range(5_000)]


def test_equal_sets_cancel_out_in_any_order() -> None:
    shuffled = random.Random(1).sample(IDS, len(IDS))
    fingerprint = Fingerprint()
    for added, removed in zip(IDS, shuffled, strict=True):
        fingerprint.remove(removed)
        fingerprint.add(added)
    assert fingerprint.balanced
    assert not any(map(fingerprint.suspects, IDS))


def test_every_id_of_only_one_set_is_suspected_and_few_others_are() -> None:
    fingerprint = Fingerprint()
    missing, orphans = set(IDS[:50]), [f"orphan-{number}" for number in range(50)]
    for identity in IDS:
        fingerprint.add(identity)
    for identity in [*(set(IDS) - missing), *orphans]:
        fingerprint.remove(identity)
    suspected = {identity for identity in [*IDS, *orphans] if fingerprint.suspects(identity)}
    assert missing | set(orphans) <= suspected
    assert len(suspected) <= 105
    assert not fingerprint.balanced


def test_fewer_buckets_suspect_more_ids_but_miss_none() -> None:
    fingerprint = Fingerprint(buckets=16)
    for identity in IDS:
        fingerprint.add(identity)
    for identity in IDS[1:]:
        fingerprint.remove(identity)
    assert fingerprint.suspects(IDS[0])
    assert 100 < sum(map(fingerprint.suspects, IDS)) < 1000


def test_copy_is_independent() -> None:
    fingerprint = Fingerprint(buckets=16)
    fingerprint.add("a")
    copy = fingerprint.copy()
    copy.remove("a")
    assert copy.balanced
    assert not fingerprint.balanced


def test_salt_changes_the_hash_and_every_text_has_one() -> None:
    assert id_hash("a") == id_hash("a") != id_hash("a", b"salt")
    assert 0 <= id_hash("\ud800") < 2**96
