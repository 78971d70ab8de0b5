"""The prose of a card as blocks: what Markdown cards use, and nothing else."""

from __future__ import annotations

from interpret.report.card import Block, blocks_of


def test_headings_paragraphs_items_and_code():
    text = "## Use\n\nOne line\nand `code` here.\n\n- first\n- second\n  goes on\n\n"
    text += "```\nzoo list\n\n# no heading\n```\n\nEnd."
    assert blocks_of(text) == [
        Block("heading", (("Use", False),)),
        Block("paragraph", (("One line and ", False), ("code", True), (" here.", False))),
        Block("item", (("first", False),)),
        Block("item", (("second goes on", False),)),
        Block("code", (("zoo list\n\n# no heading", True),)),
        Block("paragraph", (("End.", False),)),
    ]


def test_a_list_right_below_a_paragraph_and_no_prose_at_all():
    assert [block.kind for block in blocks_of("Some:\n- a\n* b")] == ["paragraph", "item", "item"]
    assert blocks_of("") == [] and blocks_of("\n\n") == []


def test_a_link_is_its_words_and_its_address():
    (block,) = blocks_of("See [issue 64](https://a.example/64) and [this] (not one).")
    assert block.parts == (("See issue 64 (https://a.example/64) and [this] (not one).", False),)


def test_stars_around_words_are_left_out_and_others_stay():
    (block,) = blocks_of("Of *S. cerevisiae* and **not** of 2 * 3 * 4, `a*b*c`, a* and *b.")
    assert block.parts == (
        ("Of S. cerevisiae and not of 2 * 3 * 4, ", False), ("a*b*c", True), (", a* and *b.", False),
    )  # fmt: skip
