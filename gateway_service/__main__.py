"""``python -m gateway_service``: serve HTTP until a signal ends it."""

import argparse
import sys
import tempfile
from collections.abc import Sequence

import structlog
import uvicorn
from fastapi import FastAPI

from gateway_service.app import create_app, create_bocashi_app
from gateway_service.http.protocol import BoundedHttp
from obscura.access import is_reachable, requires_keys
from obscura.observability.logs import configure_logging, forbid_core_dumps
from obscura.settings.loading import settings_or_exit

KEEP_ALIVE_S = 30
GRACE_S = 20
log = structlog.get_logger(__name__)


def serve(app: FastAPI, host: str, port: int, trusted_proxies: str = "") -> None:
    """Serve ``app`` on ``host:port`` until SIGINT or SIGTERM."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=BoundedHttp,
        # Only trusted proxies may set the caller's address, which rate limits use.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m gateway_service", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--bocashi-only", action="store_true", help="serve the bocashi API only")
    chosen = parser.parse_args(arguments)
    settings = settings_or_exit()
    configure_logging(settings.log_level, settings.log_format)
    forbid_core_dumps()
    if settings.upload_dir is not None:
        settings.upload_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.tempdir = str(settings.upload_dir)
    if is_reachable(settings, chosen.host) and not requires_keys(settings, chosen.host):
        log.warning("api_keys_off", text="other machines can reach this gateway, and it asks for no API keys")
    create = create_bocashi_app if chosen.bocashi_only else create_app
    serve(create(settings, chosen.host), chosen.host, chosen.port, settings.trusted_proxies)
    return 0


if __name__ == "__main__":
    sys.exit(main())
