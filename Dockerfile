# Two images of one static binary, for amd64 and arm64:
#
#   docker build -t squab .                            the binary and an empty /data; no shell, no root
#   docker build -t squab:compat --target compat .     replaces LocalStack's image
#
#   docker run -p 4566:4566 -v squab:/data squab
#
# The binary is cross-compiled on the builder's architecture.

FROM --platform=$BUILDPLATFORM rust:1.95-slim-bookworm AS build
WORKDIR /squab
COPY docker/requirements.txt docker/requirements.txt
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /zig \
    && /zig/bin/pip install --no-cache-dir --requirement docker/requirements.txt
ENV PATH=/zig/bin:$PATH
COPY . .
ARG TARGETARCH
RUN docker/build "$TARGETARCH" /image && mkdir /image/data

FROM debian:bookworm-slim AS compat
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /var/lib/localstack /etc/localstack/init/boot.d /etc/localstack/init/start.d \
        /etc/localstack/init/ready.d /etc/localstack/init/shutdown.d
COPY --from=build /image/squab /image/awslocal /usr/local/bin/
# Scripts call the AWS CLI by both names.
RUN ln -s awslocal /usr/local/bin/aws
COPY docker/docker-entrypoint.sh /usr/local/bin/
ENV SQUAB_COMPAT=localstack
VOLUME /var/lib/localstack
EXPOSE 4566
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=5 \
    CMD ["/usr/local/bin/squab", "health"]
# Mounted scripts expect to run as root, as in LocalStack.
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]

FROM scratch AS slim
COPY --from=build /image/squab /usr/local/bin/squab
# A new volume gets its owner from this folder.
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
# To change the address set SQUAB_LISTEN rather than --listen, because the health check reads it too.
# Without keys, calls need no signature: the published ports decide which clients can call.
ENV SQUAB_LISTEN=0.0.0.0:4566 \
    SQUAB_ALLOW_ANONYMOUS=true \
    SQUAB_DATA=/data
VOLUME /data
EXPOSE 4566
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s --retries=3 \
    CMD ["/usr/local/bin/squab", "health"]
ENTRYPOINT ["/usr/local/bin/squab"]
