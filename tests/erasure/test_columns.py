"""Every column that could hold words or names is known to erasure, or known to hold none: a new one fails until
somebody has said which.
"""

import psycopg
from sqlalchemy import make_url

from memos.erasure.stores import STORES, word_columns
from tests.support.postgres import Cluster

# By column, whatever the table: ids, hashes, states of ours, times and numbers.
NAMES_OF_OURS = frozenset(
    """
    action actors by commitment consistency created_by cube_ids cube_kind decided_by derived digest embedder
    erased_by erasing_by event figures fingerprint finish_reason from_lifecycle grantee_kind hash inputs_key kind
    lease_owner lease_token ledger_of lifecycle made_cube_ids model next_embedder operation origin outcome
    parent_hash payload permission place prefix previous progress recall relation replaces requested_by revoked_by
    said_as scope_ids scopes sensitivity signals status step store subject subjects target task to_lifecycle traceparent
    version_ids visibility wanted_model why
    """.split()
)
# By table: an operator's words about the service, or ours, and never what a user said or is called.
WORDS_OF_OTHERS = frozenset(
    """
    api_keys.name api_keys.roles audit_log.details confirmations.name consolidation_proposals.reason
    consolidation_steps.outcome_reason consolidation_steps.reason consolidations.wanted distil_runs.error
    distil_runs.reason erasure_items.details erasures.receipt erasures.roots invariant_findings.detail
    invariant_findings.name invariant_runs.error invariant_runs.name policies.name policies.rule
    policy_decisions.outcome_reason policy_decisions.reason schedules.name scopes.name tenants.name
    """.split()
)
_COLUMNS = """
    SELECT c.relname, a.attname, a.attstattarget FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
    WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
      AND t.typname IN ('text', 'jsonb', 'json', 'bytea', '_text', 'varchar', 'vector')
      AND c.relname <> 'alembic_version'"""


def _columns(cluster: Cluster) -> dict[tuple[str, str], int | None]:
    address = make_url(cluster.database().admin).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
        return {(table, column): target for table, column, target in connection.execute(_COLUMNS)}


def test_every_column_is_known(postgres_cluster: Cluster) -> None:
    known = {(table, column) for table, columns in word_columns().items() for column in columns}
    unknown = [
        f"{table}.{column}"
        for table, column in sorted(_columns(postgres_cluster))
        if (table, column) not in known
        and not (column == "id" or (column.endswith("_id") and column not in ("user_id", "agent_id")))
        and column not in NAMES_OF_OURS
        and f"{table}.{column}" not in WORDS_OF_OTHERS
    ]
    assert unknown == [], "name it in a store of memos/erasure/stores, or here"


def test_words_are_not_sampled(postgres_cluster: Cluster) -> None:
    columns = _columns(postgres_cluster)
    for table, names in word_columns().items():
        for name in names:
            assert columns[table, name] == 0, f"{table}.{name} is sampled by the planner"


def test_stores_are_named_once() -> None:
    assert len({store.name for store in STORES}) == len(STORES)
