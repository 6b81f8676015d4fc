"""The worker's HTTP interface over a generator in this process. What travels is defined in `memos.generation.wire`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from memos.generation.engine import Difference
from memos.generation.in_process import InProcessGenerator
from memos.generation.port import Advanced
from memos.generation.wire import (
    FINGERPRINT_HEADER,
    AdvanceBody,
    AdvancedAnswer,
    DiffBody,
    DifferenceAnswer,
    DiffTensorsBody,
    DistilBody,
    EmbedBody,
    FoldBody,
    FoldedAnswer,
    ForgetBody,
    ForgottenAnswer,
    GenerateBody,
    HealthAnswer,
    MergeBody,
    ReadsAnswer,
    ReadsBody,
    vectors_answer,
)
from memos.kit.errors import MemosError
from memos.kit.metrics import Exposed
from memos.kit.tracing import Tracing
from workers.model.body_limit import BodyLimit
from workers.model.observed import Observed
from workers.model.problems import internal, invalid, problem_response
from workers.model.sse import EventStream, answer_event, training_event


def build_app(generator: InProcessGenerator[Any], *, forget_every_s: float, tracing: Tracing | None = None) -> FastAPI:
    """`forget_every_s`: how often states past their age are dropped from the cache."""
    traces = tracing or Tracing(None)
    exposed = Exposed()
    generator.show(exposed)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        forgetting = asyncio.create_task(_forget_forever(generator, forget_every_s))
        yield
        forgetting.cancel()
        await asyncio.gather(forgetting, return_exceptions=True)
        await generator.aclose()
        await asyncio.to_thread(traces.close)

    app = FastAPI(title="memos model worker", lifespan=lifespan, docs_url=None, redoc_url=None)
    stamp = {FINGERPRINT_HEADER: generator.model.fingerprint}
    app.add_middleware(BodyLimit, stamp=stamp)
    app.add_middleware(Observed, tracing=traces)
    _add_error_handlers(app, stamp)
    _add_routes(app, generator, stamp)
    _add_comparisons(app, generator, stamp)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(exposed.exposition(), media_type=CONTENT_TYPE_LATEST)

    return app


def _add_routes(app: FastAPI, generator: InProcessGenerator[Any], stamp: dict[str, str]) -> None:
    @app.get("/health")
    async def health(response: Response) -> HealthAnswer:
        response.headers.update(stamp)
        return HealthAnswer.model_validate(await generator.health())

    @app.get("/start-state")
    async def start_state() -> Response:
        return Response(await generator.start_payload(), media_type="application/octet-stream", headers=stamp)

    @app.post("/generate")
    async def generate(body: GenerateBody) -> Response:
        return EventStream(generator.generate(body.request()), stamp, answer_event)

    @app.post("/distil")
    async def distil(body: DistilBody) -> Response:
        return EventStream(generator.distil(body.request()), stamp, training_event)

    @app.post("/advance")
    async def advance(body: AdvanceBody, response: Response) -> AdvancedAnswer:
        response.headers.update(stamp)
        return _advanced(await generator.advance(body.parent.ref(), body.text, body.output, body.blob_key))

    @app.post("/reads")
    async def reads(body: ReadsBody, response: Response) -> ReadsAnswer:
        response.headers.update(stamp)
        return ReadsAnswer(
            slots=list(
                await generator.reads(
                    body.state.ref(),
                    body.text,
                    body.output,
                    tuple(body.recalled),
                    tuple(delta.ref() for delta in body.deltas),
                )
            )
        )

    @app.post("/forget")
    async def forget(body: ForgetBody, response: Response) -> ForgottenAnswer:
        response.headers.update(stamp)
        gone = await generator.forget(body.hashes)
        return ForgottenAnswer(states=gone.states, max_age_s=gone.max_age_s)

    @app.post("/fold")
    async def fold(body: FoldBody, response: Response) -> FoldedAnswer:
        response.headers.update(stamp)
        return FoldedAnswer(facts=await generator.fold(body.episodes))

    @app.post("/embed")
    async def embed(body: EmbedBody) -> Response:
        embedded = await generator.embed(body.texts, body.model, background=body.background)
        content, headers = vectors_answer(embedded)
        return Response(content, media_type="application/octet-stream", headers=stamp | headers)


def _add_comparisons(app: FastAPI, generator: InProcessGenerator[Any], stamp: dict[str, str]) -> None:
    @app.post("/diff")
    async def diff(body: DiffBody, response: Response) -> DifferenceAnswer:
        response.headers.update(stamp)
        return _difference(await generator.diff(body.before.ref(), body.after.ref()))

    @app.post("/diff-tensors")
    async def diff_tensors(body: DiffTensorsBody, response: Response) -> DifferenceAnswer:
        response.headers.update(stamp)
        return _difference(await generator.diff_tensors(body.before.ref(), body.after.ref()))

    @app.post("/merge")
    async def merge(body: MergeBody, response: Response) -> AdvancedAnswer:
        response.headers.update(stamp)
        return _advanced(await generator.merge(body.base.ref(), body.ours.ref(), body.theirs.ref(), body.blob_key))


def _advanced(made: Advanced) -> AdvancedAnswer:
    return AdvancedAnswer(
        sha256=made.sha256, size_bytes=made.size_bytes, health=made.health, written=list(made.written)
    )


def _difference(found: Difference) -> DifferenceAnswer:
    return DifferenceAnswer(tensors=list(found.tensors), slots=list(found.slots))


def _add_error_handlers(app: FastAPI, stamp: dict[str, str]) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError):
            return problem_response(invalid(error), stamp)
        if isinstance(error, MemosError):
            return problem_response(error, stamp)
        raise error

    app.add_exception_handler(RequestValidationError, refused)
    app.add_exception_handler(MemosError, refused)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        # The server logs the traceback as well; the caller learns that it was us and not them.
        return problem_response(internal(error), stamp)


async def _forget_forever(generator: InProcessGenerator[Any], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        generator.forget_old_states()
