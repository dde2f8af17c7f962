"""A new Faust, mode or aiokafka cannot slip under the chassis: what it replaces or leans on is hashed here.

If this fails after an upgrade: read the upstream change, decide whether ours must follow, run all tests of this
folder, and only then write down the new hash, which the failure prints.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from importlib.metadata import version
from operator import attrgetter

import pytest

VERSIONS = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0", "rocksdict": "0.3.29"}

HASHES: dict[str, str] = {
    "faust.assignor.partition_assignor:PartitionAssignor.name": "a950c3196764e0f5",
    "faust.assignor.partition_assignor:PartitionAssignor._url": "a1c9e893ba7eb679",
    "faust.assignor.partition_assignor:PartitionAssignor.changelog_distribution": "2644754802c722b3",
    "faust.assignor.partition_assignor:PartitionAssignor._get_changelog_distribution": "dd376e80a45bdd6a",
    "faust.transport.consumer:Consumer._drain_messages": "44a2500309e83c63",
    "faust.transport.consumer:Consumer.perform_seek": "0e8c130ff4b0afd8",
    "faust.transport.consumer:Consumer.commit": "a354437baaa08bf8",
    "faust.transport.consumer:Consumer.ack": "5fcf41cf45153475",
    "faust.transport.consumer:Consumer.wait_empty": "e4662fe24f094819",
    "faust.transport.consumer:Consumer.on_partitions_revoked": "d04b7ae72c6fc206",
    "faust.transport.consumer:Consumer.on_partitions_assigned": "29ce96596f05a18c",
    "faust.transport.consumer:Consumer.resume_partitions": "afe6b7c02a41d63c",
    "faust.transport.consumer:Consumer.on_stop": "45b1d2210ce2b526",
    "faust.transport.consumer:Consumer._commit_handler": "4e5da5df073082d6",
    "faust.transport.consumer:ThreadDelegateConsumer.seek_wait": "e9db5bbc4ceb2543",
    "faust.transport.consumer:Fetcher._fetcher": "68f894f0b577d810",
    "faust.transport.drivers.aiokafka:Consumer._new_consumer_thread": "0870ec53dea75083",
    "faust.transport.drivers.aiokafka:ConsumerRebalanceListener.on_partitions_assigned": "1c1f8406ad3698a6",
    "faust.transport.drivers.aiokafka:ConsumerRebalanceListener.on_partitions_revoked": "348c3aec879faf80",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._create_worker_consumer": "c2701bfc3e6f6cad",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._commit": "932852ce7a23f658",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._seek_wait": "9d221e816d940467",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._fetch_records": "39a2c6c79fc1455a",
    "faust.transport.drivers.aiokafka:Producer.__post_init__": "4ae6f6f586b8f149",
    "faust.transport.drivers.aiokafka:Producer._settings_default": "9c39987fb719e984",
    "faust.transport.drivers.aiokafka:Producer._settings_auth": "6d47a0b8599c573e",
    "faust.transport.drivers.aiokafka:Producer._settings_extra": "a4c7bc41b6382223",
    "faust.transport.drivers.aiokafka:Producer._new_producer": "e72355c3430ed02f",
    "faust.transport.drivers.aiokafka:Producer.flush": "36d0cb3615f65b01",
    "faust.transport.producer:ProducerBuffer.flush": "26fbebb124ad9c98",
    "faust.transport.conductor:ConductorCompiler.build": "837cf521368c1ee4",
    "faust.tables.recovery:Recovery.on_recovery_completed": "6ef567acf072e46d",
    "faust.tables.recovery:Recovery._restart_recovery": "6bd8a8558a2dffe4",
    "faust.tables.recovery:Recovery._slurp_changelogs": "7825c7e50f766d5a",
    "faust.tables.recovery:Recovery.on_rebalance": "aa4d997a1795ceae",
    "faust.tables.recovery:Recovery._build_highwaters": "91b4cc0d3724ae7b",
    "faust.tables.recovery:Recovery.flush_buffers": "6fa9c17f1071018c",
    "faust.tables.manager:TableManager.on_start": "365dd25fbc0e0684",
    "faust.tables.manager:TableManager.recovery": "f0bf5de78b4c3d23",
    "faust.tables.manager:TableManager.on_rebalance": "2d2c23a07bf54328",
    "faust.tables.base:Collection._new_store": "914a2bda605d38f5",
    "faust.tables.base:Collection._changelog_topic_name": "f341fe97037b4ac8",
    "faust.tables.base:Collection.apply_changelog_batch": "b980a78d3ae9b1e8",
    "faust.serializers.schemas:Schema.compile": "d46eec5ce3195b2c",
    "faust.app.base:App._new_transport": "42db531312dd776f",
    "faust.app.base:App._new_producer_transport": "eb3b4aa6a8961275",
    "faust.app.base:App.flow_control": "f664abbe76e25985",
    "faust.app.base:App.on_start": "480d70c6c72d042d",
    "faust.app.base:App.on_rebalance_start": "5c1e23de30674082",
    "faust.app.base:App._stop_consumer": "55854a5de12c3f52",
    "faust.app.base:App._on_partitions_revoked": "d5c895bbe57dc73a",
    "faust.app.base:App._on_partitions_assigned": "de932b7927db85b3",
    "faust.streams:Stream._py_aiter": "3a48ee257a65435b",
    "mode.threads:ServiceThread.start": "f11841038a033a05",
    "mode.threads:ServiceThread.stop": "32d026539c3665b2",
    "mode.threads:ServiceThread._serve": "67809eae09573ac7",
    "mode.threads:ServiceThread._gather_remaining_tasks": "6f65b92dd1012485",
    "mode.threads:QueueServiceThread.call_thread": "479edda75b54734b",
    "mode.services:Service._crash": "7bc0c709a151d556",
    "mode.services:Service.stop": "e17cd2b6bd01e861",
    "mode.services:Service.wait_first": "feade6a31f8a6789",
    "mode.utils.queues:FlowControlEvent.resume": "4dcdc1253fd0dcb4",
    "aiokafka.protocol.api:Request.prepare": "3a65d9fdefe34d3f",
    "aiokafka.client:AIOKafkaClient.send": "246b277687d7b687",
    "aiokafka.producer.producer:AIOKafkaProducer.send": "08ce81263f439838",
    "aiokafka.producer.message_accumulator:MessageAccumulator.add_message": "56ff7e6c19185f83",
    "aiokafka.producer.message_accumulator:BatchBuilder.append": "657d76f55157d9ca",
    "aiokafka.producer.message_accumulator:BatchBuilder.closed": "16b9c254eeecca09",
    "aiokafka.producer.message_accumulator:MessageBatch.append": "e3ff2fc253fdd6ce",
    "aiokafka.producer.message_accumulator:MessageBatch.done": "2d765e5c2dc8638d",
    "aiokafka.producer.message_accumulator:MessageBatch.failure": "719b2122c318e955",
    "aiokafka.producer.message_accumulator:MessageAccumulator.fail_all": "f1e12e8100bfcb8c",
    "aiokafka.partitioner:murmur2": "62179ca184949379",
    "aiokafka.consumer.fetcher:Fetcher.fetched_records": "be4348896b9b66af",
    "aiokafka.consumer.group_coordinator:GroupCoordinator.check_errors": "ba6ca51ad34838d9",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.__init__": "01506f316191f7c9",
}


def fingerprint(name: str) -> str:
    """First 16 hex digits of the sha256 of the source of ``module:Class.method``."""
    module, path = name.split(":")
    found = attrgetter(path)(importlib.import_module(module))
    for wrapped in ("fget", "fun", "_cached_property__get"):  # properties, service tasks, cached properties
        found = getattr(found, wrapped, None) or found
    return hashlib.sha256(inspect.getsource(found).encode()).hexdigest()[:16]


@pytest.mark.parametrize("package", VERSIONS)
def test_the_versions_are_those_that_were_read(package: str) -> None:
    """Pinned exactly, because methods of them are replaced."""
    assert version(package) == VERSIONS[package]


@pytest.mark.parametrize("name", HASHES)
def test_what_is_replaced_or_leaned_on_has_not_changed(name: str) -> None:
    """The source upstream is the one that ours was written against."""
    assert fingerprint(name) == HASHES[name]
