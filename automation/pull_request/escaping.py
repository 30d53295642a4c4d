"""Makes text from records, errors and the engine harmless in a comment on GitHub: it is shown, and does nothing else.

A record's author may be a stranger: no Markdown, HTML, mention, reference, link or image of theirs may come to work.
Rules: https://github.github.com/gfm/, and for mentions and references, which GitHub finds in what Markdown has become,
https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
"""

from __future__ import annotations

import re

from dataloop_sts.redaction import redact

LONGEST = 600
"""Characters that are shown of one text."""
_PLAIN = re.compile(r"[^`|\\]+")  # these could end code in backticks, or a cell of a table
_TELLING = re.compile(r"[:/*_\[\d]")
_MARKS = re.compile(r"[\\`*_\[\]|~#$&<>]")
_LIST = re.compile(r"[-+=]|\d+[.)]")
_BREAKS = re.compile(r"(?<=@)(?=\S)|(?<=#)(?=\d)|(?<=:)(?=//)|(?i:(?<=www)(?=\.)|(?<=gh)(?=-\d))")
_INVISIBLE = "\N{ZERO WIDTH SPACE}"
_AROUND = "()\"',;:.!?"
"""What stands around a word in a sentence, and is not its own."""


def code(text: str) -> str:
    """A name as code: in backticks, or where it has characters that could end that, as HTML."""
    shown = _shown(text)
    return f"`{shown}`" if _PLAIN.fullmatch(shown) else f"<code>{_escaped(shown)}</code>"


def prose(text: str) -> str:
    """A sentence on one line, in which actions, ARNs and the like are code."""
    shown = _shown(text)
    begins = _INVISIBLE if _LIST.match(shown) else ""  # it stands in a list itself
    return begins + " ".join(map(_word, shown.split(" ")))


def _word(word: str) -> str:
    inner = word.strip(_AROUND)
    if _PLAIN.fullmatch(inner) and _TELLING.search(inner) and not inner.isdigit():
        before, _, after = word.partition(inner)
        return f"{_escaped(before)}`{inner}`{_escaped(after)}"
    return _escaped(word)


def _shown(text: str) -> str:
    """On one line, without secrets; what has no shape of its own, such as a change of direction, as its code."""
    line = " ".join(redact(text).split())
    line = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in line)
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def _escaped(text: str) -> str:
    return _MARKS.sub(lambda found: f"&#{ord(found[0])};", _BREAKS.sub(_INVISIBLE, text))
