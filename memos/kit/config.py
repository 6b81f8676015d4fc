"""Configuration: one frozen object, built once at a process's entry point and handed down; never read at import.

Sources, strongest first: arguments of the command line, `MEMOS_*` in the environment, `memos.toml` in the working
folder, the defaults below. Unset database, Redis, model and blob addresses mean the embedded placement: everything
lives in `data_dir` on this machine.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Settings(BaseSettings):
    """Everything an operator can set. Units are last in the names."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOS_", toml_file="memos.toml", frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = Field(Path("memos-data"), description="Where the embedded service keeps everything.")
    host: str = Field("127.0.0.1", description="Address the API listens on; loopback unless told otherwise.")
    port: int = Field(7077, ge=0, le=65535, description="Port of the API; 0 takes a free one.")
    generator: str = Field("rxt", description="Who answers: rxt (the model worker) or echo (a deterministic fake).")
    checkpoint: Path | None = Field(
        None, description="Folder of the weights that the embedded model worker loads; unset: the released ones."
    )
    model_device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the embedded model worker computes; auto: a GPU if there is one."
    )
    state_dtype: Literal["float32", "float16", "int8"] = Field(
        "float32", description="How the embedded model worker stores states; a change makes it another model."
    )

    embedder: str | None = Field(
        None,
        description="Who embeds memories: all-MiniLM-L6-v2, a sentence-transformers folder, openai:URL#model or "
        "hash-384; unset: the first, or with --generator echo the last.",
    )
    embedder_api_key: SecretStr | None = Field(None, description="Sent to the endpoint that `embedder` names.")
    upstream_url: str | None = Field(None, description="Of the generator openai: a server of OpenAI's protocol.")
    upstream_model: str | None = Field(None, description="The model that it is asked for.")
    upstream_api_key: SecretStr | None = Field(None, description="Sent to it.")
    upstream_timeout_s: float = Field(60.0, gt=0, description="How long it may be silent.")
    upstream_history_tokens: int = Field(4000, ge=0, description="Of the last turns of a conversation sent along.")

    database_url: str | None = Field(None, description="PostgreSQL as the application role; unset: embedded.")
    database_admin_url: str | None = Field(None, description="PostgreSQL as the owner, for migrations only.")
    redis_url: str | None = Field(None, description="Redis for Celery; unset: tasks run in the API process.")
    model_url: str | None = Field(None, description="Address of the model worker (or its balancer); unset: embedded.")
    blob_url: str | None = Field(None, description="s3://bucket/prefix or file:///folder; unset: data_dir/blobs.")
    secret: SecretStr | None = Field(None, description="Keys the digests of API keys; unset: data_dir/secret.")

    database_pool_size: int = Field(20, ge=2, description="Connections one process may hold.")
    max_body_bytes: int = Field(1_000_000, ge=1024, description="Largest request body; more is 413.")
    max_batch_bytes: int = Field(2**27, ge=1024, description="Largest body of POST /v1/memories; more is 413.")
    max_archive_bytes: int = Field(2**30, ge=1024, description="Largest archive that is taken in; more is 413.")
    max_history_bytes: int = Field(16 * 2**20, ge=1024, description="Largest request of a chat client; more is 413.")
    chat_retry_s: float = Field(
        5.0, ge=0, description="A chat request repeated within it is a retry, unless its client says otherwise."
    )
    max_input_chars: int = Field(32_000, ge=1, description="Longest input of one turn; more is 413.")
    max_concurrent_turns: int = Field(256, ge=1, description="Turns one API process runs at once; more is 429.")
    max_pending_turns: int = Field(64, ge=1, description="Unapplied turns one conversation may have; more is 429.")
    turn_wait_s: float = Field(30.0, gt=0, description="How long consistency=latest waits for memory; then 503.")
    turn_timeout_s: float = Field(120.0, gt=0, description="How long one generation may take.")
    recall_tokens: int = Field(512, ge=0, description="Most tokens of recalled memories that an answer is given.")
    recall_threshold: float | None = Field(None, description="Memories that score less are not given to an answer.")
    recall_wait_s: float = Field(2.0, gt=0, description="How long a turn waits for recall; then it goes without.")
    lease_s: float = Field(15.0, gt=0, description="A turn or job whose owner is silent this long is taken over.")
    idempotency_ttl_s: float = Field(86_400.0, gt=0, description="How long a key's stored answer is kept.")
    relay_poll_s: float = Field(0.25, gt=0, description="How often the relay looks at the outbox unasked.")
    job_max_attempts: int = Field(8, ge=1, description="Tries before a job is failed and waits for an admin.")
    watchdog_idle_s: float = Field(10.0, gt=0, description="Outbox age without progress after which to act.")
    schedule_poll_s: float = Field(5.0, ge=0, description="How often due schedules are looked for; 0: not by us.")
    schedule_every_s: dict[str, float] = Field(
        default_factory=dict, description="Other intervals for schedules, by name; 0 switches one off."
    )
    blob_grace_s: float = Field(86_400.0, ge=0, description="Age from which an unreferenced payload is collected.")
    recall_index: Literal["memory", "pgvector"] = Field(
        "memory", description="Where vectors are compared: in this process, or in the database by its extension."
    )
    recall_cache_bytes: int = Field(
        512 * 2**20, ge=0, description="Most memory that one process's recall indexes take; least used ones leave."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    log_texts: bool = Field(
        False, description="Log what errors say, which may quote memory; unset: their kind and place alone."
    )
    otlp_url: str | None = Field(
        None, description="OpenTelemetry collector (OTLP over HTTP), as http://host:4318; unset: no traces."
    )
    metrics_host: str = Field("127.0.0.1", description="Address of the metrics of a relay or a worker.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the metrics of a relay or a worker; unset: it tells none."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def embedded(self) -> bool:
        """True when this process brings its own Postgres."""
        return self.database_url is None

    @property
    def effective_blob_url(self) -> str:
        return self.blob_url or (self.data_dir.absolute() / "blobs").as_uri()
