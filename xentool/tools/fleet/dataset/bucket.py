"""A dataset in S3. An object is there when all of it is: S3 shows nothing of an upload in parts until it is completed.

Calls are made one by one, since a file of s3fs stores what it has when it is closed, or forgotten, in the middle.
Ref: Amazon S3 API reference, PutObject, CreateMultipartUpload, CompleteMultipartUpload, ListMultipartUploads
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from xentool.errors import XentoolError
from xentool.tools.fleet.dataset.names import SUFFIX
from xentool.tools.fleet.patient import file_system, within

#: Bytes of a part: S3 takes no fewer than 5 MiB, and no more than 10,000 parts.
PART = 8 << 20
_PARTS_MAX = 10_000


class Bucket:
    """See ``store.Store``.

    :param limit_s: for which it may send nothing
    :raises XentoolError: a library is missing, or the URL names no bucket
    """

    def __init__(self, url: str, limit_s: float) -> None:
        self._url, self._limit = url.rstrip("/"), limit_s
        self._fs, path = within(url, lambda: file_system(self._url), limit_s)
        self._bucket, _, self._prefix = path.partition("/")
        if not self._bucket or not self._prefix:
            raise XentoolError(f"{url}: give a bucket and a name in it, s3://BUCKET/NAME")

    @contextmanager
    def held(self) -> Iterator[None]:
        """See ``store.Store``. Nobody can be kept away: whose upload another run ends is told so, and tries again."""
        self._sweep()
        try:
            yield
        finally:
            with suppress(Exception):
                self._sweep()

    def _sweep(self) -> None:
        # Uploads of runs that were killed, which would be kept, and paid for, without end.
        more: dict[str, str] = {}
        while True:
            found = self._call("list_multipart_uploads", Prefix=f"{self._prefix}/", **more)
            for one in found.get("Uploads", ()):
                self._abort(one["Key"], one["UploadId"])
            if not found.get("IsTruncated"):
                return
            more = {"KeyMarker": found["NextKeyMarker"], "UploadIdMarker": found["NextUploadIdMarker"]}

    def holds(self, url: str) -> bool:
        """See ``store.Store``."""
        return url.startswith(f"{self._url}/")

    def paths(self) -> Iterator[str]:
        """See ``store.Store``."""
        root = f"{self._bucket}/{self._prefix}/"
        names = within(self._url, lambda: cast(list[str], self._fs.find(root)), self._limit)
        return (name.removeprefix(root) for name in names if name.endswith(SUFFIX))

    @contextmanager
    def part(self) -> Iterator[tuple[BinaryIO, Callable[[str, Sequence[str]], None]]]:
        """See ``store.Store``."""
        with tempfile.TemporaryFile() as file:

            def put(path: str, instead: Sequence[str]) -> None:
                key = f"{self._prefix}/{path}"
                complete = self._uploaded(key, cast(BinaryIO, file))
                # For a moment it is not there; both at once would be counted twice.
                for one in instead:
                    self.remove(one)
                complete()

            yield cast(BinaryIO, file), put

    def remove(self, path: str) -> None:
        """See ``store.Store``."""
        self._call("delete_object", Key=f"{self._prefix}/{path}")

    def _uploaded(self, key: str, file: BinaryIO) -> Callable[[], None]:
        # What is left to do then is one call.
        size = file.seek(0, 2)
        file.seek(0)
        if size <= PART:
            data = file.read()
            return lambda: self._call("put_object", Key=key, Body=data)
        upload = self._call("create_multipart_upload", Key=key)["UploadId"]
        piece = max(PART, -(-size // _PARTS_MAX))
        parts: list[dict[str, Any]] = []

        def complete() -> None:
            told = {"Key": key, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
            with self._aborting(key, upload):
                self._call("complete_multipart_upload", **told)

        with self._aborting(key, upload):
            while data := file.read(piece):
                number = len(parts) + 1
                made = self._call("upload_part", Key=key, UploadId=upload, PartNumber=number, Body=data)
                parts.append({"PartNumber": number, "ETag": made["ETag"]})
        return complete

    @contextmanager
    def _aborting(self, key: str, upload: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(Exception):
                self._abort(key, upload)
            raise

    def _abort(self, key: str, upload: str) -> None:
        # Somebody else may have done so.
        with suppress(FileNotFoundError):
            self._call("abort_multipart_upload", Key=key, UploadId=upload)

    def _call(self, method: str, **about: Any) -> Any:  # noqa: ANN401 - as botocore has them
        call = lambda: self._fs.call_s3(method, Bucket=self._bucket, **about)  # noqa: E731 - it is what is waited for
        return within(self._url, call, self._limit)
