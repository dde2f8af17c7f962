"""Faust made crash-proof and fast: consumer group, changelog and recovery are Faust's, the way of a record is ours.

Knows keys, records, states, outputs, lanes, slices and wakes, and nothing of what they mean. Start at `job.Job`
(what an application tells it) and `transport.build` and `run` (how to start a worker).
"""
