"""The digests of SQS, computed here because botocore does not verify them.

AWS page: "Amazon SQS message metadata", calculating the MD5 message digest for message attributes.
"""

import base64
import hashlib
import struct


def md5_of_body(body):
    """Hexadecimal MD5 of the body's UTF-8 bytes."""
    return hashlib.md5(body.encode()).hexdigest()


def md5_of_attributes(attributes):
    """Hexadecimal MD5 of message attributes (or message system attributes), in boto3's form."""

    def counted(data):
        return struct.pack(">I", len(data)) + data

    digest = hashlib.md5()
    for name in sorted(attributes, key=str.encode):
        value = attributes[name]
        digest.update(counted(name.encode()) + counted(value["DataType"].encode()))
        if value["DataType"].split(".")[0] == "Binary":
            digest.update(b"\x02" + counted(as_bytes(value["BinaryValue"])))
        else:
            digest.update(b"\x01" + counted(value["StringValue"].encode()))
    return digest.hexdigest()


def as_bytes(value):
    """The bytes of a binary value, which the command line shows as base64 text."""
    return base64.b64decode(value) if isinstance(value, str) else bytes(value)
