# syntax=docker/dockerfile:1
# The image of every role: `docker build -t temporal-outbox:0.1.0 .`, with your handlers `--build-arg APP=deploy/your-folder` (below
# deploy/, for .dockerignore lets nothing else in). Node is pinned by tag: `--build-arg NODE=node:24.21.0-bookworm-slim@sha256:…` pins
# it by digest. apt's packages and the dependencies of our dependencies are those of the day, so build once, and deploy by digest.
ARG NODE=node:24.21.0-bookworm-slim

# The tarball, by the two commands that docs/running.md has.
FROM ${NODE} AS pack
WORKDIR /checkout
COPY . .
RUN npm ci --no-audit --no-fund && mkdir /out && npm pack --pack-destination /out

# Your folder (package.json, temporal-outbox.config.ts, handlers), the tarball in it, and what is in both as CycloneDX.
FROM ${NODE} AS install
ARG APP=deploy/app
WORKDIR /app
COPY ${APP}/ ./
COPY deploy/health.mjs deploy/postgres/create-databases.mjs ./deploy/
RUN --mount=type=bind,from=pack,source=/out,target=/packed \
    npm install --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund /packed/*.tgz \
    && npm sbom --omit=dev --omit=optional --sbom-format=cyclonedx > sbom.cdx.json \
    # A checkout under umask 077 has files that the image's user could not read.
    && chmod -R a+rX,go-w .

FROM ${NODE}
# tini reaps what a handler leaves behind and passes SIGTERM on. ca-certificates: Temporal's client trusts the system's.
# npm and its friends have no work here, and no place for anybody's findings. `outbox` is there for whoever is on call.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx \
        /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-* \
    && ln -s /app/node_modules/.bin/outbox /usr/local/bin/outbox \
    && mkdir -p /var/lib/temporal-outbox/anchor \
    && chown 10001:10001 /var/lib/temporal-outbox/anchor
WORKDIR /app
# Root's, and readable by all: a process that is taken over cannot change what runs after it.
COPY --from=install /app /app
# A number, so that Kubernetes can see that it is not root. HOME: the one folder that may be written.
USER 10001:10001
ENV NODE_ENV=production \
    HOME=/tmp \
    NODE_OPTIONS="--max-semi-space-size=16 --max-old-space-size=256" \
    OUTBOX_HOST=0.0.0.0 \
    OUTBOX_API_PORT=8080 \
    OUTBOX_PROBE_PORT=8081 \
    OUTBOX_METRICS_PORT=9464
EXPOSE 8080 8081 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "/app/deploy/health.mjs"]
ENTRYPOINT ["tini", "--", "node", "/app/node_modules/.bin/outbox"]
CMD ["--help"]
