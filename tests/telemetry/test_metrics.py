"""The page of metrics: one process counting by itself, and a whole tree added up."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from app.telemetry.metrics import FOLDER_VARIABLE, FeedSample, Metrics, Sample, forget_process, page_registry
from tests.support.service import ROOT, command_environment


def values(page: bytes) -> dict[str, float]:
    """Name with labels -> value."""
    rows = [line.rpartition(" ") for line in page.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def test_one_process_counts_by_itself() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.messages.labels("mllp", "AA").inc()
    metrics.batches.observe(3)
    page = values(generate_latest(registry))
    assert page['handoff_messages_received_total{answer="AA",door="mllp"}'] == 1
    assert page["handoff_batch_messages_sum"] == 3


def test_what_is_not_known_is_left_out_of_the_page() -> None:
    page = values(generate_latest(page_registry(None, Sample)))
    assert "handoff_queue_depth" not in page
    assert page["handoff_process_restarts_total"] == 0
    sample = Sample(queue_depth=3, queue_oldest_s=1.5, deliveries_waiting=2, parts_serving={"work": 2}, process_restarts=1)
    page = values(generate_latest(page_registry(None, lambda: sample)))
    assert page["handoff_queue_depth"] == 3
    assert page["handoff_queue_oldest_seconds"] == 1.5
    assert page['handoff_processes_serving{part="work"}'] == 2


def test_feeds_are_told_by_their_ids() -> None:
    heard, silent = f"feed_{1:032x}", f"feed_{2:032x}"
    sample = Sample(feeds=[FeedSample(heard, datetime(2026, 3, 2, 15, tzinfo=UTC), False), FeedSample(silent, None, True)])
    page = values(generate_latest(page_registry(None, lambda: sample)))
    last = "handoff_feed_last_message_timestamp_seconds"
    assert {name: value for name, value in page.items() if name.startswith(last)} == {f'{last}{{feed="{heard}"}}': 1772463600.0}
    assert (page[f'handoff_feed_silent{{feed="{heard}"}}'], page[f'handoff_feed_silent{{feed="{silent}"}}']) == (0, 1)


_COUNTING = """
import sys
from app.telemetry.metrics import Metrics
metrics = Metrics(None)
metrics.processed.inc(int(sys.argv[1]))
metrics.connections.labels("127.0.0.1:2575").set(5)
"""


def _count(folder: Path, number: int) -> int:
    process = subprocess.Popen(
        [sys.executable, "-c", _COUNTING, str(number)], env=command_environment({FOLDER_VARIABLE: str(folder)}), cwd=ROOT
    )
    assert process.wait(60) == 0
    return process.pid


def test_the_processes_of_a_tree_are_added_up_also_after_they_ended(tmp_path: Path) -> None:
    pids = [_count(tmp_path, 3), _count(tmp_path, 4)]
    assert FOLDER_VARIABLE not in os.environ, "this test counts in processes of its own"
    page = values(generate_latest(page_registry(tmp_path, Sample)))
    assert page["handoff_messages_processed_total"] == 7
    connections = 'handoff_mllp_connections{listener="127.0.0.1:2575"}'
    assert page[connections] == 10
    # What a process had is gone with it; what it did stays done.
    forget_process(tmp_path, pids[0])
    page = values(generate_latest(page_registry(tmp_path, Sample)))
    assert page["handoff_messages_processed_total"] == 7
    assert page[connections] == 5
