"""The exceptions of the project, each with a stable code.

The gateway maps the classes to HTTP status codes. The tree::

    ObscuraError
    ├── PhotoError              the uploaded file cannot be used
    │   ├── EmptyPhotoError             empty_photo
    │   ├── PhotoTooLargeError          photo_too_large
    │   ├── UnsupportedFormatError      unsupported_format
    │   │   └── UnsupportedCodecError       unsupported_codec
    │   ├── UndecodablePhotoError       undecodable_photo
    │   ├── TruncatedPhotoError         truncated_photo
    │   ├── TooManyPixelsError          too_many_pixels
    │   ├── TooManyScansError           too_many_scans
    │   ├── PhotoTooCostlyError         photo_too_costly
    │   ├── AnimatedPhotoError          animated_photo
    │   ├── VideoTooLongError           video_too_long
    │   └── NotSpliceableError          not_spliceable
    ├── RequestError            the request cannot be fulfilled as it is
    │   ├── MissingFieldError           missing_field
    │   ├── InvalidOptionError          invalid_option
    │   │   └── MaskDoesNotFitError         mask_does_not_fit
    │   ├── InvalidRequestError         invalid_request
    │   ├── SlowUploadError             upload_too_slow
    │   ├── WeakerThanPolicyError       weaker_than_policy
    │   ├── IdempotencyConflictError    idempotency_conflict
    │   ├── TooManyFilesError           too_many_files
    │   ├── ArchiveTooLargeError        archive_too_large
    │   ├── BatchNotFinishedError       batch_not_finished
    │   ├── WebhookNotAllowedError      webhook_not_allowed
    │   ├── CredentialsUnavailableError credentials_unavailable
    │   └── ConflictError               conflict
    ├── FeaturesUnreadableError features_unreadable: cached features cannot be used
    ├── AccessError             the caller may not do this
    │   ├── KeyRequiredError            key_required
    │   ├── InvalidKeyError             invalid_key
    │   ├── MissingScopeError           missing_scope
    │   ├── ForeignOriginError          foreign_origin
    │   ├── UnknownHostError            unknown_host
    │   └── RateLimitedError            rate_limited
    │       ├── TooManyStreamsError         too_many_streams
    │       └── ShareExceededError          share_exceeded
    ├── LookupFailedError       the requested thing does not exist (any more)
    │   ├── UnknownTaskError            unknown_task
    │   ├── UnknownBatchError           unknown_batch
    │   │   └── BatchUnreadableError        batch_unreadable
    │   ├── UnknownKeyError             unknown_key
    │   ├── UnknownRecordError             unknown_row
    │   ├── NoPictureError              no_picture
    │   └── OriginalErasedError         original_erased
    ├── ModelError              weights or engines that cannot be used
    │   ├── ModelMissingError           model_missing
    │   ├── ModelCorruptError           model_corrupt
    │   ├── BackendUnavailableError     backend_unavailable
    │   └── ClassUnavailableError       class_unavailable
    ├── ServiceError            a part of the system is down or full
    │   ├── QueueUnavailableError       queue_unavailable
    │   ├── QueueFullError              queue_full
    │   ├── StorageUnavailableError     storage_unavailable
    │   ├── DatabaseUnavailableError    database_unavailable
    │   ├── TaggerError                 the tagger cannot be used
    │   │   ├── TaggerMissingError          tagger_missing
    │   │   ├── TaggerRefusedError          tagger_refused
    │   │   ├── TaggerTimedOutError         tagger_timed_out
    │   │   └── TaggerUnavailableError      tagger_unavailable
    │   └── EmbeddedServerError         embedded_server_failed
    ├── AuditBrokenError        audit_broken: the audit log was tampered with
    ├── TracingUnavailableError tracing_unavailable: tracing is configured and cannot be started
    ├── ProcessingError         a worker could not finish the job
    │   ├── ProcessingFailedError       processing_failed
    │   ├── ProcessingTimedOutError     processing_timed_out
    │   ├── WorkerLostError             worker_lost (set by the job store)
    │   ├── JobLostError                job_lost (the job store lost its data)
    │   └── RecordUnreadableError       record_unreadable (the job record is damaged)
    └── RemoteError             raised by the client: the server refused or did not answer
        ├── RemoteRefusalError          remote_refusal
        ├── RemoteTaskFailedError       remote_task_failed
        ├── ServerUnreachableError      server_unreachable
        ├── AnswerUnreadableError       answer_unreadable
        └── WebhookInvalidError         webhook_invalid
"""

from typing import ClassVar


class ObscuraError(Exception):
    """Base of all errors; ``code`` is stable across releases, ``message`` is for people."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PhotoError(ObscuraError):
    """The uploaded file cannot be used as a photo."""

    code = "unusable_photo"


class EmptyPhotoError(PhotoError):
    """The uploaded file is empty."""

    code = "empty_photo"


class PhotoTooLargeError(PhotoError):
    """The file has more bytes than the limit."""

    code = "photo_too_large"


class UnsupportedFormatError(PhotoError):
    """The content is not one of the accepted formats; the file name does not matter."""

    code = "unsupported_format"


class UnsupportedCodecError(UnsupportedFormatError):
    """The codec of a video is not accepted."""

    code = "unsupported_codec"


class UndecodablePhotoError(PhotoError):
    """The file has an accepted format but cannot be decoded."""

    code = "undecodable_photo"


class TruncatedPhotoError(PhotoError):
    """The file ends before the picture does."""

    code = "truncated_photo"


class TooManyPixelsError(PhotoError):
    """The photo has more pixels, or a longer side, than the limit."""

    code = "too_many_pixels"


class TooManyScansError(PhotoError):
    """A progressive JPEG has more scans than encoders write: a decompression bomb."""

    code = "too_many_scans"


class PhotoTooCostlyError(PhotoError):
    """Decoding the file takes more CPU time or memory than the limit."""

    code = "photo_too_costly"


class AnimatedPhotoError(PhotoError):
    """The file has several frames or pages, and ``frames=all`` was not requested."""

    code = "animated_photo"


class VideoTooLongError(PhotoError):
    """The video has more seconds or frames than the limit."""

    code = "video_too_long"


class NotSpliceableError(PhotoError):
    """A JPEG cannot be spliced, so it would have to be decoded and encoded again."""

    code = "not_spliceable"


class RequestError(ObscuraError):
    """The request cannot be fulfilled as it is."""

    code = "invalid_request"


class MissingFieldError(RequestError):
    """A required form field is absent."""

    code = "missing_field"


class InvalidOptionError(RequestError):
    """An option has a value outside its range."""

    code = "invalid_option"


class MaskDoesNotFitError(InvalidOptionError):
    """A mask has another aspect ratio than the upright photo that it was sent with."""

    code = "mask_does_not_fit"


class InvalidRequestError(RequestError):
    """The request cannot be parsed."""

    code = "invalid_request"


class SlowUploadError(RequestError):
    """The body of a request did not arrive in time."""

    code = "upload_too_slow"


class WeakerThanPolicyError(RequestError):
    """An option is weaker than the policy floor of this installation."""

    code = "weaker_than_policy"


class TooManyFilesError(RequestError):
    """A batch has more files than the limit."""

    code = "too_many_files"


class ArchiveTooLargeError(RequestError):
    """The content of a zip exceeds the size limit, or its compression ratio is implausible."""

    code = "archive_too_large"


class BatchNotFinishedError(RequestError):
    """The archive of a batch was requested before all its tasks had ended."""

    code = "batch_not_finished"


class WebhookNotAllowedError(RequestError):
    """The host of a webhook URL is not in the egress allow-list."""

    code = "webhook_not_allowed"


class CredentialsUnavailableError(RequestError):
    """Content Credentials are requested, but this installation cannot sign them."""

    code = "credentials_unavailable"


class IdempotencyConflictError(RequestError):
    """An Idempotency-Key was used again with a different request."""

    code = "idempotency_conflict"


class FeaturesUnreadableError(ObscuraError):
    """Stored features are damaged or of another version; they can be computed again from the photo."""

    code = "features_unreadable"


class AccessError(ObscuraError):
    """The caller may not do this."""

    code = "access_denied"


class KeyRequiredError(AccessError):
    """The request has no API key, and one is required."""

    code = "key_required"


class InvalidKeyError(AccessError):
    """The API key is unknown, revoked or expired."""

    code = "invalid_key"


class MissingScopeError(AccessError):
    """The API key does not have the required scope."""

    code = "missing_scope"


class ForeignOriginError(AccessError):
    """A browser sent the request from a web page of another, not allowed origin."""

    code = "foreign_origin"


class UnknownHostError(AccessError):
    """The Host header is not one of the allowed hosts."""

    code = "unknown_host"


class RateLimitedError(AccessError):
    """The rate limit is exceeded; retry after ``retry_after_s`` seconds."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyStreamsError(RateLimitedError):
    """The API key has as many open event streams as allowed."""

    code = "too_many_streams"


class ShareExceededError(RateLimitedError):
    """The API key has used up its share of the queue or of the job store."""

    code = "share_exceeded"


class ConflictError(RequestError):
    """An id is taken, or the thing to be removed is still in use."""

    code = "conflict"


class LookupFailedError(ObscuraError):
    """The requested thing does not exist, or not any more."""

    code = "not_found"


class UnknownTaskError(LookupFailedError):
    """There is no task with this id: it never existed, was erased, or belongs to another owner."""

    code = "unknown_task"


class UnknownBatchError(LookupFailedError):
    """There is no batch with this id (any more)."""

    code = "unknown_batch"


class BatchUnreadableError(UnknownBatchError):
    """The record of the batch is damaged; it can still be erased."""

    code = "batch_unreadable"


class UnknownKeyError(LookupFailedError):
    """There is no API key with this id."""

    code = "unknown_key"


class UnknownRecordError(LookupFailedError):
    """There is no challenge or participation with this id."""

    code = "unknown_row"


class NoPictureError(LookupFailedError):
    """The task has no picture: it is not finished, has failed, or is a detection."""

    code = "no_picture"


class OriginalErasedError(LookupFailedError):
    """The original photo of the task has been erased."""

    code = "original_erased"


class ModelError(ObscuraError):
    """Weights or an inference engine cannot be used."""

    code = "model_error"


class ModelMissingError(ModelError):
    """A weights file or its manifest entry is missing."""

    code = "model_missing"


class ModelCorruptError(ModelError):
    """The checksum of a weights file differs from its manifest."""

    code = "model_corrupt"


class BackendUnavailableError(ModelError):
    """A backend (inference engine, video library) is not installed or cannot use the file."""

    code = "backend_unavailable"


class ClassUnavailableError(ModelError):
    """A class of objects cannot be detected here: what it needs is not installed."""

    code = "class_unavailable"


class SettingsInvalidError(ObscuraError):
    """The environment contains unknown variables or invalid values; the message has a line for each."""

    code = "settings_invalid"


class ServiceError(ObscuraError):
    """A part of the system is down or full; a later attempt may succeed."""

    code = "service_unavailable"


class QueueUnavailableError(ServiceError):
    """The broker or the job store cannot be reached, or is full."""

    code = "queue_unavailable"


class QueueFullError(ServiceError):
    """The limit of unfinished jobs is reached."""

    code = "queue_full"


class StorageUnavailableError(ServiceError):
    """The photo storage cannot be reached or is full."""

    code = "storage_unavailable"


class DatabaseUnavailableError(ServiceError):
    """The database of photo verification cannot be reached or reports an error."""

    code = "database_unavailable"


class TaggerError(ServiceError):
    """The tagger returned no tags."""

    code = "tagger_failed"


class TaggerMissingError(TaggerError):
    """No tagger is configured, or its key, model or labels are missing."""

    code = "tagger_missing"


class TaggerRefusedError(TaggerError):
    """The tagging service refused the key."""

    code = "tagger_refused"


class TaggerTimedOutError(TaggerError):
    """The tagging service did not answer in time."""

    code = "tagger_timed_out"


class TaggerUnavailableError(TaggerError):
    """The tagging service cannot be reached, or failed."""

    code = "tagger_unavailable"


class EmbeddedServerError(ServiceError):
    """The embedded Valkey server could not be started."""

    code = "embedded_server_failed"


class AuditBrokenError(ObscuraError):
    """The hash chain of the audit log is broken: a record was changed, removed or added."""

    code = "audit_broken"


class TracingUnavailableError(ObscuraError):
    """Tracing is configured, but traces cannot be created or written."""

    code = "tracing_unavailable"


class ProcessingError(ObscuraError):
    """A worker could not finish the job."""

    code = "processing_error"


class ProcessingFailedError(ProcessingError):
    """An unexpected error in a worker."""

    code = "processing_failed"


class ProcessingTimedOutError(ProcessingError):
    """The step exceeded its time limit."""

    code = "processing_timed_out"


class WorkerLostError(ProcessingError):
    """The workers of this job died in all attempts of a step."""

    code = "worker_lost"


class JobLostError(ProcessingError):
    """The job store lost its data, and with it the record of this job."""

    code = "job_lost"


class RecordUnreadableError(ProcessingError):
    """The record of this job, or a field to be written into it, is damaged or too large."""

    code = "record_unreadable"


class RemoteError(ObscuraError):
    """A call of the client failed."""

    code = "remote_error"


class RemoteRefusalError(RemoteError):
    """The server refused a request; ``status`` is the HTTP status, ``remote_code`` its error code."""

    code = "remote_refusal"

    def __init__(self, message: str, status: int, remote_code: str) -> None:
        super().__init__(message)
        self.status = status
        self.remote_code = remote_code


class RemoteTaskFailedError(RemoteError):
    """The task failed on the server; ``remote_code`` is its error code."""

    code = "remote_task_failed"

    def __init__(self, message: str, remote_code: str) -> None:
        super().__init__(message)
        self.remote_code = remote_code


class ServerUnreachableError(RemoteError):
    """The server did not answer in time."""

    code = "server_unreachable"


class AnswerUnreadableError(RemoteError):
    """The server answered with something that this version of the client does not understand."""

    code = "answer_unreadable"


class WebhookInvalidError(RemoteError):
    """A received webhook has no valid signature, is too old, or is malformed."""

    code = "webhook_invalid"
