"""The configuration files of the embedded server, written anew at every start. Not here: the settings of a server that others run.

An expert's `ALTER SYSTEM` still wins, because PostgreSQL reads it after this file.
"""

from collections.abc import Mapping, Sequence

LOGIN = "handoff"
SUPERUSER = "postgres"
_PEER_MAP = "handoff"

_BASE: Mapping[str, str] = {
    # Only the socket, in a folder that only the server's account and root can enter.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # Every process of a full tree (door, API, workers, delivery) with its pool, and room for the operator's commands.
    "max_connections": "200",
    # One advisory lock a lane and one lock a partition or table touched; a batch may take many.
    "max_locks_per_transaction": "256",
    "max_wal_size": "2GB",
    "min_wal_size": "160MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "15s",
    # Reads are short; a parallel plan would take the second core from the door, and needs /dev/shm, which containers keep small.
    "max_parallel_workers_per_gather": "0",
    # Compiling a plan costs more than any read of ours.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The server's log is not ours to scrub, so nothing that can carry a value of a row is written to it.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    # A line a second of recovery is how the starter tells slow from stuck.
    "log_startup_progress_interval": "1s",
}

_DURABLE: Mapping[str, str] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

_THROWAWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # A worker in the template database would make every clone wait; tests that look at plans ANALYZE themselves.
    "autovacuum": "off",
}


def server_configuration(*, socket_folder: str, memory_mebibytes: int, durable: bool, syncfs: bool = False) -> str:
    """Give `postgresql.conf` for a machine with this much memory; without `durable` a power cut loses everything (tests).

    `syncfs`: before recovery everything is flushed by one call for the filesystem, not by one for each file (0.3 s, not 3.5 s).
    """
    shared = max(64, min(2048, memory_mebibytes // 8)) if durable else 128
    settings = {
        **_BASE,
        **(_DURABLE if durable else _THROWAWAY),
        "recovery_init_sync_method": "syncfs" if syncfs else "fsync",
        "unix_socket_directories": socket_folder,
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(256, memory_mebibytes // 2)}MB",
    }
    lines = [f"{name} = '{_quoted(value)}'" for name, value in sorted(settings.items())]
    return "# Written by Warm Handoff at every start; change values with ALTER SYSTEM.\n" + "\n".join(lines) + "\n"


def access_rules() -> str:
    """Give `pg_hba.conf`: the socket only, and only accounts that the peer map names."""
    return f"local all all peer map={_PEER_MAP}\n"


def peer_map(accounts: Sequence[str]) -> str:
    """Give `pg_ident.conf`: these operating-system accounts may log in as the service or, for repairs, as the superuser."""
    return "".join(f'{_PEER_MAP} "{account}" {role}\n' for account in dict.fromkeys(accounts) for role in (LOGIN, SUPERUSER))


def bootstrap_statements() -> str:
    """Give the SQL of a new data folder, one statement a line (single-user mode): a login that is no superuser, and its database.

    The login may make roles and databases: the three roles of a network, and the clones of the tests.
    """
    return f"CREATE ROLE {LOGIN} LOGIN CREATEROLE CREATEDB;\nCREATE DATABASE {LOGIN} OWNER {LOGIN};\n"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
