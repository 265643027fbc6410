"""The door for uploads: what is too large, too slow, too many or not ours ends soon, with a clear answer."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateways import RunningGateway

pytestmark = pytest.mark.end_to_end
TIMEOUT_S = 3
IDLE_S = 1
PATIENCE_S = 120
BOUNDARY = "b0undary"
FORM = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n'.encode()
TYPE = f"content-type: multipart/form-data; boundary={BOUNDARY}"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def gateway(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with little patience that takes photos of 1 MiB."""
    folder = tmp_path_factory.mktemp("uploads")
    (folder / "arriving").mkdir()
    options: dict[str, Any] = {
        "upload_timeout_s": TIMEOUT_S,
        "upload_idle_s": IDLE_S,
        "max_upload_mb": 1,
        "max_form_files": 3,
        "max_form_fields": 20,
        "upload_dir": folder / "arriving",
        "cors_origins": "https://photos.example.com",
    }
    with RunningGateway(valkey_url, folder, **options) as running:
        yield running


@pytest.fixture
def connection(gateway: RunningGateway) -> Iterator[socket.socket]:
    """A bare connection to it."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as line:
        yield line


def head(*lines: str, path: str = "/detect_faces") -> bytes:
    """Return the head of a POST."""
    return "\r\n".join((f"POST {path} HTTP/1.1", "host: localhost", *lines, "", "")).encode()


def answer(line: socket.socket) -> tuple[int, bytes]:
    """Return status and everything of an answer, to the end of the connection or of the body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = line.recv(65_536)
        if not piece:
            break
        data += piece
    top, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(row.split(b":")[1]) for row in top.split(b"\r\n") if row.startswith(b"content-length")]
    while lengths and len(body) < lengths[0]:
        body += line.recv(65_536)
    return int(top.split(b" ")[1]), top + b"\r\n\r\n" + body


def test_a_body_that_stops_arriving_is_given_up(connection: socket.socket) -> None:
    """No byte for a while: 408, and the connection ends."""
    connection.sendall(head(TYPE, "content-length: 100000") + FORM)
    status, text = answer(connection)
    assert (status, b"upload_too_slow" in text) == (408, True)
    assert connection.recv(1) == b""


def test_a_body_that_trickles_is_given_up(connection: socket.socket) -> None:
    """A byte now and then does not help: there is an end in all."""
    connection.sendall(
        head(TYPE, "transfer-encoding: chunked") + f"{len(FORM):x}\r\n".encode() + FORM + b"\r\n"
    )
    began = last = time.monotonic()
    longest_pause = 0.0
    connection.settimeout(IDLE_S / 4)
    while last - began < PATIENCE_S:
        connection.sendall(b"1\r\nx\r\n")
        try:
            status, text = answer(connection)
        except TimeoutError:
            longest_pause = max(longest_pause, time.monotonic() - last)
            last = time.monotonic()
            continue
        break
    assert (status, b"upload_too_slow" in text) == (408, True)
    # Unless this very test was held up, no pause was long enough to be given up for.
    assert time.monotonic() - began > TIMEOUT_S - 1 or longest_pause > IDLE_S / 2


def test_a_body_without_a_length_ends_where_it_is_too_large(connection: socket.socket) -> None:
    """Chunked, it is read up to the limit and answered 413."""
    connection.sendall(head(TYPE, "transfer-encoding: chunked"))
    chunk = FORM + b"x" * MEGABYTE
    for _ in range(2):
        connection.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    assert answer(connection)[0] == 413


def test_a_chunked_photo_is_a_photo(gateway: RunningGateway, portrait: Path) -> None:
    """Uploads without a length are taken as any other."""

    def pieces() -> Iterator[bytes]:
        data = portrait.read_bytes()
        yield FORM
        for start in range(0, len(data), 10_000):
            yield data[start : start + 10_000]
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    name, _, value = TYPE.partition(": ")
    posted = httpx.post(f"{gateway.url}/detect_faces", content=pieces(), headers={name: value})
    assert posted.status_code == 200, posted.text


def test_what_is_declared_too_large_is_not_asked_for(connection: socket.socket) -> None:
    """With `Expect: 100-continue` the answer is 413 and no `100 Continue`; nothing has been sent."""
    connection.sendall(head(TYPE, f"content-length: {9 * MEGABYTE}", "expect: 100-continue"))
    status, text = answer(connection)
    assert (status, b"100 Continue" in text) == (413, False)


def test_without_a_key_nothing_is_asked_for(valkey_url: str, tmp_path: Path) -> None:
    """The key is looked at before the body: 401 and no `100 Continue`; with one, the body is asked for."""
    with RunningGateway(valkey_url, tmp_path, api_keys="on") as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as line:
            line.sendall(head(TYPE, f"content-length: {9 * MEGABYTE}", "expect: 100-continue"))
            assert answer(line)[0] == 401
        # Somebody who sends all the same gets the answer too, not a broken connection.
        refused = httpx.post(f"{gateway.url}/blur", files={"file": b"x" * 20 * MEGABYTE}, timeout=PATIENCE_S)
        assert refused.status_code == 401


def test_a_body_is_asked_for_where_it_is_wanted(connection: socket.socket) -> None:
    """`Expect: 100-continue` is answered 100 when nothing speaks against the request."""
    connection.sendall(head(TYPE, "content-length: 100", "expect: 100-continue"))
    assert answer(connection)[0] == 100


def test_a_head_without_end_is_refused(connection: socket.socket) -> None:
    """A header that goes on and on is answered 431 at 32 KiB."""
    connection.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-long: ")
    for _ in range(8):
        connection.sendall(b"x" * 4096)
        time.sleep(0.02)
    assert answer(connection)[0] == 431


@pytest.mark.parametrize(
    "lines",
    [
        [f"x-{number}: {'y' * 100}" for number in range(400)],
        ["a:b"] * 7000,
        [f"x:{' ' * 34_500}y"],
    ],
    ids=["many headers", "headers of nothing but signs", "a value behind spaces"],
)
def test_a_long_head_in_one_piece_is_refused(connection: socket.socket, lines: list[str]) -> None:
    """Also where it arrives at once, whatever it is made of."""
    connection.sendall(head(*lines))
    assert answer(connection)[0] == 431


@pytest.mark.parametrize(
    "lines",
    [["a:b"] * 8000, ["x:" + " " * 40_000 + "y"], ["x-a: " + "y" * 33_000]],
    ids=["many", "spaces", "long"],
)
@pytest.mark.parametrize("earlier", [0, 1])
def test_the_length_of_a_head_is_that_of_its_bytes(
    connection: socket.socket, lines: list[str], earlier: int
) -> None:
    """Colons, spaces and line ends count, in the first request of a connection and in every later one."""
    for _ in range(earlier):
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert answer(connection)[0] == 200
    connection.sendall(head(*lines, path="/livez").replace(b"POST", b"GET"))
    assert answer(connection)[0] == 431


def test_a_head_just_within_its_length_is_taken(connection: socket.socket) -> None:
    """Also beside a body that comes in the same piece."""
    lines = ["x-a: " + "y" * 31_000, "content-length: 100000"]
    connection.sendall(head(*lines, path="/livez") + b"z" * 100_000)
    assert answer(connection)[0] == 405
    connection.sendall(head(*lines[:1], path="/livez").replace(b"POST", b"GET"))
    assert answer(connection)[0] == 200


@pytest.mark.parametrize(("files", "fields"), [(4, 0), (1, 21)])
def test_forms_have_few_files_and_fields(gateway: RunningGateway, files: int, fields: int) -> None:
    """More than is allowed is a 400 with a code, whatever they hold."""
    parts = [("file", ("x", b"x")) for _ in range(files)]
    data = {f"name-{number}": "x" for number in range(fields)}
    posted = httpx.post(f"{gateway.url}/detect_faces", files=parts, data=data)
    assert (posted.status_code, posted.json()["error"]["code"]) == (400, "invalid_request")


def test_a_full_folder_of_uploads_is_a_503(valkey_url: str, tmp_path: Path, portrait: Path) -> None:
    """What cannot be spooled is the server's fault, not the caller's; nothing is left half-written."""
    folder = tmp_path / "arriving"
    with RunningGateway(valkey_url, tmp_path, upload_dir=folder) as gateway:
        folder.rmdir()
        big = portrait.read_bytes() + b"\0" * 2 * MEGABYTE
        posted = httpx.post(f"{gateway.url}/detect_faces", files={"file": big})
        assert (posted.status_code, posted.json()["error"]["code"]) == (503, "storage_unavailable")
        assert posted.headers["retry-after"]
        folder.mkdir()
        assert httpx.post(f"{gateway.url}/detect_faces", files={"file": big}).status_code == 200


def test_many_large_uploads_cost_little_memory(valkey_url: str, tmp_path: Path, portrait: Path) -> None:
    """20 x 25 MB at once add 50 MB to the gateway at most (figure of the operations table)."""
    big = portrait.read_bytes()
    big += b"\0" * (25_000_000 - len(big))
    with RunningGateway(valkey_url, tmp_path, upload_timeout_s=300) as gateway:
        assert httpx.post(f"{gateway.url}/detect_faces", files={"file": portrait.read_bytes()}).is_success
        before = gateway.rss_mb

        def post(_number: int) -> int:
            return httpx.post(f"{gateway.url}/detect_faces", files={"file": big}, timeout=200).status_code

        with ThreadPoolExecutor(20) as pool:
            states = pool.map(post, range(20))
            most = before
            deadline = time.monotonic() + 200
            while gateway.process.poll() is None and time.monotonic() < deadline:
                most = max(most, gateway.rss_mb)
                time.sleep(0.05)
                if len(list((tmp_path / "photos").glob("photos/*"))) >= 21:
                    break
        assert set(states) == {200}
        assert most - before <= 50, f"{most - before:.0f} MB more"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8000", 200),
        ("192.168.1.7", 200),
        ("attacker.example", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("[", 421),
    ],
)
def test_a_name_made_to_point_here_is_refused(gateway: RunningGateway, host: str, status: int) -> None:
    """DNS rebinding: a page may have its own name point here, but the browser still says the name."""
    assert httpx.get(f"{gateway.url}/openapi.json", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "headers", "passes"),
    [
        ("POST", "/blur", {"origin": "https://attacker.example", "content-type": "text/plain"}, False),
        ("POST", "/blur", {"origin": "null"}, False),
        ("POST", "/blur", {"origin": "http://localhost:1"}, False),
        ("DELETE", "/task_result/x", {"origin": "https://attacker.example"}, False),
        ("GET", "/task_result/x", {"origin": "https://attacker.example"}, False),
        ("GET", "/delete/x.jpg", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, False),
        ("GET", "/delete/x.jpg", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, False),
        ("GET", "/docs", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, True),
        ("GET", "/task_result/x", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, True),
        ("POST", "/blur", {"sec-fetch-site": "same-origin", "origin": "OWN"}, True),
        ("POST", "/blur", {"origin": "https://photos.example.com"}, True),
        ("POST", "/blur", {}, True),
    ],
)
def test_pages_of_others_are_refused(
    gateway: RunningGateway, method: str, path: str, headers: dict[str, str], *, passes: bool
) -> None:
    """What a foreign page makes the browser send is answered 403; the own page and programs pass."""
    given = {name: value.replace("OWN", gateway.url) for name, value in headers.items()}
    status = httpx.request(method, f"{gateway.url}{path}", headers=given).status_code
    assert (status != 403) is passes


def test_only_listed_origins_may_read_answers(gateway: RunningGateway) -> None:
    """A preflight is answered for them and no others; by default there is no CORS header at all."""
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}

    def preflight(origin: str) -> httpx.Response:
        return httpx.options(f"{gateway.url}/blur", headers={**asks, "origin": origin})

    allowed = preflight("https://photos.example.com")
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://photos.example.com"
    assert "access-control-allow-credentials" not in allowed.headers
    other = preflight("https://attacker.example")
    assert "access-control-allow-origin" not in other.headers


def test_there_is_no_cors_by_default(client: httpx.Client) -> None:
    """Whatever origin asks."""
    for origin in ("https://attacker.example", str(client.base_url)):
        for method in ("OPTIONS", "GET"):
            headers = client.request(method, "/task_result/x", headers={"origin": origin}).headers
            assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/livez", "/task_result/x", "/docs", "/bocashi", "/nothing", "/"])
def test_every_answer_keeps_browsers_careful(client: httpx.Client, path: str) -> None:
    """Also errors and the old dialects; HSTS is for those who ask for it."""
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store" or path == "/"
    assert "strict-transport-security" not in headers
