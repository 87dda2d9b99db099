# docker build -t roomgate .
# docker run --rm --network host --stop-timeout 180 -v roomgate-state:/var/lib/roomgate roomgate
#
# Files of your own go over what is there: -v /srv/roomgate:/etc/roomgate/roomgate.d:ro
# Host networking, because a SIP gateway needs the addresses that its phones and browsers see, and a thousand UDP ports.

FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /roomgate
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/roomgate/target \
    cargo build --release --locked && install -D target/release/roomgate /out/roomgate

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 964 --home-dir /var/lib/roomgate --shell /usr/sbin/nologin roomgate \
    && install -d -o roomgate -g roomgate -m 0750 /var/lib/roomgate
COPY --from=build /out/roomgate /usr/bin/roomgate
COPY conf/installed /etc/roomgate
COPY conf/prompts/music.wav /usr/share/roomgate/prompts/
COPY conf/prompts/en /usr/share/roomgate/prompts/en
COPY conf/reference.toml LICENSE-APACHE LICENSE-MIT /usr/share/doc/roomgate/
USER roomgate
WORKDIR /var/lib/roomgate
VOLUME /var/lib/roomgate
EXPOSE 5060/udp 5060/tcp 8080/tcp 8189/udp 20000-20999/udp
# Alive is what /healthz says (U-5); the image has no curl, but bash speaks TCP. With another [http] give docker a --health-cmd of your own.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/roomgate"]
CMD ["run", "--config", "/etc/roomgate"]
