"""Traces of hypervisors: bytes in, columns of events, answers.

``reader`` is the one way from bytes to tables; ``analyses`` answer one question each; ``exporters`` write.
"""
