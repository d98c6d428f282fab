"""Text out of files and names of files, made fit to be shown in a sentence."""

from __future__ import annotations

LONGEST_WORD = 400
"""Letters of one word that are shown; paths are shorter."""
LONGEST_SENTENCE = 4000
"""Letters of one sentence that are shown."""


def cut(text: str, most: int) -> str:
    """Leave the middle of a text out if it is longer than it may be, and say how much that is.

    Parameters
    ----------
    text : str
    most : int
        Letters that are kept.
    """
    if len(text) <= most:
        return text
    head = most * 2 // 3
    tail = most - head
    return f"{text[:head]}...({len(text) - most:,} more)...{text[len(text) - tail :]}"


def visible(text: str) -> str:
    """Write out what a terminal acts on or cannot show: control characters, marks of direction and the like.

    Line breaks and tabulators are left.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1] for letter in text
    )


def one_line(text: str) -> str:
    """Sentence on one line: without control characters, and with what is too long cut.

    Parameters
    ----------
    text : str
    """
    words = (cut(word, LONGEST_WORD) for word in cut(text, 4 * LONGEST_SENTENCE).split())
    return cut(visible(" ".join(words)), LONGEST_SENTENCE)
