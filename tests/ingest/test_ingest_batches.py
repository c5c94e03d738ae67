"""Batches from files: what is accepted, what is rejected and why, and what fails as a whole."""

import gzip
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from engine.catalog.records import BatchStatus
from engine.definitions.model import DatasetDefinition, Definitions
from engine.errors import InputError, UnknownNameError
from engine.ingest.batch import ingest, sort_fields
from engine.ingest.diagnostics import NOT_CONVERTIBLE, REQUIRED_MISSING, UNKNOWN_FIELD, UNPARSABLE
from engine.ingest.report import BatchFailedError

WEB = DatasetDefinition.model_validate(
    {
        "timestamp": "ts",
        "event_id": "id",
        "fields": {
            "id": {"type": "string", "required": True},
            "ts": "timestamp",
            "count": "integer",
            "web": {"type": "object", "fields": {"page": "string"}},
            "items": {
                "type": "array",
                "fields": {"sku": {"type": "string", "required": True}, "price": "double"},
            },
        },
    }
)
FLAT = DatasetDefinition.model_validate(
    {
        "timestamp": "ts",
        "event_id": "id",
        "fields": {
            "id": {"type": "string", "required": True},
            "ts": "timestamp",
            "count": "integer",
            "web": {"type": "object", "fields": {"page": "string"}},
        },
    }
)


@pytest.fixture
def home(open_home):
    home = open_home(WEB)
    yield home
    home.close()


def good(number: int) -> str:
    return json.dumps({"id": f"e{number}", "ts": "2024-01-01T00:00:00Z", "count": number})


def lines(path, *records: str):
    path.write_text("".join(f"{record}\n" for record in records))
    return path


def five_errors(path):
    """519 records: two cannot be parsed, three miss a required field."""
    records = [good(number) for number in range(514)]
    records.insert(10, '{missingQuotes: "v1"}')
    records.insert(300, '{"id": "x"')
    for place in (20, 30, 518):
        records.insert(place, '{"ts": "2024-01-01T00:00:00Z"}')
    return lines(path, *records)


def test_ex_ing_1_a_batch_within_its_limit_is_written_without_its_bad_records(home, load, stored, tmp_path):
    report = load(home, five_errors(tmp_path / "a1.json"), reject_limit_percent=5)
    assert (report.status, report.input, report.output, report.failed) == ("success", 519, 514, 5)
    errors = [(error.code, error.records) for error in home.catalog.batch(report.batch_id).errors]
    assert errors == [("INGEST-1212-400", 5), ("INGEST-1555-400", 3), ("INGEST-1401-400", 2)]
    assert len(stored(home)) == 514


def test_ex_ing_2_the_same_data_with_limit_0_is_not_written_at_all(home, load, stored, tmp_path):
    with pytest.raises(BatchFailedError) as caught:
        load(home, five_errors(tmp_path / "a1.json"))
    report = caught.value.report
    assert (report.status, report.output, report.failed) == ("failed", 0, 5)
    kept = home.catalog.batch(report.batch_id)
    assert [error.code for error in kept.errors] == [
        "INGEST-1212-400", "INGEST-1555-400", "INGEST-1401-400",
    ]  # fmt: skip
    assert (kept.status, kept.version, kept.input_records) == (BatchStatus.FAILED, None, 519)
    rejects = home.catalog.rejects(report.batch_id)
    assert sorted((reject.line, reject.code) for reject in rejects) == [
        (11, UNPARSABLE),
        (21, REQUIRED_MISSING),
        (31, REQUIRED_MISSING),
        (303, UNPARSABLE),
        (519, REQUIRED_MISSING),
    ]
    assert stored(home) == []
    assert not list(home.dataset_path("web").glob("*.parquet"))
    assert "5 of 519 records were rejected, mostly: id: required" in str(caught.value)


def test_the_limit_is_inclusive(home, load, tmp_path):
    half = lines(tmp_path / "half.jsonl", good(1), "broken")
    assert load(home, half, reject_limit_percent=50).failed == 1
    with pytest.raises(BatchFailedError):
        load(home, half, reject_limit_percent=49.9)


@pytest.mark.parametrize(
    ("record", "code", "reason"),
    [
        ('{"id": "x", "count": "many"}', NOT_CONVERTIBLE, "count: not a valid integer"),
        ('{"id": "x", "count": 3000000000}', NOT_CONVERTIBLE, "count: not a valid integer"),
        ('{"id": "x", "count": true}', NOT_CONVERTIBLE, "count: not a valid integer"),
        ('{"id": "x", "count": {"n": 1}}', NOT_CONVERTIBLE, "count: not a valid integer"),
        ('{"id": "x", "web": "page"}', NOT_CONVERTIBLE, "web: not a valid object"),
        ('{"id": "x", "items": {"sku": "s"}}', NOT_CONVERTIBLE, "items: not a valid array"),
        ('{"id": "x", "items": ["s"]}', NOT_CONVERTIBLE, "items: not a valid object"),
        (
            '{"id": "x", "items": [{"sku": "s", "price": "dear"}]}',
            NOT_CONVERTIBLE,
            "items.price: not a valid double",
        ),
        (
            '{"id": "x", "items": [{"sku": "s"}, {"price": 1}]}',
            REQUIRED_MISSING,
            "items.sku: required, but without a value",
        ),
        ('{"id": ""}', REQUIRED_MISSING, "id: required, but without a value"),
        ('{"id": "x", "ts": "soon"}', NOT_CONVERTIBLE, "ts: not a valid timestamp"),
        (
            '{"id": "x", "cuont": 1}',
            UNKNOWN_FIELD,
            'cuont: not in the schema. Did you mean "count"?',
        ),
        (
            '{"id": "x", "web": {"pag": "/"}}',
            UNKNOWN_FIELD,
            'web.pag: not in the schema. Did you mean "page"?',
        ),
        ("{'id': 'x'}", UNPARSABLE, "not valid JSON"),
        ('{"id": "x", "id": "y"}', UNPARSABLE, "not valid JSON"),
        ('{"id": "x", "count": NaN}', NOT_CONVERTIBLE, "count: not a valid integer"),
        ('{"id": Infinity}', NOT_CONVERTIBLE, "id: not a valid string"),
        ('{"id": "x"} {"id": "y"}', UNPARSABLE, "not valid JSON"),
        ('["x"]', UNPARSABLE, "not a JSON object"),
        ("[" * 100_000, UNPARSABLE, "not valid JSON"),
    ],
)
def test_a_bad_json_record_is_told_by_line_code_and_column(home, load, tmp_path, record, code, reason):
    path = lines(tmp_path / "a.jsonl", good(1), record, "", good(2))
    report = load(home, path, reject_limit_percent=50)
    (reject,) = home.catalog.rejects(report.batch_id)
    assert (reject.code, reject.reason) == (code, reason)
    assert (reject.file, reject.line, reject.record) == (str(path), 2, record[:500])
    assert (report.input, report.output) == (3, 2)


def test_bytes_that_are_no_text_reject_their_record(home, load, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(f"{good(1)}\n".encode() + b'{"id": "\xff"}')
    report = load(home, path, reject_limit_percent=50)
    assert list(report.reasons) == [(UNPARSABLE, "not valid UTF-8")]
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,ts\na,2024-01-01\n\xff,2024-01-01\n")
    report = load(home, path, reject_limit_percent=50)
    assert list(report.reasons) == [(UNPARSABLE, "not valid UTF-8")]
    assert report.rejects[0].line == 2


def test_unknown_json_keys_can_be_left_out(read_file, tmp_path):
    path = lines(tmp_path / "a.jsonl", '{"id": "a", "more": {"x": 1}}', '{"id": 5, "more": 1}')
    rows, diagnostics = read_file(path, WEB, ignore_unknown=True)
    assert [row["id"] for row in rows] == ["a", "5"]
    assert not diagnostics.failed


@pytest.mark.parametrize("first", ['"2024-01-01T00:00:00Z"', "1704067200000", "null"])
def test_json_timestamps_may_be_text_or_numbers(read_file, tmp_path, first):
    records = [f'{{"id": {identity}, "ts": {ts}}}' for identity in ('"a"', "7") for ts in
               (first, '"2024-01-01"', "1704067200000")]  # fmt: skip
    rows, diagnostics = read_file(lines(tmp_path / "a.jsonl", *records), WEB)
    assert not diagnostics.failed
    moments = {str(row["ts"]) for row in rows}
    assert moments - {"None"} == {"2024-01-01 00:00:00+00:00"}
    assert [row["id"] for row in rows] == ["a"] * 3 + ["7"] * 3


def test_a_json_array_is_as_good_as_lines(read_file, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(f"\n [{good(1)},\n{good(2)}]\n")
    assert [row["count"] for row in read_file(path, WEB)[0]] == [1, 2]
    path.write_text("[1, ")
    with pytest.raises(InputError, match="not a valid JSON array"):
        read_file(path, WEB)


CSV = 'id,ts,web.page\na,2024-01-01,"/x,\n""y"""\n\nb,1704067200000,\nc,2024-01-01\nd,x,/z,more\n'


def test_csv_rows_that_are_broken_are_numbered_as_records(read_file, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    rows, diagnostics = read_file(path, WEB)
    assert [(row["id"], row["web"]) for row in rows] == [
        ("a", {"page": '/x,\n"y"'}),
        ("b", None),
    ]
    assert [(r.line, r.reason, r.record) for r in diagnostics.rejects] == [
        (3, "2 columns instead of 3", "c,2024-01-01"),
        (4, "4 columns instead of 3", "d,x,/z,more"),
    ]


def test_csv_values_that_do_not_fit_name_their_line_and_column(read_file, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,ts,count\na,2024-01-01,1\nb\nc,2024-01-01,"1,5"\n,2024-01-01,x\n')
    _, diagnostics = read_file(path, WEB)
    assert [(r.line, r.code, r.reason, r.record) for r in diagnostics.rejects] == [
        (2, UNPARSABLE, "1 columns instead of 3", "b"),
        (3, NOT_CONVERTIBLE, "count: not a valid integer", 'c,2024-01-01,"1,5"'),
        (4, NOT_CONVERTIBLE, "count: not a valid integer", ",2024-01-01,x"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.tsv", "id\tts\tweb.page\na\t2024-01-01\t/x\n", {}),
        ("a.csv", "\ufeffid,ts,web.page\r\na,2024-01-01,/x\r\n", {}),
        ("a.csv", "id;ts;web.page\na;2024-01-01;'/x'", {"delimiter": ";", "quote": "'"}),
        ("a.csv", "a,2024-01-01,/x\n", {"header": ["id", "ts", "web.page"]}),
        ("a.csv", "id, ts ,web.page,count\na,2024-01-01,/x,null\n", {"null_marker": "null"}),
        ("a.csv", "id,ts,web.page,n\na,2024-01-01,/x,1\n", {"ignore_unknown": True}),
        ("a.jsonl", '{"id":"a","ts":"2024-01-01","web":{"page":"/x"}}\r\n', {}),
    ],
)
def test_format_options(read_file, tmp_path, name, text, options):
    path = tmp_path / name
    path.write_text(text, newline="")
    rows, diagnostics = read_file(path, FLAT, **options)
    assert not diagnostics.failed
    assert [(row["id"], str(row["ts"])[:10], row["web"]) for row in rows] == [
        ("a", "2024-01-01", {"page": "/x"})
    ]


def test_latin_1_files(read_file, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,ts\nfür,2024-01-01\n".encode("latin-1"))
    rows, _ = read_file(path, FLAT, encoding="iso-8859-1")
    assert rows[0]["id"] == "für"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("id,ts,cuont\na,2024-01-01,1\n", 'column "cuont" is not in the schema', '"count"'),
        ("idd,ts\na,2024-01-01\n", 'column "idd" is not in the schema', "--ignore-unknown"),
        ("ts\n2024-01-01\n", 'there is no column for "id"', "ts"),
        ("id,count\na,1\n", 'there is no column for "ts"', ""),
        ("id,ts,ts\na,2024-01-01,x\n", 'column "ts" appears 2 times', ""),
        ("id,,ts\na,,2024-01-01\n", "column 2 has no header", ""),
        ("id,ts,items\na,2024-01-01,x\n", 'column "items" is an array', "JSON lines"),
        ("id,ts, ts\na,2024-01-01,x\n", '2 columns stand for the field "ts"', ""),
    ],
)
def test_a_header_that_does_not_fit_fails_the_batch(home, load, tmp_path, text, message, hint):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load(home, path, reject_limit_percent=100)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")
    (batch,) = home.catalog.batches("web")
    assert batch.status is BatchStatus.FAILED
    assert message in batch.errors[0].description


def test_parquet_columns_may_be_nested_or_dotted_and_must_fit(home, load, stored, tmp_path):
    path = tmp_path / "a.parquet"
    nested = {"id": ["a"], "ts": ["2024-01-01"], "web": [{"page": "/n"}], "count": [None]}
    parquet.write_table(pa.table(nested), path)
    load(home, path)
    parquet.write_table(pa.table({"id": ["b"], "ts": [0], "web.page": ["/d"]}), path)
    load(home, path)
    assert [row["web"] for row in stored(home)] == [{"page": "/n"}, {"page": "/d"}]
    for wrong, message in [
        ({"id": ["a"], "ts": [0], "web": [{"pag": "/"}]}, 'column "web.pag" is not in the schema'),
        ({"id": ["a"], "ts": [0], "web": ["/"]}, 'column "web" is not in the schema'),
        ({"id": ["a"], "web.page": ["/"]}, 'there is no column for "ts"'),
        ({"id": ["a"], "ts": [0], "web": [{"page": ""}], "web.page": [""]}, "2 columns stand for"),
    ]:
        parquet.write_table(pa.table(wrong), path)
        with pytest.raises(InputError) as caught:
            load(home, path)
        assert message in str(caught.value)


def test_rejected_parquet_rows_are_shown_as_json(read_file, tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"id": ["a", "b"], "ts": [0, 0], "count": [1.0, 1.5]}), path)
    _, diagnostics = read_file(path, WEB)
    (reject,) = diagnostics.rejects
    assert (reject.line, json.loads(reject.record)) == (2, {"id": "b", "ts": 0, "count": 1.5})


def test_files_of_one_batch_are_read_in_order_and_progress_is_told(home, load, stored, tmp_path):
    first = lines(tmp_path / "1.jsonl", good(1), good(2))
    second = tmp_path / "2.csv.gz"
    second.write_bytes(gzip.compress(b"id,ts,count\nz,2024-01-01,3\n"))
    told = []
    report = load(home, first, second, progress=lambda *numbers: told.append(numbers))
    assert [row["count"] for row in stored(home)] == [1, 2, 3]
    assert [row["_row"] for row in stored(home)] == [(report.number << 32) + n for n in range(3)]
    total = first.stat().st_size + second.stat().st_size
    assert told[-1] == (total, total, 3)
    assert report.record.files == (str(first), str(second))


def test_blocks_and_pieces_of_files_join_without_a_seam(read_file, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.ingest.json_reader._BLOCK_BYTES", 300)
    monkeypatch.setattr("engine.ingest.csv_reader._BLOCK_BYTES", 300)
    monkeypatch.setattr("engine.ingest.json_reader._FEW", 2)
    records = [good(number) if number % 7 else "bad" for number in range(200)]
    rows, diagnostics = read_file(lines(tmp_path / "a.jsonl", *records), WEB)
    assert [row["count"] for row in rows] == [number for number in range(200) if number % 7]
    assert [reject.line for reject in diagnostics.rejects] == list(range(1, 201, 7))
    cells = [f"e{n},2024-01-01,{n}" if n % 7 else "bad" for n in range(200)]
    rows, diagnostics = read_file(lines(tmp_path / "a.csv", "id,ts,count", *cells), WEB)
    assert [row["count"] for row in rows] == [number for number in range(200) if number % 7]
    assert [reject.line for reject in diagnostics.rejects] == list(range(1, 201, 7))


def test_only_the_first_rejects_are_kept_but_all_are_counted(home, load, tmp_path):
    cells = [f"e{number},soon" for number in range(1500)]
    path = lines(tmp_path / "a.csv", "id,ts", *cells)
    report = load(home, path, reject_limit_percent=100)
    assert report.reasons == {(NOT_CONVERTIBLE, "ts: not a valid timestamp"): 1500}
    assert [reject.line for reject in home.catalog.rejects(report.batch_id)] == list(range(1, 1001))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "there is no file"),
        ("empty.jsonl", b"", "INGEST-106-400"),
        ("a.xlsx", b"x", "does not tell the format"),
        ("a.parquet", b"not parquet", "cannot be read"),
        ("a.csv.gz", b"not gzip", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read(home, load, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(home, tmp_path / name)


def test_an_unknown_dataset_is_named_with_a_suggestion(home, tmp_path):
    with home.lease() as lease, pytest.raises(UnknownNameError) as caught:
        ingest(lease, "wep", [tmp_path])
    assert caught.value.hint == 'Did you mean "web"?'


def test_files_are_sorted_by_device_else_person_else_identity_then_time():
    fields = {"ts": "timestamp", "p": "string", "d": {"type": "string", "identity": "ecid"}}
    document = {"datasets": {"web": {"timestamp": "ts", "fields": fields}}}
    stitching = {"persistent_id": "d", "person_id": "p"}

    def sorted_by(part):
        connections = {"c": {"datasets": {"web": part}}} if part else {}
        both = Definitions.model_validate(document | {"connections": connections})
        return sort_fields(both, "web")

    assert sorted_by({"person_id": "p"}) == ("p", "ts")
    assert sorted_by({"stitching": stitching}) == ("d", "ts")
    assert sorted_by(None) == ("d", "ts")
