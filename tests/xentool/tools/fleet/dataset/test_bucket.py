"""A dataset in S3, by a real server: an object is there when it is whole, and what was left unfinished is not kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import s3fs

from tests.xentool.cli.inprocess import ran
from tests.xentool.tools.fleet.dataset.s3 import server
from tests.xentool.tools.fleet.made import trace, written
from xentool.tools.fleet.dataset.bucket import PART, Bucket

PATH = "host=a/day=b/capture=c~1/2.parquet"
TO = "s3://tables/xen"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give the file system of a server with two buckets."""
    with server(tmp_path_factory.mktemp("s3")) as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        found = s3fs.S3FileSystem(use_listings_cache=False)
        for bucket in ("captures", "tables"):
            found.mkdir(bucket)
        yield found


def objects(s3: Any) -> list[str]:  # noqa: ANN401 - s3fs has no types
    found: list[str] = s3.find("tables")
    return found


def unfinished(s3: Any) -> list[str]:  # noqa: ANN401 - as above
    return [one["Key"] for one in s3.call_s3("list_multipart_uploads", Bucket="tables").get("Uploads", ())]


@pytest.fixture
def bucket(s3: Any) -> Bucket:  # noqa: ANN401 - as above
    for name in objects(s3):
        s3.rm_file(name)
    s3.clear_multipart_uploads("tables")
    return Bucket(TO, 600)


@pytest.mark.parametrize("size", [100, 2 * PART + 7])
def test_an_object_is_there_when_it_is_whole(size: int, bucket: Bucket, s3: Any) -> None:  # noqa: ANN401 - as above
    other = PATH.replace("2.parquet", "3.parquet")
    data = bytes(range(256)) * (size // 256 + 1)
    with bucket.held():
        with bucket.part() as (file, put):
            file.write(data)
            assert objects(s3) == []
            put(PATH, [])
        assert list(bucket.paths()) == [PATH]
        assert s3.cat_file(f"tables/xen/{PATH}") == data
        with bucket.part() as (file, put):
            file.write(data[1:])
            put(other, [PATH])
        assert list(bucket.paths()) == [other]
        assert s3.cat_file(f"tables/xen/{other}") == data[1:]
    assert unfinished(s3) == []


@pytest.mark.parametrize("fails", ["upload_part", "complete_multipart_upload"])
def test_what_fails_leaves_nothing(
    fails: str,
    bucket: Bucket,
    s3: Any,  # noqa: ANN401 - as above
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = bucket._call
    calls = []

    def breaks(method: str, **about: Any) -> Any:  # noqa: ANN401 - as above
        calls.append(method)
        if method == fails and calls.count(method) == (2 if fails == "upload_part" else 1):
            raise ConnectionError("the line is dead")
        return call(method, **about)

    monkeypatch.setattr(bucket, "_call", breaks)
    with bucket.part() as (file, put):
        file.write(bytes(2 * PART + 7))
        with pytest.raises(ConnectionError, match="the line is dead"):
            put(PATH, [])
    assert "abort_multipart_upload" in calls
    assert (objects(s3), unfinished(s3)) == ([], [])


def test_what_a_killed_run_left_is_swept_and_nobody_elses(bucket: Bucket, s3: Any) -> None:  # noqa: ANN401 - as above
    for key in (f"xen/{PATH}", "other/x"):
        about = {"Bucket": "tables", "Key": key}
        upload = s3.call_s3("create_multipart_upload", **about)["UploadId"]
        s3.call_s3("upload_part", **about, UploadId=upload, PartNumber=1, Body=bytes(PART))
    with bucket.held():
        assert unfinished(s3) == ["other/x"]
    assert objects(s3) == []


def test_from_s3_to_s3(bucket: Bucket, s3: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    for number in range(2):
        path = written(tmp_path / f"{number}.xentrace", trace(number), "xen1")
        for one in (path, path.with_name(f"{path.name}.meta.json")):
            s3.put_file(str(one), f"captures/a/{one.name}")
    done = ran("fleet", "convert", "s3://captures/a", "--to", TO, "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["totals"]["captures"], document["kept"], document["failed"]) == (2, 0, [])
    assert sorted(one["path"] for one in document["captures"]) == sorted(bucket.paths())
    for one in document["captures"]:
        assert one["path"].startswith("host=xen1/day=2026-11-01/capture=")
        with s3.open(f"tables/xen/{one['path']}") as file:
            assert pq.ParquetFile(file).metadata.num_rows == one["records"]
    s3.put_file(str(written(tmp_path / "1.xentrace", trace(5), "xen1")), "captures/a/1.xentrace")
    again = json.loads(ran("fleet", "convert", "s3://captures/a", "--to", TO, "--workers", "1", "--json").stdout)
    assert [Path(one["file"]).name for one in again["captures"]] == ["1.xentrace"]
    assert (again["kept"], len(objects(s3)), unfinished(s3)) == (1, 2, [])
