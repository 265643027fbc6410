"""The tree of all errors, each with a stable code.

The tree (HTTP status codes are no business of this module: the gateway maps classes to them)::

    ObscuraError
    ├── PhotoError              the bytes handed in cannot be used
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
    ├── RequestError            what was asked for cannot be done
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
    ├── FeaturesUnreadableError features_unreadable: a cache that cannot be used
    ├── AccessError             the caller may not do this
    │   ├── KeyRequiredError            key_required
    │   ├── InvalidKeyError             invalid_key
    │   ├── MissingScopeError           missing_scope
    │   ├── ForeignOriginError          foreign_origin
    │   ├── UnknownHostError            unknown_host
    │   └── RateLimitedError            rate_limited
    │       ├── TooManyStreamsError         too_many_streams
    │       └── ShareExceededError          share_exceeded
    ├── LookupFailedError       a thing that is not there (any more)
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
    │   └── BackendUnavailableError     backend_unavailable
    ├── ServiceError            a part of the system is down or full
    │   ├── QueueUnavailableError       queue_unavailable
    │   ├── QueueFullError              queue_full
    │   ├── StorageUnavailableError     storage_unavailable
    │   ├── DatabaseUnavailableError    database_unavailable
    │   ├── TaggerError                 what a photo shows cannot be said
    │   │   ├── TaggerMissingError          tagger_missing
    │   │   ├── TaggerRefusedError          tagger_refused
    │   │   ├── TaggerTimedOutError         tagger_timed_out
    │   │   └── TaggerUnavailableError      tagger_unavailable
    │   └── EmbeddedServerError         embedded_server_failed
    ├── AuditBrokenError        audit_broken: the audit log was tampered with
    ├── TracingUnavailableError tracing_unavailable: traces are asked for and cannot be made
    ├── ProcessingError         the work was begun and could not be ended
    │   ├── ProcessingFailedError       processing_failed
    │   ├── ProcessingTimedOutError     processing_timed_out
    │   ├── WorkerLostError             worker_lost (written by the job ledger)
    │   ├── JobLostError                job_lost (the job ledger was emptied)
    │   └── RecordUnreadableError       record_unreadable (what the ledger holds of the job is damaged)
    └── RemoteError             a server that the client talks to said no, or nothing
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
    """The bytes handed in cannot be used as a photo."""

    code = "unusable_photo"


class EmptyPhotoError(PhotoError):
    """No bytes at all."""

    code = "empty_photo"


class PhotoTooLargeError(PhotoError):
    """More bytes than the limit."""

    code = "photo_too_large"


class UnsupportedFormatError(PhotoError):
    """Not one of the accepted image formats, whatever its name says."""

    code = "unsupported_format"


class UnsupportedCodecError(UnsupportedFormatError):
    """A video whose pictures are coded in a way that is not accepted."""

    code = "unsupported_codec"


class UndecodablePhotoError(PhotoError):
    """Looks like an accepted format but cannot be decoded."""

    code = "undecodable_photo"


class TruncatedPhotoError(PhotoError):
    """The file ends before the picture does."""

    code = "truncated_photo"


class TooManyPixelsError(PhotoError):
    """More pixels, or a longer side, than the limit."""

    code = "too_many_pixels"


class TooManyScansError(PhotoError):
    """A progressive JPEG with more scans than any encoder writes: a decoding bomb."""

    code = "too_many_scans"


class PhotoTooCostlyError(PhotoError):
    """Opening it takes more processor time or memory than any photo of its size does."""

    code = "photo_too_costly"


class AnimatedPhotoError(PhotoError):
    """More than one frame or page."""

    code = "animated_photo"


class VideoTooLongError(PhotoError):
    """A video of more seconds or pictures than the limit."""

    code = "video_too_long"


class NotSpliceableError(PhotoError):
    """A JPEG that cannot be changed in place: it would have to be decoded and encoded again."""

    code = "not_spliceable"


class RequestError(ObscuraError):
    """What was asked for cannot be done."""

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
    """An option asks for weaker hiding than this server allows."""

    code = "weaker_than_policy"


class TooManyFilesError(RequestError):
    """A batch has more files than this server takes at once."""

    code = "too_many_files"


class ArchiveTooLargeError(RequestError):
    """A zip unpacks to more than this server takes, or to more than its own size explains."""

    code = "archive_too_large"


class BatchNotFinishedError(RequestError):
    """The archive of a batch was asked for before its end."""

    code = "batch_not_finished"


class WebhookNotAllowedError(RequestError):
    """A webhook names a host that this installation does not tell anything."""

    code = "webhook_not_allowed"


class CredentialsUnavailableError(RequestError):
    """Content Credentials are asked for, and this installation cannot sign any."""

    code = "credentials_unavailable"


class IdempotencyConflictError(RequestError):
    """An Idempotency-Key was used again with another body."""

    code = "idempotency_conflict"


class FeaturesUnreadableError(ObscuraError):
    """Stored features are damaged or of another version; they can be found anew from the photo."""

    code = "features_unreadable"


class AccessError(ObscuraError):
    """The caller may not do this."""

    code = "access_denied"


class KeyRequiredError(AccessError):
    """An API key is asked for and there was none."""

    code = "key_required"


class InvalidKeyError(AccessError):
    """The API key is unknown, revoked or expired."""

    code = "invalid_key"


class MissingScopeError(AccessError):
    """The API key is valid but was not made for this."""

    code = "missing_scope"


class ForeignOriginError(AccessError):
    """A web page of somebody else's made a browser ask."""

    code = "foreign_origin"


class UnknownHostError(AccessError):
    """The request names a host that this installation does not answer for."""

    code = "unknown_host"


class RateLimitedError(AccessError):
    """More requests than are allowed; ``retry_after_s`` says when there is room again."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyStreamsError(RateLimitedError):
    """More event streams are open at once than one key may have."""

    code = "too_many_streams"


class ShareExceededError(RateLimitedError):
    """The key holds its share of the queue or of the store; others still have room."""

    code = "share_exceeded"


class ConflictError(RequestError):
    """An id is taken, or a thing is still in use."""

    code = "conflict"


class LookupFailedError(ObscuraError):
    """A thing that is not there, or not any more."""

    code = "not_found"


class UnknownTaskError(LookupFailedError):
    """No task of this id: never was, erased, or somebody else's."""

    code = "unknown_task"


class UnknownBatchError(LookupFailedError):
    """There is no batch of this id (any more)."""

    code = "unknown_batch"


class BatchUnreadableError(UnknownBatchError):
    """The record of the batch is damaged; it can still be erased."""

    code = "batch_unreadable"


class UnknownKeyError(LookupFailedError):
    """No API key of this id."""

    code = "unknown_key"


class UnknownRecordError(LookupFailedError):
    """No challenge or participation of this id."""

    code = "unknown_row"


class NoPictureError(LookupFailedError):
    """The task has no picture to give: not finished, failed, or a detection."""

    code = "no_picture"


class OriginalErasedError(LookupFailedError):
    """The original photo of the task is gone, so it cannot be worked on again."""

    code = "original_erased"


class ModelError(ObscuraError):
    """Weights or engines that cannot be used."""

    code = "model_error"


class ModelMissingError(ModelError):
    """A weights file or manifest entry is absent."""

    code = "model_missing"


class ModelCorruptError(ModelError):
    """A weights file does not have the checksum its manifest states."""

    code = "model_corrupt"


class BackendUnavailableError(ModelError):
    """The chosen inference engine is not installed or cannot run the file."""

    code = "backend_unavailable"


class SettingsInvalidError(ObscuraError):
    """The environment holds an unknown variable or a value that is not allowed; a line for each."""

    code = "settings_invalid"


class ServiceError(ObscuraError):
    """A part of the system is down or full; trying again later may help."""

    code = "service_unavailable"


class QueueUnavailableError(ServiceError):
    """The broker or the job ledger cannot be reached."""

    code = "queue_unavailable"


class QueueFullError(ServiceError):
    """As many unfinished jobs as are allowed."""

    code = "queue_full"


class StorageUnavailableError(ServiceError):
    """The photo storage cannot be reached or is full."""

    code = "storage_unavailable"


class DatabaseUnavailableError(ServiceError):
    """The database of photo verification cannot be reached, or refuses."""

    code = "database_unavailable"


class TaggerError(ServiceError):
    """What a photo shows cannot be said now."""

    code = "tagger_failed"


class TaggerMissingError(TaggerError):
    """No tagger is set up, or the one that is lacks its key, model or labels."""

    code = "tagger_missing"


class TaggerRefusedError(TaggerError):
    """The tagging service refuses the key."""

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
    """The audit log does not hold together: something was changed, removed or added."""

    code = "audit_broken"


class TracingUnavailableError(ObscuraError):
    """Traces are asked for, and cannot be made or written."""

    code = "tracing_unavailable"


class ProcessingError(ObscuraError):
    """The work was begun and could not be ended."""

    code = "processing_error"


class ProcessingFailedError(ProcessingError):
    """An unforeseen fault in a worker."""

    code = "processing_failed"


class ProcessingTimedOutError(ProcessingError):
    """The work took longer than its time limit."""

    code = "processing_timed_out"


class WorkerLostError(ProcessingError):
    """The workers of this job died as often as is tried."""

    code = "worker_lost"


class JobLostError(ProcessingError):
    """The job ledger lost its rows, and with them what it knew of this job."""

    code = "job_lost"


class RecordUnreadableError(ProcessingError):
    """What the job ledger holds of this job, or is asked to hold, is damaged or too large."""

    code = "record_unreadable"


class RemoteError(ObscuraError):
    """A call of the client did not end well."""

    code = "remote_error"


class RemoteRefusalError(RemoteError):
    """The server refused a request: ``status`` is HTTP's, ``remote_code`` the server's own stable code."""

    code = "remote_refusal"

    def __init__(self, message: str, status: int, remote_code: str) -> None:
        super().__init__(message)
        self.status = status
        self.remote_code = remote_code


class RemoteTaskFailedError(RemoteError):
    """The server took a photo and could not work on it; ``remote_code`` says why."""

    code = "remote_task_failed"

    def __init__(self, message: str, remote_code: str) -> None:
        super().__init__(message)
        self.remote_code = remote_code


class ServerUnreachableError(RemoteError):
    """No answer within the time that the caller had."""

    code = "server_unreachable"


class AnswerUnreadableError(RemoteError):
    """The server answered with something that this version of the client does not understand."""

    code = "answer_unreadable"


class WebhookInvalidError(RemoteError):
    """A webhook that was received is not signed with the secret, too old, or damaged."""

    code = "webhook_invalid"
