//! The messages of `envoy.service.auth.v3` as the tests read the protocol; written by nobody who
//! wrote the server's.

use std::collections::HashMap;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Question {
    #[prost(message, optional, tag = "1")]
    pub attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Attributes {
    #[prost(message, optional, tag = "4")]
    pub request: Option<Network>,
    /// Something that the server does not read.
    #[prost(map = "string, string", tag = "10")]
    pub context_extensions: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Network {
    #[prost(message, optional, tag = "2")]
    pub http: Option<Http>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Http {
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(map = "string, string", tag = "3")]
    pub headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    pub path: String,
    #[prost(string, tag = "5")]
    pub host: String,
    #[prost(int64, tag = "9")]
    pub size: i64,
    #[prost(string, tag = "10")]
    pub protocol: String,
    #[prost(string, tag = "11")]
    pub body: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Answer {
    #[prost(message, optional, tag = "1")]
    pub status: Option<Code>,
    #[prost(message, optional, tag = "2")]
    pub denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    pub ok: Option<Allowed>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Code {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Denied {
    #[prost(message, optional, tag = "1")]
    pub status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<Given>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Given {
    #[prost(message, optional, tag = "1")]
    pub header: Option<Pair>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Pair {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Allowed {
    #[prost(string, repeated, tag = "5")]
    pub headers_to_remove: Vec<String>,
}
