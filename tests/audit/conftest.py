from pathlib import Path

import pytest

from tests.audit.log import Log, new_log
from tests.support.postgres import Addresses, Cluster


@pytest.fixture(scope="session")
def audit_database(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


@pytest.fixture
def log(audit_database: Addresses, tmp_path: Path) -> Log:
    """An empty log of a tenant of its own."""
    return new_log(audit_database, tmp_path)
