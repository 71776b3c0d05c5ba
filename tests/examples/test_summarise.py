"""The offline summariser: what it keeps, what it never does."""

import time

from examples.agent_tasks.sample import SAMPLE
from examples.agent_tasks.summarise import LONGEST, MOST, split_sentences, summarise
from hypothesis import given, strategies as st

TOPIC = (
    "Bees are in decline. The weather was fine on Monday. Farmers depend on bees, because bees carry pollen. "
    "A red car passed by. Somebody sang. Without pollen that bees carry, many crops fail. Lunch was at noon. "
    "The museum has a new roof."
)


def test_a_summary_is_shorter_than_its_text():
    """A quarter of the sentences is kept."""
    assert len(SAMPLE) / 2 > len(summarise(SAMPLE))


def test_the_sentences_about_the_frequent_words_are_chosen():
    """What the text is about is kept; what it mentions in passing is not."""
    summary = summarise(TOPIC)

    assert "Bees are in decline. Farmers depend on bees, because bees carry pollen." == summary


def test_sentences_come_word_for_word_and_in_their_order():
    """Nothing is reworded or moved."""
    kept = split_sentences(summarise(SAMPLE))
    places = [" ".join(SAMPLE.split()).index(sentence) for sentence in kept]

    assert sorted(places) == places
    assert 1 < len(places) <= MOST


def test_a_short_text_is_its_own_summary():
    """One or two sentences say no less than a summary would."""
    assert "The bridge is closed. Use the ferry." == summarise("  The bridge is closed.\nUse the ferry.  ")


def test_a_sentence_that_says_the_same_again_is_passed_over():
    """Repetition does not fill the summary."""
    echo = "The harbour must be dredged again this year. "
    rest = "Dredging costs money. Ships wait outside. Nobody likes mud. The tide is patient. Gulls do not care. "

    assert 1 == summarise(echo * 4 + rest).count("must be dredged")


def test_nothing_to_read_gives_nothing():
    """Spaces and dots are no sentences."""
    assert "" == summarise(" \n\n ... !!! \n")


def test_a_sentence_without_end_is_clipped():
    """A list without full stops does not come back whole."""
    summary = summarise("word " * 4000)

    assert len(summary) <= LONGEST + 2
    assert summary.endswith("word …")


def test_items_of_a_list_are_sentences_of_their_own():
    """A list without full stops falls into its items."""
    text = "Agenda of the board:\n- the roof of the museum\n- the bees on the roof of the museum\n- lunch"

    assert "- the bees on the roof of the museum" == summarise(text)


def test_abbreviations_and_initials_end_no_sentence():
    """Dr. and J. are parts of a sentence."""
    text = "Dr. J. Smith met Prof. Jones at 3.15 p.m. in Room 4. They spoke, i.e. shouted. Was it No? No. Then why?"
    expected = [
        "Dr. J. Smith met Prof. Jones at 3.15 p.m. in Room 4.",
        "They spoke, i.e. shouted.",
        "Was it No?",
        "No.",
        "Then why?",
    ]

    assert expected == split_sentences(text)


def test_quotes_and_brackets_stay_with_their_sentence():
    """The mark that closes a quotation belongs to it."""
    assert ['"Stop!"', "(He did.)", "So?"] == split_sentences('"Stop!" (He did.) So?')


def test_languages_without_spaces_are_split():
    """Full-width stops end sentences."""
    assert ["今日は雨です。", "傘を持ってください！"] == split_sentences("今日は雨です。傘を持ってください！")  # noqa: RUF001


def test_hostile_texts_take_no_time():
    """Rows of dots, abbreviations and newlines at the size limit are read in linear time."""
    hostile = [
        ". " * 10_000,
        "." * 20_000,
        "Dr. " * 5_000,
        "\n" * 20_000,
        "\n \n- " * 4_000,
        "a.'" * 6_000,
        '."' * 9_000,
    ]
    start = time.perf_counter()
    for text in hostile:
        summarise(text)

    assert time.perf_counter() - start < 2.0


@given(st.text(max_size=400) | st.lists(st.sampled_from([*TOPIC.split(), ".", "\n\n", "- ", "Dr."])).map(" ".join))
def test_any_text_has_a_summary_of_its_own_words(text: str):
    """Whatever the text: no error, the same answer twice, no word that the text does not have."""
    summary = summarise(text)

    assert summary == summarise(text)
    assert all(piece in text for piece in summary.replace("…", " ").split())
