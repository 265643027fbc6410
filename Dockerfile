# Every image of the project: docker build --target face_detection_service .
#
# A target per service, named as its package; docker-compose.yml names them all. The last target, `obscura`, is the
# whole system in one container. What images have in common is the
# same layer in each of them and is stored once: the system, the packages of every worker, the library. Plain
# docker builds it: no BuildKit is needed, and where it is there only the stages of the target are built.
ARG PYTHON_VERSION=3.11

# --- packages -------------------------------------------------------------------------------------
FROM python:${PYTHON_VERSION}-slim AS installer
WORKDIR /build
COPY requirements/bootstrap.lock ./
RUN pip install --no-cache-dir --require-hashes -r bootstrap.lock \
    && python -m venv --without-pip /opt/venv
# /added: what a stage has installed on top of the stage before, and nothing that was there already.
COPY deploy/image/added deploy/image/slim-packages /usr/local/bin/

FROM installer AS gateway-packages
COPY requirements/gateway.lock requirements/tracing.lock ./
# TRACING=yes adds OpenTelemetry, here and below: 10 MB that most do without.
ARG TRACING=
RUN uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python --require-hashes -r gateway.lock \
    ${TRACING:+-r tracing.lock} \
    && slim-packages /opt/venv

# What every worker has: it opens, hides and writes pictures. The other locks hold the same and more.
FROM installer AS redaction-packages
COPY requirements/redaction.lock requirements/tracing.lock ./
ARG TRACING=
RUN uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python --require-hashes -r redaction.lock \
    ${TRACING:+-r tracing.lock} \
    && slim-packages /opt/venv

# The fast engine of the lossless splice; the compiler stays behind in this stage.
FROM redaction-packages AS native
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY obscura obscura
RUN added /opt/venv/bin/python -m obscura.jpeg.build

FROM redaction-packages AS lesion-packages
COPY requirements/lesion.lock ./
RUN added sh -ec 'uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python --require-hashes -r lesion.lock; \
    slim-packages /opt/venv'

FROM redaction-packages AS verification-packages
COPY requirements/verification.lock ./
RUN added sh -ec 'uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python --require-hashes -r verification.lock; \
    slim-packages /opt/venv'

# All of its own: FFmpeg is large, and neither HEIC nor a second engine is of use to it.
FROM installer AS video-packages
COPY requirements/video.lock requirements/tracing.lock ./
ARG TRACING=
RUN uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python --require-hashes -r video.lock \
    ${TRACING:+-r tracing.lock} \
    && slim-packages /opt/venv

FROM redaction-packages AS detection-packages
COPY requirements/detection.lock requirements/gpu.txt ./
# ENGINE=cuda: onnxruntime's build for NVIDIA GPUs in place of the one for CPUs, with CUDA's libraries (docs/how-to/gpu.md).
ARG ENGINE=openvino
RUN added sh -ec 'uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python --require-hashes -r detection.lock; \
    slim-packages /opt/venv; \
    if [ "$ENGINE" = cuda ]; then \
    uv pip uninstall --python /opt/venv/bin/python onnxruntime; \
    uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python -r gpu.txt; fi'

# Everything but torch: for the image of the whole system.
FROM installer AS run-packages
COPY requirements/run.lock ./
RUN uv pip install --no-cache --compile-bytecode --python /opt/venv/bin/python --require-hashes -r run.lock \
    && slim-packages /opt/venv

# --- code -----------------------------------------------------------------------------------------
FROM python:${PYTHON_VERSION}-slim AS code
WORKDIR /app
COPY models models
COPY obscura obscura
COPY gateway_service gateway_service
COPY face_detection_service face_detection_service
COPY lesion_detection_service lesion_detection_service
COPY photo_service photo_service
COPY photo_verification_service photo_verification_service
COPY plate_detection_service plate_detection_service
COPY redaction_service redaction_service
COPY standalone standalone
COPY video_service video_service
# Readable for the images' user whatever the checkout's umask; compiled because a container cannot.
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .

# --- what runs ------------------------------------------------------------------------------------
FROM python:${PYTHON_VERSION}-slim AS system
# One uid in all images: gateway and workers share the photos' volume, which takes over this folder's owner.
RUN useradd --system --user-group --uid 10001 --no-create-home --shell /usr/sbin/nologin obscura \
    && install -d -o obscura -g obscura -m 0700 \
    /var/lib/obscura /var/lib/obscura/photos /var/lib/obscura/audit /var/lib/obscura/rows \
    /var/lib/obscura/uploads /var/lib/obscura/videos
COPY deploy/image/healthy deploy/image/obscura /usr/local/bin/
# Nothing is installed in a running container, and nobody reads manuals there.
COPY deploy/image/slim-system ./
RUN sh slim-system && rm slim-system

# Files that a later layer deletes still count: one layer of what is left.
FROM scratch AS runtime
COPY --from=system / /
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OBSCURA_STORAGE_DIR=/var/lib/obscura/photos
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM

FROM runtime AS gateway_service
COPY --from=gateway-packages /opt/venv /opt/venv
COPY --from=code /app/obscura obscura
COPY --from=code /app/gateway_service gateway_service
EXPOSE 8000
# Alive, not ready: a gateway whose workers are away still hands out finished results.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["healthy", "gateway"]
# Beside the published port nothing reaches the container: it listens on all of its addresses.
CMD ["python", "-m", "gateway_service", "--host", "0.0.0.0"]

FROM runtime AS worker
COPY --from=redaction-packages /opt/venv /opt/venv
COPY --from=code /app/obscura obscura
ENV OBSCURA_HEARTBEAT_DIR=/tmp/obscura-heartbeat
# Healthy while this container's own worker, with its model loaded, fetches messages.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=6 CMD ["healthy", "worker"]

FROM worker AS redaction_service
COPY --from=native /added /
COPY --from=code /app/redaction_service redaction_service
CMD ["python", "-m", "redaction_service"]

FROM worker AS lesion_detection_service
COPY --from=lesion-packages /added /
COPY --from=code /app/lesion_detection_service lesion_detection_service
CMD ["python", "-m", "lesion_detection_service"]

FROM worker AS photo_verification_service
COPY --from=verification-packages /added /
COPY --from=code /app/photo_verification_service photo_verification_service
ENV OBSCURA_DATABASE_URL=sqlite:////var/lib/obscura/rows/verification.db
CMD ["python", "-m", "photo_verification_service"]

FROM worker AS detection
COPY --from=detection-packages /added /
COPY --from=code /app/models models
ENV OBSCURA_MODELS_DIR=/app/models

FROM detection AS face_detection_service
COPY --from=code /app/face_detection_service face_detection_service
CMD ["python", "-m", "face_detection_service"]

FROM detection AS plate_detection_service
COPY --from=code /app/plate_detection_service plate_detection_service
CMD ["python", "-m", "plate_detection_service"]

FROM runtime AS video_service
COPY --from=video-packages /opt/venv /opt/venv
COPY --from=code /app/obscura obscura
COPY --from=code /app/models models
COPY --from=code /app/video_service video_service
ENV OBSCURA_HEARTBEAT_DIR=/tmp/obscura-heartbeat \
    OBSCURA_MODELS_DIR=/app/models \
    OBSCURA_VIDEO_DIR=/var/lib/obscura/videos
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=6 CMD ["healthy", "worker"]
CMD ["python", "-m", "video_service"]

# Detection and redaction in one.
FROM detection AS photo_service
COPY --from=native /added /
COPY --from=code /app/photo_service photo_service
CMD ["python", "-m", "photo_service"]

# The whole system: docker run -p 127.0.0.1:8000:8000 -e OBSCURA_PUBLISHED_ON=127.0.0.1 obscura
FROM runtime AS obscura
COPY --from=run-packages /opt/venv /opt/venv
COPY --from=native /added /
COPY --from=code /app /app
ENV OBSCURA_DATA_DIR=/var/lib/obscura \
    OBSCURA_MODELS_DIR=/app/models \
    OBSCURA_UPLOAD_DIR=/var/lib/obscura/uploads
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=6 CMD ["healthy", "gateway"]
CMD ["obscura", "serve", "--host", "0.0.0.0"]
