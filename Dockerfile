# Stages, by purpose:
#   runtime    p4nic, lbctl, lbtraffic; no P4 compiler, no BMv2       docker build --target runtime -t p4nic .
#   artifacts  the build/ folders, compiled anew with p4c             docker build --target artifacts -o . .
#   compare    simple_switch_grpc and p4nic side by side              docker build --target compare -t p4nic-compare .
#              (make ptf TESTBED=testbeds/bmv2.yaml in it needs docker run --cap-add NET_ADMIN --cap-add NET_RAW)
# p4lang publishes `latest` only; to repeat a build exactly, pass a digest: --build-arg P4C_IMAGE=p4lang/p4c@sha256:...
ARG P4C_IMAGE=p4lang/p4c:latest
ARG BMV2_IMAGE=p4lang/behavioral-model:latest
ARG PYTHON_IMAGE=python:3.11-slim-bookworm


FROM ${P4C_IMAGE} AS recompile
WORKDIR /src
COPY pipeline pipeline
COPY tests/programs tests/programs
RUN python3 pipeline/recompile.py

FROM scratch AS artifacts
COPY --from=recompile /src/pipeline/build /pipeline/build
COPY --from=recompile /src/tests/programs/build /tests/programs/build


FROM ${BMV2_IMAGE} AS compare
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates gcc libc6-dev make python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make setup
CMD ["bash"]


# Installed editable, so that the shipped artifacts are found at the same place as in a checkout.
FROM ${PYTHON_IMAGE} AS install
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY sim sim
COPY controlplane controlplane
COPY traffic traffic
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --editable .

FROM ${PYTHON_IMAGE} AS runtime
RUN useradd --system --uid 10001 p4nic
COPY --from=install /venv /venv
COPY --from=install /src /src
COPY pipeline /src/pipeline
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
# Memory and pcap ports need no privilege. AF_PACKET and TAP ports need `docker run --user 0 --cap-add NET_RAW
# --cap-add NET_ADMIN`.
USER 10001
WORKDIR /tmp
EXPOSE 9559
ENTRYPOINT ["p4nic"]
CMD ["--help"]
