"""A page is read from Markdown; what does not fit the scenario beside it is told, and every experiment has one."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_bad_scenarios import GOOD

from lab.catalogue import Entry, page, read, read_all
from lab.errors import ScenarioError
from lab.model.page import Page, Question, Try
from lab.report.page import inline

CATALOGUE = read_all()[0]
TEXT = """\
# Breaker

## Idea

A caller
waits.

Then it `stops`.

## Predict

1. What is p90? Claim "fast".
   <details><summary>Worked out</summary>Half a
   second.</details>
2. How many, and how long? Claims "fast", "slow, or not".
3. When is it over? Metric `recovery_s`.

## Look at

- `Breaker`: one probe.

## Try

- `SETTING=2`: Which claim fails? <details><summary>Answer</summary>"fast".</details>
- `OTHER`: And now?

## Price

- It rejects.
- It waits.
"""


def test_every_part_is_read() -> None:
    """Paragraphs are one line each, items too; what is folded stands apart."""
    assert page.read(TEXT) == Page(
        idea=("A caller waits.", "Then it `stops`."),
        predict=(
            Question("What is p90?", ("fast",), "Half a second."),
            Question("How many, and how long?", ("fast", "slow, or not")),
            Question("When is it over?", ("recovery_s",)),
        ),
        look_at=("`Breaker`: one probe.",),
        tries=(Try("Which claim fails?", "SETTING=2", '"fast".'), Try("And now?", "OTHER")),
        price=("It rejects.", "It waits."),
    )


def test_a_page_may_be_empty() -> None:
    """Nothing is made up."""
    assert page.read("") == Page()


GOOD_PAGE = f"""# {GOOD.split('title="')[1].split('"')[0]}\n\n## Idea\n\nIt waits.\n"""
CLAIM = GOOD.split('Claim("')[1].split('"')[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD_PAGE.replace("# ", "# Another ", 1), 'it begins with "Another'),
        (GOOD_PAGE.replace("## Idea", "## Ideas"), 'it has a section "Ideas"; did you mean "Idea"?'),
        (GOOD_PAGE.replace("It waits.", ""), 'it has no text below "## Idea"'),
        (GOOD_PAGE + "\n## Predict\n\n- How long?\n", 'nothing answers "How long?"'),
        (
            GOOD_PAGE + f'\n## Predict\n\n- How long? Claim "{CLAIM}". <details><summary>Worked out</summary>A. B? '
            f'Claim "{CLAIM}". <details><summary>Worked out</summary>C.</details>\n',
            '"How long?" folds more than its one answer',
        ),
        (GOOD_PAGE + f'\n## Predict\n\n- How long? Claim "{CLAIM}!".\n', f'did you mean "{CLAIM}"?'),
        (GOOD_PAGE + "\n## Predict\n\n- How long? Metric `recovery`.\n", 'did you mean "recovery_s"?'),
        (GOOD_PAGE + "\n## Try\n\n- Think.\n", '"Think." turns nothing'),
    ],
)
def test_a_mistake_is_told_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    """One sentence, which names the page and not the scenario."""
    file = tmp_path / "good.py"
    file.write_text(GOOD)
    file.with_suffix(".md").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read(file)
    assert said in str(caught.value)
    assert all("good.md: " in problem for problem in caught.value.problems)


def test_a_page_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    file = tmp_path / "good.py"
    file.write_text(GOOD)
    file.with_suffix(".md").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match=r"good\.md: cannot be read as text"):
        read(file)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_every_experiment_has_a_whole_page(entry: Entry) -> None:
    """An idea, three questions with what paper says, what to look at, three things to try with answers, a price."""
    assert entry.page.idea
    assert len(entry.page.predict) >= 3
    assert all(question.worked_out for question in entry.page.predict)
    assert entry.page.look_at
    assert len(entry.page.tries) >= 3
    assert all(each.answer for each in entry.page.tries)
    assert entry.page.price


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_no_line_begins_with_what_is_folded(entry: Entry) -> None:
    """Such a line begins a block of HTML, in which GitHub shows code and links as they are typed."""
    lines = entry.file.with_suffix(".md").read_text("utf-8").splitlines()
    assert not [line for line in lines if line.lstrip().startswith("<details>")]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("`a < b` is *so*", "<code>a &lt; b</code> is <em>so</em>"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("[a](https://b.test) ![c](d.png) <https://e.test>", "[a](https://b.test) ![c](d.png) &lt;https://e.test&gt;"),
        ("18 * 3 * 2", "18 * 3 * 2"),
    ],
)
def test_a_text_of_a_record_makes_no_link_and_no_html(text: str, html: str) -> None:
    """Code and emphasis alone: a record may come from elsewhere."""
    assert inline(text) == html
