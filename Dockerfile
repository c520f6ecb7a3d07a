# The image holds the program, the C library and an empty /data; no shell, no root.
#
#   docker build -t squab .
#   docker run -p 4566:4566 -v squab:/data squab

FROM rust:1.95-slim-bookworm AS build
WORKDIR /squab
COPY . .
RUN cargo build --release --locked --bin squab && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /squab/target/release/squab /usr/local/bin/squab
# A new volume takes its owner from here.
COPY --from=build --chown=nonroot:nonroot /data /data
# To listen elsewhere set SQUAB_LISTEN rather than --listen: the health check reads it too.
ENV SQUAB_LISTEN=0.0.0.0:4566 \
    SQUAB_DATA=/data
VOLUME /data
EXPOSE 4566
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s --retries=3 \
    CMD ["/usr/local/bin/squab", "health"]
ENTRYPOINT ["/usr/local/bin/squab"]
