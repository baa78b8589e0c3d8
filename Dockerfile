# syntax=docker/dockerfile:1
# darla with Mesa's software OpenGL, on a bare Debian 12; docs/install.md says how to use it.
#
#     docker build -t darla .                               PyTorch's build for CPUs
#     docker build -t darla --build-arg TORCH=default .     PyPI's, with CUDA
#     docker run --rm -v darla-runs:/home/darla/darla/runs darla make demo
#     docker run --rm darla make test

# 1. The system: changes hardly ever. The lib* packages are those that darla names where they are missing.
FROM debian:bookworm-slim AS system
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates git make python3.11 python3.11-venv \
        libegl1 libgl1 libglu1-mesa libfreetype6 libegl-mesa0 libgl1-mesa-dri \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 darla \
    && install --directory --owner darla --group darla /home/darla/darla /home/darla/.cache /home/darla/.cache/pip
USER darla
WORKDIR /home/darla/darla

# 2. The libraries, in the versions of constraints.txt: made anew when a version changes, not when code does.
FROM system AS dependencies
ARG TORCH=auto
COPY --chown=darla Makefile pyproject.toml constraints.txt ./
COPY --chown=darla tools/make_venv.sh tools/install_dependencies.py tools/
# What was downloaded is kept beside the image: a build that broke off goes on there.
RUN --mount=type=cache,target=/home/darla/.cache/pip,uid=1000,gid=1000 \
    make dependencies TORCH=$TORCH

# 3. The project. With .git, from which the record of each run takes its commit.
FROM dependencies AS project
COPY --chown=darla . .
# The folder of results is there for the ownership that a new volume takes from it.
RUN make install && mkdir -p runs
CMD ["make", "demo"]
