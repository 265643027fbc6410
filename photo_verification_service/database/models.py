"""SQLAlchemy models of the tables.

Four tables are an interface to other programs: ``challenge``, ``participation``, ``auth_standard_img`` and
``feed`` have exactly the columns of the legacy photo verification database. The others are internal.

Every photo belongs to the API key that sent it: ``photo_facts.owner`` is the key's id, empty without API
keys. A photo without a row there was written by another program and belongs to the empty owner.
"""

from datetime import date, datetime, time

from sqlalchemy import BigInteger, Double, ForeignKey, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime

# SQLite generates ids only for a primary key of type INTEGER.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
OWNER_LENGTH = 64


class Base(DeclarativeBase):
    """Base of all tables; constraints have names, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


class Challenge(Base):
    """A challenge: days and daily hours in which it is open, wall-clock time of `Settings.time_zone`."""

    __tablename__ = "challenge"

    challenge_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    start_date: Mapped[date]
    end_date: Mapped[date]
    start_time: Mapped[time]
    end_time: Mapped[time]


class Participation(Base):
    """A participation in a challenge."""

    __tablename__ = "participation"

    participation_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    challenge_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("challenge.challenge_id"), index=True)


class AuthStandardImg(Base):
    """The current standard photo of a participation: one row per owner (see `PhotoFacts`).

    No foreign key, because an app may register the photo before it creates the participation.
    """

    __tablename__ = "auth_standard_img"

    auth_standard_img_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    participation_id: Mapped[int] = mapped_column(BigInteger, index=True)
    standard_img: Mapped[str] = mapped_column(Text)


class Feed(Base):
    """An accepted photo. Its URL is unique, so a repeated step adds it once."""

    __tablename__ = "feed"

    feed_id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    feed_type: Mapped[str] = mapped_column(String(16), server_default="auth")
    participation_id: Mapped[int] = mapped_column(BigInteger, index=True)
    created_datetime: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    feed_img: Mapped[str] = mapped_column(Text, unique=True)
    feed_content: Mapped[str] = mapped_column(Text)


class NamedStandardImg(Base):
    """The current standard photo that an owner stored under a name (first version of the API)."""

    __tablename__ = "named_standard_img"

    owner: Mapped[str] = mapped_column(String(OWNER_LENGTH), primary_key=True, server_default="")
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    standard_img: Mapped[str] = mapped_column(Text)


class PhotoFacts(Base):
    """Owner, size, fingerprint and features of a stored photo, so that it need not be decoded again."""

    __tablename__ = "photo_facts"

    url: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(String(OWNER_LENGTH), index=True, server_default="")
    participation_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    size: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(String(64))
    features: Mapped[bytes | None] = mapped_column(LargeBinary)


class PendingObject(Base):
    """A stored object without a row (yet, or any more).

    Inserted before an upload and deleted by the transaction that writes the row. A row here after ``expires``
    was left by a process that died in between; ``doomed`` objects are marked for deletion.
    """

    __tablename__ = "pending_object"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    expires: Mapped[float] = mapped_column(Double, index=True)
    doomed: Mapped[bool]
