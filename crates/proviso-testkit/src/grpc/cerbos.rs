//! The messages of `cerbos.svc.v1.CerbosService/CheckResources`, as far as the benchmark asks.

use std::collections::HashMap;

/// The path of the question.
pub const CHECK_RESOURCES: &str = "/cerbos.svc.v1.CerbosService/CheckResources";

/// `EFFECT_ALLOW`.
pub const ALLOW: i32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Question {
    #[prost(message, optional, tag = "3")]
    pub principal: Option<Principal>,
    #[prost(message, repeated, tag = "4")]
    pub resources: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Principal {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, repeated, tag = "3")]
    pub roles: Vec<String>,
    #[prost(map = "string, message", tag = "4")]
    pub attr: HashMap<String, Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    #[prost(string, repeated, tag = "1")]
    pub actions: Vec<String>,
    #[prost(message, optional, tag = "2")]
    pub resource: Option<Resource>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Resource {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(map = "string, message", tag = "4")]
    pub attr: HashMap<String, Value>,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    #[prost(oneof = "Kind", tags = "3, 6")]
    pub kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Kind {
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(message, tag = "6")]
    List(List),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct List {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self { kind: Some(Kind::Text(text.to_owned())) }
    }

    pub fn list(texts: &[String]) -> Self {
        let values = texts.iter().map(|text| Self::text(text)).collect();
        Self { kind: Some(Kind::List(List { values })) }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Answer {
    #[prost(message, repeated, tag = "2")]
    pub results: Vec<Verdict>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Verdict {
    #[prost(map = "string, int32", tag = "2")]
    pub actions: HashMap<String, i32>,
}
