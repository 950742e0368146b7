"""The records of an archive. Their fields are the format: another field is another version."""

from knowledge.choices import (
    NodeStatus,
    RelationOrigin,
    RelationStatus,
    SourceKind,
    VersionOrigin,
)
from knowledge.exporting.fields import (
    Field,
    Schema,
    anchor,
    date,
    digest,
    fields,
    json_object,
    list_of,
    name,
    nested,
    nested_list,
    number,
    one_of,
    or_none,
    pattern,
    share,
    size,
    text,
    time,
    uuid_text,
)

MANY = 1_000_000
_ANY_TEXT = text(2**31)
_NAME = text(150)
_SHORT = text(64)
_KIND = pattern(r"[a-z][a-z0-9_-]*", 40)
_CONTENT = text(10_000_000)

VERSION_FACTS: Schema = {
    "version": Field("version", number),
    "type": Field("history_type", one_of("+", "~", "-")),
    "parents": Field("parents", list_of(number, 100)),
    "author": Field("author_name", _NAME),
    "reason": Field("history_change_reason", _ANY_TEXT),
    "date": Field("history_date", time),
    "origin": Field("change_origin", one_of(*VersionOrigin.values)),
    "origin_id": Field("change_origin_id", or_none(uuid_text)),
    "trace_id": Field("trace_id", _SHORT),
    "checksum": Field("checksum", digest),
    "chain": Field("chain", digest),
    "erased_at": Field("erased_at", or_none(time)),
}

NODE_VERSION: Schema = {
    **VERSION_FACTS,
    **fields(
        kind=_KIND,
        title=text(300),
        content=_CONTENT,
        language=text(10),
        tags=list_of(_SHORT, 1000),
        metadata=json_object,
        valid_from=or_none(time),
        valid_until=or_none(time),
        status=one_of(*NodeStatus.values),
        review_due=or_none(date),
        external_id=or_none(text(200)),
        source_id=or_none(uuid_text),
        anchors=list_of(anchor, MANY),
        updated_at=time,
        published_at=or_none(time),
    ),
    "owner": Field("owner_name", _NAME),
}

RELATION_VERSION: Schema = {
    **VERSION_FACTS,
    **fields(kind=_KIND, weight=share, metadata=json_object, status=one_of(*RelationStatus.values)),
    "source": Field("source_id", uuid_text),
    "target": Field("target_id", uuid_text),
    "made_by": Field("origin", one_of(*RelationOrigin.values)),
    "created_by": Field("created_by_name", _NAME),
}

PUBLICATION: Schema = fields(version=number, started_at=time, ended_at=or_none(time))
VERSION_TAG: Schema = fields(version=number, name=_SHORT, created_at=time, created_by=_NAME)

SOURCE: Schema = fields(
    id=uuid_text,
    kind=one_of(*SourceKind.values),
    title=text(300),
    filename=text(255),
    content_type=text(127),
    size=size,
    sha256=digest,
    file=or_none(text(200)),
    origin=text(2000),
    language=text(10),
    tags=list_of(_SHORT, 1000),
    created_by=_NAME,
    created_at=time,
)

ENTRY: Schema = {
    **fields(
        id=uuid_text,
        version=number,
        checksum=digest,
        file=text(500),
        history=text(500),
        created_at=time,
        updated_at=time,
        published_at=or_none(time),
        owner=_NAME,
        review_due=or_none(date),
        external_id=or_none(text(200)),
        source_id=or_none(uuid_text),
    ),
    "publications": nested_list("publications", PUBLICATION, MANY),
    "version_tags": nested_list("version_tags", VERSION_TAG, MANY),
}

RELATION: Schema = {
    **fields(id=uuid_text, version=number, checksum=digest, created_at=time),
    "versions": nested_list("versions", RELATION_VERSION, MANY),
}

RELEASE: Schema = fields(
    id=uuid_text,
    name=name(120),
    description=_ANY_TEXT,
    as_of=time,
    created_at=time,
    created_by=_NAME,
    node_count=number,
    relation_count=number,
    checksum=digest,
)
SPACE: Schema = fields(id=uuid_text, name=text(120), slug=text(80), language=text(10))

MANIFEST: Schema = {
    "release": nested("release", RELEASE),
    "space": nested("space", SPACE),
    **fields(versions=number, attachments=number, missing_attachments=number, sums=digest),
}
