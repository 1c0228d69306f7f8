"""Phrases that stop a reader, and what to write instead. Extend the list when a reviewer stops at a phrase.

A pattern is a regular expression that ignores case and matches whole words only. A run of white space in a text counts
as one space. Each pattern has an example that it must find.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

_CONTEXT_CHARACTERS = 25


@dataclass(frozen=True)
class Phrase:
    """A pattern, what to write instead of it, and a text that contains it."""

    pattern: str
    instead: str
    example: str

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The compiled pattern, bounded by words."""
        return re.compile(rf"(?<![\w-])(?:{self.pattern})(?![\w-])", re.IGNORECASE)


# Phrases of a private dialect: unidiomatic in every text.
DIALECT: Final = (
    # Actors
    Phrase("(?:some|no|any|every)body", "name the actor: user, client, process", "Nobody uses the index."),
    Phrase("whoever|whomever", "name the actor", "Whoever starts the worker"),
    Phrase("strangers?", "untrusted client, anonymous user", "A stranger sends a request."),
    Phrase("(?:what|how|whether) one (?:can|may|must|would|has|wants|writes|pays)", "you", "what one writes"),
    Phrase("of (?:yours|theirs|ours|mine|hers)", "your own, their own", "a table of yours"),
    Phrase("of (?:its|their|your|our) own", "its own X, a separate X", "a process of its own"),
    Phrase("(?:by|for) (?:itself|themselves)", "automatically, independently", "It ends by itself."),
    # Reporting
    Phrase("tells?|told|telling", "report, return, log, state, distinguish", "It is told at the end."),
    Phrase("(?<!quickstart )(?<!document )says?|said|saying", "report, return, state, show", "It says it is equal."),
    Phrase("asks?|asked|asking", "query, call, request, prompt", "The service asks the cluster."),
    Phrase(r"answer(?:s|ed)? \d{3}", "return 503, respond with 503", "It answers 503."),
    Phrase("without a word", "sent no heartbeat, without a message", "It ended without a word."),
    Phrase("found out", "determined, detected", "what the gateway found out"),
    Phrase("look(?:s|ed|ing)? (?:at|again)", "read, compare, check", "The document is looked at."),
    Phrase("believes?|believed", "trust, use", "It believes the answer."),
    Phrase("likes to", "often", "OpenSearch likes to quote values."),
    Phrase("see that", "check that", "See that the worker runs."),
    Phrase("made[- ]up|makes up", "generated, generate", "The table is made up."),
    # State
    Phrase(
        "(?<!there )(?<!there must )(?:is|are|was|were|be) no "
        "(?!longer|more|less|later|greater|larger|better|worse)[a-z]+",
        "is not a (valid) X, does not have X", "It is no integer.",
    ),
    Phrase("away", "unavailable; deletes; immediately", "The cluster is away."),
    Phrase("gone", "deleted, does not exist", "The item is gone."),
    Phrase("as (?:it|they) (?:is|was|are|were|stands?)", "current, unchanged, literal", "the item as it is now"),
    Phrase("what there (?:is|was)|there is to", "the existing X, the X", "list what there is"),
    Phrase("what (?:is|was) there|what (?:comes|came)", "existing items; new changes", "load what is there"),
    Phrase("what (?:is|was) promised", "guarantees", "What is promised, exactly"),
    Phrase("why (?:it is|they are) so", "the reason for X", "It shows why it is so."),
    Phrase("(?:something|at least) as new", "newer or equal", "Something as new is there."),
    Phrase("stands? (?:there|at|behind|beside)", "is, contains", "It stands at the top."),
    Phrase("(?:is|are|be) had", "exists, is available", "Pages are had one by one."),
    Phrase("whatever", "regardless of, every", "whatever its size"),
    Phrase("in peace|left alone", "cleanly; not changed, not restarted", "It must be left alone."),
    Phrase("keeps? account", "track", "where it keeps account of it"),
    Phrase("good for", "valid for", "It is good for twelve hours."),
    Phrase("only truth|is the truth", "source of truth", "The table is the only truth."),
    # Actions
    Phrase("mends?|mended|mending", "fix", "Mend the mapping."),
    Phrase(r"(?:put|make|made|makes|puts)(?: \w+)? right", "repair, reconcile", "put it right"),
    Phrase("makes? good|made good", "restore, compensate", "which a refill makes good"),
    Phrase("(?:comes?|came) again", "is redelivered", "The record comes again."),
    Phrase("(?:go|goes|went|going) on", "continue", "The work goes on."),
    Phrase("(?:forget|forgets|forgot|forgotten|forgetting)", "drop; is not retained", "It is not forgotten."),
    Phrase("remember(?:s|ed|ing)?", "retain, store", "Deletes are remembered."),
    Phrase(r"lets? (?:\w+ ){1,3}be|let be", "leave unchanged; generate, allow", "Let a project be written"),
    Phrase("lets? (?:loose|in|go)", "start, allow, release", "It lets in no script."),
    Phrase("watch(?:es)? over", "monitor; alarms", "What watches over it"),
    Phrase("hand(?:s|ed)? (?:on|over)", "pass, forward, deliver", "It is handed on."),
    Phrase("giv(?:e|es|en|ing) up|gave up", "abandon, discard, stop", "The batch is given up."),
    Phrase("(?:is|are|be|was|were) held to", "is validated against", "It is held to the mappings."),
    Phrase("heeds?|heeded", "respect, follow", "Deletes do not heed it."),
    Phrase("until it sticks", "until it succeeds", "It repeats until it sticks."),
    Phrase("fall(?:s|en)? to", "fail over to", "It falls to another region."),
    Phrase("does without|do without", "does not need", "DELETE does without."),
    Phrase("done with", "completed", "The change is done with."),
    Phrase("change your mind", "change the mapping", "Change your mind"),
    Phrase("overwrites? what", "optimistic concurrency", "It overwrites what was there."),
    Phrase("what may pass|may pass", "transient error", "Waiting for what may pass"),
    Phrase("forgiv(?:e|es|en|ing)", "tolerate", "What is forgiven"),
    Phrase("would change it", "revisit if", "Would change it: a need."),
    Phrase("(?:can|could) be trusted", "how it is tested", "How it can be trusted"),
    Phrase("(?:become|became|becomes) of", "result of, how X maps to", "what became of it"),
    Phrase("comes? to (?:the same|what|it)", "has the same result", "Both come to the same."),
    Phrase("knows? nothing of", "is independent of", "They know nothing of each other."),
    Phrase("takes? for granted", "assume, require", "It takes for granted that it runs."),
    Phrase("in the way", "limit", "what stands in the way"),
    Phrase(r"bring(?:s|ing)? (?:\w+ ){0,3}back|brought back|comes? back", "restore, return", "It brings an item back."),
    Phrase(r"hand(?:s|ed)? \w+ over", "deliver, pass", "as Lambda hands it over"),
    Phrase("look(?:s|ed|ing)? for", "find, read, search for", "It looks for a file."),
    Phrase("(?:mapping|index|cluster|field|function|page) wants", "expects, requires", "The mapping wants text."),
    Phrase("writ(?:es?|ten) (?:it )?down", "record, store", "what is written down"),
    Phrase("left behind", "pending, remaining", "It has been left behind."),
    Phrase("as far as (?:it|they)", "operations that X uses", "The cluster, as far as it writes."),
    Phrase(
        "(?<!connection )refus(?:es?|ed|ing|als?)(?! connections?)", "reject, rejection",
        "The cluster refused the write.",
    ),
    Phrase("(?:(?:could|does|did|can) not|cannot) take", "accept", "The cluster could not take a write."),
    Phrase(
        "answer(?:ed|ing)"
        "|(?:not|may|both|backends?|regions?|program|index|cluster|server|service|gateway|opensearch|that) answers?",
        "respond, serve, return", "The index does not answer in time.",
    ),
    Phrase("(?:meets?|met) (?:an?|its|newer)", "is rejected by, finds", "The delete met a newer tombstone."),
    Phrase("(?:is|are|was|were) done", "is processed, is complete", "Every record before it is done."),
    Phrase("leads to|led to", "finds, requires, routes to", "No item led to the document."),
    Phrase("no right to", "may not, lacks permission to", "The function has no right to read it."),
    Phrase("(?:are|is|was|were) made from", "is created from, is computed from", "Handlers are made from it."),
    Phrase("mak(?:e|es|ing) an? client(?! wait)|client (?:\\w+ ){0,5}is made", "create", "Making a client takes long."),
    # Manner, degree and time
    Phrase("hardly ever", "rarely", "It hardly ever fails."),
    Phrase("besides?", "next to, alongside; in addition to", "beside the old index"),
    Phrase("of the day", "current, dated", "benchmarks of the day"),
    Phrase("so many", "the number", "no more than so many a second"),
    Phrase("all over", "all parts of", "items from all over the table"),
    Phrase("by the way it", "by, from", "by the way it looks"),
    Phrase("meanwhile", "in the meantime, during it", "A standby took over meanwhile."),
    Phrase("a moment ago", "recently, before", "It was current a moment ago."),
    Phrase("by now", "already", "The proxies are closed by now."),
    Phrase("for a no", "if the user declines", "It raises Abort for a no."),
    Phrase("in words", "as text", "It returns the age in words."),
    Phrase("of equal", "with equal", "Clients of equal settings are shared."),
    Phrase("at fault", "that fails, that causes it", "the record at fault"),
    Phrase("silence", "no heartbeat", "It counts as silence of the leader."),
    Phrase("worth", "counts, ranks; is justified by", "All words are worth the same."),
    Phrase("(?<!write )(?:wins|won)", "takes precedence, ranks higher", "The better match wins."),
    Phrase("that there (?:is|are)(?! (?:no|none|nothing|one|only))", "existing, valid", "commands that there are"),
    Phrase("for as long as it", "while", "A row is drawn once for as long as it stays."),
    Phrase("until it holds", "until the condition is true", "Wait until it holds."),
    Phrase("all the same", "nevertheless", "It is deleted all the same."),
    Phrase("anew", "again", "It begins anew."),
    Phrase("at once", "immediately; at the same time", "It ends at once."),
    Phrase("in one go", "in one call, together", "whole batches in one go"),
    Phrase("(?:for good)", "permanently", "It is deleted for good."),
    Phrase("(?:time and|again and) again", "repeatedly", "It is killed again and again."),
    Phrase("half-way", "before the end", "It is stopped half-way."),
    Phrase("merely|mere", "only", "It is merely late."),
    Phrase("perhaps", "may", "the title that was perhaps meant"),
    Phrase("(?<!, )but for|save where|save for", "except", "all but for two"),
    Phrase("nothing but|none but", "only", "It holds nothing but positions."),
    Phrase("(?<=[;,] )else|or else", "otherwise", "It is equal; else it is read."),
    Phrase("(?<=, )for (?:it|they|he|there|dynamodb|each of them)", "because", "twice, for it is late"),
    Phrase("however (?:large|small|many|much|late|long|old)", "regardless of", "however large the table is"),
    Phrase("(?:called|searched|marked|begins?|meant) so", "in this way", "It is called so."),
    Phrase("home-made", "custom", "a home-made indexer"),
    Phrase("only just", "recently, just", "It has only just started."),
    Phrase("(?:the|in the) (?:slow|fast|other) way", "path, method", "It is converted the slow way."),
    Phrase("wherever", "anywhere", "wherever the module does it"),
    Phrase("out of (?:its|their) sight", "hidden from", "It is out of its sight."),
    Phrase(
        "behaviours?|authoris(?:e|es|ed|ation)|synthesis(?:e|ed)|(?:optim|recogn|normal|summar)is(?:e|es|ed)|colours?",
        "US spelling", "the behaviour of the page",
    ),
    Phrase("time-outs?", "timeout", "the time-out of the function"),
    Phrase("rights", "permissions", "It has the rights."),
    # Numbers
    Phrase(
        "(?:an?|one) (?:half|third|quarter|fifth|tenth|twentieth|thirtieth|hundredth) of"
        "|(?:two|three|four) (?:thirds|quarters|fifths|tenths)",
        "numbers: 40 %", "two fifths of the time",
    ),
    Phrase("half as (?:long|much|many|large) again", "1.5 times", "It takes half as long again."),
    Phrase("half an? (?:million|thousand|minute|hour|second|day)", "numbers: 30 seconds", "half a minute"),
    Phrase("a (?:dozen|hundred|thousand|million|billion)", "numbers: 1 million", "a hundred thousand documents"),
    Phrase(r"some \d[\d,]*", "about 170", "some 170 writes"),
    Phrase("one in (?:ten|twenty|a hundred)", "numbers: 5 %", "one in twenty searches"),
)  # fmt: skip

# Other words for the standard terms of docs/glossary.md.
_REFILL: Final = Phrase(
    "(?:re-?fill)(?:s|ed|ing)?", "backfill (the command is `dynadex refill`)", "A refill loads the index."
)
TERMS: Final = (
    _REFILL,
    Phrase("park(?:s|ed|ing)?", "dead-letter, dead-lettered", "The key is parked."),
    Phrase("ghosts?", "orphan", "Ghosts are swept."),
    Phrase("zombies?", "late writer", "It outlives every zombie."),
    Phrase("stale (?:change|record)s?|changes? (?:is|are) stale|found stale", "superseded", "The change is stale."),
    Phrase("st(?:and|ands|anding|ood)[ -]by", "standby", "The worker stands by."),
    Phrase("slips?", "typing error", "a slip in a word"),
    Phrase("lateness|freshness", "lag", "the freshness of the index"),
    Phrase("(?:before|after|undoes|whether|until) the swap", "promote, promotion", "It compares both before the swap."),
)

PHRASES: Final = (*DIALECT, *TERMS)
# For the code, where a refill is the function behind `dynadex refill`.
PHRASES_IN_CODE: Final = tuple(phrase for phrase in PHRASES if phrase is not _REFILL)

# Ordinary English that resembles a phrase of the list.
ORDINARY: Final = (
    "dynadex keeps OpenSearch indexes in step with DynamoDB tables.",
    "There is no query syntax, and the old index is no longer used.",
    "The search found one document, and the wanted items are kept.",
    "The task recommends an amendment to the foretold total.",
    "A standby takes over; the standby worker is next to the leader.",
    "The index is stale. The superseded change is skipped.",
    "It stops at one of two shards, and the old one must be retired.",
    "The batch waits for 30 seconds, for example because the cluster is full.",
    "If it is equal, or something else is wrong, retry it.",
    "The pages of the table have been marked; the park-and-ride table has not.",
    "The parity bit and the sparking plug stay where they were stored.",
    "An understanding by readers; outstanding bytes.",
    "A third reader starts a quarter later; the placeholder stands for a name.",
    "The document is current, and its own version is greater than the other.",
    "If the item is new, there must be no document. There are no such indexes.",
    "It works as the quickstart says, not just for readers, but for writers.",
)

# Names for variables that hide the domain noun.
NAMES: Final = frozenset({"found", "wanted", "kept", "one", "told"})


def violations(text: str, phrases: Iterable[Phrase] = PHRASES) -> list[str]:
    """Every banned phrase in a text, with the words around it and what to write instead."""
    words = " ".join(text.split())
    return [
        f"...{words[max(match.start() - _CONTEXT_CHARACTERS, 0) : match.end() + _CONTEXT_CHARACTERS]}... "
        f"{match[0]!r}: write {phrase.instead}"
        for phrase in phrases
        for match in phrase.expression.finditer(words)
    ]
