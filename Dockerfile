# The server with everything inside: pages, scripts, migrations.
#   docker build -t wanryo .
#   docker run -p 127.0.0.1:3000:3000 -v wanryo:/var/lib/wanryo --env-file wanryo.env wanryo
FROM node:20-bookworm-slim AS node

FROM rust:1-bookworm AS build
# The build shrinks the browser code with tools from npm.
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /src
COPY . .
RUN cargo xtask build

FROM debian:bookworm-slim
# PortOne is called over TLS; its certificate is checked against Debian's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/wanryo --create-home --shell /usr/sbin/nologin wanryo
COPY --from=build /src/target/release/wanryo /usr/local/bin/wanryo
USER wanryo
VOLUME /var/lib/wanryo
# Inside a container every address is its own; what is published is the caller's choice.
ENV WANRYO_ADDR=0.0.0.0:3000 \
    WANRYO_LOG_FORMAT=json \
    DATABASE_URL=sqlite:///var/lib/wanryo/wanryo.db
EXPOSE 3000
# The program drains its work on SIGTERM, within the ten seconds that Docker gives it.
ENTRYPOINT ["/usr/local/bin/wanryo"]
