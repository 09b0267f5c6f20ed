# syntax=docker/dockerfile:1
# The service without its tools: two stages, no root, no compiler, no shell scripts. Build: docker build -t warm-handoff .

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/warm-handoff
WORKDIR /build
# Only this layer is built again when the requirements change; every file in it is hashed.
COPY requirements-run.txt ./
RUN /opt/warm-handoff/bin/pip install --require-hashes --requirement requirements-run.txt
COPY LICENSE README.md pyproject.toml ./
COPY app/ app/
COPY adapters/ adapters/
COPY migrations/ migrations/
# The build tool is in the same hashed file, so nothing else is fetched.
RUN /opt/warm-handoff/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Warm Handoff" \
      org.opencontainers.image.licenses="Apache-2.0"
# A named account: PostgreSQL, when the private one is used, asks for a name.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin warm-handoff \
    && install --directory --owner=warm-handoff --group=warm-handoff --mode=0700 /var/lib/warm-handoff
COPY --from=build /opt/warm-handoff /opt/warm-handoff
ENV PATH=/opt/warm-handoff/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HANDOFF_DATA_DIR=/var/lib/warm-handoff \
    HANDOFF_HTTP_HOST=0.0.0.0 \
    HANDOFF_MLLP_HOST=0.0.0.0
VOLUME ["/var/lib/warm-handoff"]
EXPOSE 8080 2575
USER warm-handoff
WORKDIR /var/lib/warm-handoff
STOPSIGNAL SIGTERM
# Ready, not only alive: the schema is current and every role of this process tree serves.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import sys, urllib.request; sys.exit(urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=4).status != 200)"]
ENTRYPOINT ["handoff"]
CMD ["serve"]
