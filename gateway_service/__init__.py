"""The HTTP gateway: accepts photos, enqueues jobs, answers from the job store and storage."""
