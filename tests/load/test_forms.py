import msgspec

from lab.load import forms
from lab.load.forms import Beat, LineReader, LineWriter, PreparedRequest, RequestReader, Row

ROWS = [Row(n, n / 10, n / 10, None if n % 2 else n / 5, "ok", 200, None, 'é\n"x"') for n in range(4)]
REQUESTS = [PreparedRequest(n, n / 10, "op", "GET", bytes(range(256)), False) for n in range(6)]


def test_rows_survive(tmp_path):
    """Rows come back as they were written, each given once, while the file grows."""
    reader = LineReader(tmp_path / "rows", Row)
    assert reader.more() == []
    writer = LineWriter(tmp_path / "rows")
    writer.write([])
    writer.write(ROWS[:3])
    assert reader.more() == ROWS[:3]
    writer.write(ROWS[3:])
    assert reader.more() == ROWS[3:]
    assert reader.more() == []


def test_torn_line_waits(tmp_path):
    """A line that was cut off in writing is not read until it is whole."""
    data = msgspec.json.Encoder().encode_lines([Beat(1.0, 2, 1, 0.5), Beat(2.0, 4, 3, 0.6)])
    file = tmp_path / "beats"
    reader = LineReader(file, Beat)
    file.write_bytes(data[:-9])
    assert [beat.at_s for beat in reader.more()] == [1.0]
    file.write_bytes(data)
    assert [beat.at_s for beat in reader.more()] == [2.0]


def test_torn_chunk_waits(tmp_path):
    """A chunk of requests that is not whole yet is not read until it is."""
    file = tmp_path / "requests"
    with file.open("ab") as out:
        forms.append_requests(out, REQUESTS[:4])
        forms.append_requests(out, REQUESTS[4:])
    data = file.read_bytes()
    file.write_bytes(data[:-5])
    reader = RequestReader(file)
    assert reader.more() == REQUESTS[:4]
    assert reader.more() == []
    with file.open("ab") as out:
        out.write(data[-5:])
    assert reader.more() == REQUESTS[4:]


def test_whole_or_not_at_all(tmp_path):
    """A small file appears whole, under its name only."""
    forms.write(tmp_path / forms.GO, forms.Go(12.5))
    assert forms.read(tmp_path / forms.GO, forms.Go).t0_s == 12.5
    assert [file.name for file in tmp_path.iterdir()] == [forms.GO]
