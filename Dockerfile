# The image of holdfast: the binary, the libraries that it loads and the authorities for TLS; no shell.
# The same file for amd64 and arm64. deploy/build-image builds it.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/install-dependencies deploy/
RUN deploy/install-dependencies build && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt ./
COPY proto proto
COPY src src
COPY cmd cmd
COPY deploy/build deploy/image-root deploy/
RUN deploy/build /build -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHOLDFAST_TESTS=OFF -- holdfast
RUN deploy/image-root /build/bin/holdfast /image

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 8080 8443 10254
ENTRYPOINT ["/usr/bin/holdfast"]
