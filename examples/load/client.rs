//! One keep-alive connection with minimal HTTP. It shares the processors with the server that it
//! measures, so requests are prepared bytes, and only the status, the length and the receipt
//! handles of a response are parsed.

use crate::Result;
use memchr::memmem;
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROOM: usize = 64 * 1024;
const CONTENT_LENGTH: &[u8] = b"content-length:";

/// Returns the bytes of a request. It has all headers of an AWS client, so that parsing it costs
/// the server as much as a real one; the signature is made up.
pub fn request(host: &str, action: &str, body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_request(&mut bytes, host, action, body.as_bytes());
    bytes
}

/// Returns an SNS call in AWS Query, with parameters that are already encoded.
pub fn form_request(host: &str, parameters: &str) -> Vec<u8> {
    format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\
         User-Agent: load/1.0\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n\
         Content-Length: {}\r\n\r\n{parameters}",
        parameters.len()
    )
    .into_bytes()
}

/// Writes the result of [`request`] into a buffer that is reused.
pub fn write_request(bytes: &mut Vec<u8>, host: &str, action: &str, body: &[u8]) {
    bytes.clear();
    // Writing to a vector cannot fail.
    let _ = write!(
        bytes,
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.0\r\n\
         User-Agent: load/1.0\r\nX-Amz-Target: AmazonSQS.{action}\r\n\
         X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/sqs/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
         Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    bytes.extend_from_slice(body);
}

/// A connection for consecutive calls.
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: vec![0; ROOM] })
    }

    /// Sends a request and returns the body of its response, which must be a success.
    pub async fn call(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await?;
            if let Some(head) = Head::read(&self.input[..filled])? {
                break head;
            }
        };
        let end = head.length + head.content_length;
        if self.input.len() < end {
            self.input.resize(end, 0);
        }
        while filled < end {
            filled += self.read(filled).await?;
        }
        let body = &self.input[head.length..end];
        if head.status != 200 {
            return Err(format!("status {}: {}", head.status, text(body)).into());
        }
        Ok(body)
    }

    async fn read(&mut self, filled: usize) -> Result<usize> {
        match self.stream.read(&mut self.input[filled..]).await? {
            0 => Err("the server has closed the connection, or answers too much".into()),
            read => Ok(read),
        }
    }
}

struct Head {
    length: usize,
    status: u16,
    content_length: usize,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let mut lines = bytes[..end].split(|byte| *byte == b'\n');
        let status = lines.next().and_then(|line| line.get(9..12)).map(text);
        let status = status.and_then(|status| status.parse().ok()).ok_or("no status line")?;
        let content_length = lines
            .find(|line| {
                line.len() > CONTENT_LENGTH.len()
                    && line[..CONTENT_LENGTH.len()].eq_ignore_ascii_case(CONTENT_LENGTH)
            })
            .and_then(|line| text(&line[CONTENT_LENGTH.len()..]).trim().parse().ok())
            .ok_or("an answer without Content-Length")?;
        Ok(Some(Self { length: end + 4, status, content_length }))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the values of all string members of this name as they are in the JSON text: escaped, and
/// therefore usable in another JSON text.
pub fn members<'a>(
    json: &'a [u8],
    name: &'a memmem::Finder<'_>,
) -> impl Iterator<Item = &'a [u8]> + 'a {
    name.find_iter(json).filter_map(move |at| {
        let rest = &json[at + name.needle().len()..];
        let open = memchr::memchr(b'"', rest)?;
        let rest = &rest[open + 1..];
        Some(&rest[..memchr::memchr(b'"', rest)?])
    })
}

/// Finds `"Name":` for [`members`].
pub fn member(name: &str) -> memmem::Finder<'static> {
    memmem::Finder::new(&format!("\"{name}\":")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_handles_are_found_whatever_the_spacing() {
        let json = br#"{"Messages":[{"ReceiptHandle":"a\/b","Body":"x"},{"ReceiptHandle": "c"}]}"#;
        let name = member("ReceiptHandle");
        let found: Vec<_> = members(json, &name).collect();
        assert_eq!(found, [&b"a\\/b"[..], b"c"]);
    }

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        assert!(Head::read(&bytes[..bytes.len() - 1]).unwrap().is_none());
        let head = Head::read(bytes).unwrap().unwrap();
        assert_eq!((head.length, head.status, head.content_length), (bytes.len(), 200, 12));
    }
}
