# One image for every process of the distributed placement; the command picks the process (docker-compose.yml).
# pip's default torch for Linux brings CUDA along. For the much smaller CPU build, name the index that carries it:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=... .

FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/memos
WORKDIR /src
# The dependencies first, with an empty package in place of ours: this layer lasts until they change.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir memos && touch memos/__init__.py \
    && /opt/memos/bin/pip install -c constraints.txt '.[all]' \
    && /opt/memos/bin/pip uninstall --yes memos
COPY memos ./memos
COPY models ./models
COPY workers ./workers
COPY migrations ./migrations
RUN /opt/memos/bin/pip install --no-deps .

FROM python:3.11-slim
# Payload files belong to this user; it owns nothing else and cannot change the code it runs.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin memos \
    && install -d -o memos -g memos -m 0700 /var/lib/memos /var/lib/memos/blobs
COPY --from=build /opt/memos /opt/memos
ENV PATH=/opt/memos/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /var/lib/memos
USER memos
EXPOSE 7077
STOPSIGNAL SIGTERM
CMD ["memos", "serve", "--host", "0.0.0.0", "--port", "7077"]
