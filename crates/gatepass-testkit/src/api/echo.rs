use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header, request::Parts};
use serde_json::{Map, Value, json};

/// 200 with what arrived.
pub(super) fn echo(parts: &Parts, body: &[u8]) -> Response<Bytes> {
    let echo = json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "query": parts.uri.query(),
        "headers": headers(&parts.headers),
        "body_length": body.len(),
        "body": String::from_utf8_lossy(body),
    });
    let mut response = Response::new(Bytes::from(echo.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let text = |value: &HeaderValue| Value::from(String::from_utf8_lossy(value.as_bytes()));
    let values = |name| {
        let mut values: Vec<Value> = headers.get_all(name).iter().map(text).collect();
        if values.len() == 1 { values.remove(0) } else { Value::from(values) }
    };
    headers.keys().map(|name| (name.as_str().to_owned(), values(name))).collect()
}
