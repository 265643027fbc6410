"""SQLAlchemy models of the tables.

Four of them are the contract with other programs that read this database: ``challenge``, ``participation``,
``auth_standard_img`` and ``feed`` hold what seed 003 says and nothing else. The others are our own.

Every photo belongs to the API key that sent it: ``photo_facts.owner`` holds the key's id, empty where no keys
were asked for. A photo without a row there was entered by another program and belongs to the empty owner.
"""

from datetime import date, datetime, time

from sqlalchemy import BigInteger, Double, ForeignKey, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime

# SQLite numbers rows by itself only where the key is its own INTEGER.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
OWNER_LENGTH = 64


class Base(DeclarativeBase):
    """Base of all tables; constraints have names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


class Challenge(Base):
    """Days and daily hours in which photos count; wall-clock time of the zone in the settings."""

    __tablename__ = "challenge"

    challenge_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    start_date: Mapped[date]
    end_date: Mapped[date]
    start_time: Mapped[time]
    end_time: Mapped[time]


class Participation(Base):
    """Somebody's part in a challenge."""

    __tablename__ = "participation"

    participation_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    challenge_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("challenge.challenge_id"), index=True)


class AuthStandardImg(Base):
    """The current standard photo of a participation: one row for each owner (see `PhotoFacts`).

    No foreign key: an app may register the photo before it enters the participation.
    """

    __tablename__ = "auth_standard_img"

    auth_standard_img_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    participation_id: Mapped[int] = mapped_column(BigInteger, index=True)
    standard_img: Mapped[str] = mapped_column(Text)


class Feed(Base):
    """An accepted photo. Its URL is unique: a step that is done twice enters it once."""

    __tablename__ = "feed"

    feed_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    feed_type: Mapped[str] = mapped_column(String(16), server_default="auth")
    participation_id: Mapped[int] = mapped_column(BigInteger, index=True)
    created_datetime: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    feed_img: Mapped[str] = mapped_column(Text, unique=True)
    feed_content: Mapped[str] = mapped_column(Text)


class NamedStandardImg(Base):
    """The current standard photo of an owner's name (dialect 1)."""

    __tablename__ = "named_standard_img"

    owner: Mapped[str] = mapped_column(String(OWNER_LENGTH), primary_key=True, server_default="")
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    standard_img: Mapped[str] = mapped_column(Text)


class PhotoFacts(Base):
    """What is known of a stored photo, so that it need not be opened again; erased with the photo."""

    __tablename__ = "photo_facts"

    url: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(String(OWNER_LENGTH), index=True, server_default="")
    participation_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    size: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(String(64))
    features: Mapped[bytes | None] = mapped_column(LargeBinary)


class PendingObject(Base):
    """A stored object that no row speaks of (yet, or any more).

    Written before an upload and removed by the transaction that enters the row. What is left here after
    ``expires`` is the trace of a process that died between the two; ``doomed`` objects are to be erased.
    """

    __tablename__ = "pending_object"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    expires: Mapped[float] = mapped_column(Double, index=True)
    doomed: Mapped[bool]
