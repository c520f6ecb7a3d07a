# Two images of one static program, for amd64 and arm64:
#
#   docker build -t squab .                            the program and an empty /data; no shell, no root
#   docker build -t squab:compat --target compat .     in place of LocalStack's image
#
#   docker run -p 4566:4566 -v squab:/data squab
#
# The program is compiled on the architecture of the builder, for the one of the image.

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
# Scripts that are mounted expect what they have there: root.
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]

FROM scratch AS slim
COPY --from=build /image/squab /usr/local/bin/squab
# A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
# To listen elsewhere set SQUAB_LISTEN rather than --listen: the health check reads it too.
# Who reaches a container is decided by what is published: without keys, calls need no signature.
ENV SQUAB_LISTEN=0.0.0.0:4566 \
    SQUAB_ALLOW_ANONYMOUS=true \
    SQUAB_DATA=/data
VOLUME /data
EXPOSE 4566
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s --retries=3 \
    CMD ["/usr/local/bin/squab", "health"]
ENTRYPOINT ["/usr/local/bin/squab"]
