"""The HTTP edge: takes photos in, hands ids to the queue, answers from ledger and storage."""
