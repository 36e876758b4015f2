//! The description of the API, and as much of JSON Schema as it uses. A word that is not known here fails the test.

use serde_json::Value;

/// The description, as the server gives it out.
pub(crate) struct Description(pub(crate) Value);

/// What a request can be made of, and what it can be answered with.
pub(crate) struct Operation<'d> {
    pub(crate) method: String,
    pub(crate) path: &'d str,
    description: &'d Description,
    node: &'d Value,
}

impl Description {
    /// Every operation of every path.
    pub(crate) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths.iter().flatten_paths(self)
    }

    /// What `node` refers to, or itself.
    fn resolved<'d>(&'d self, node: &'d Value) -> &'d Value {
        let Some(reference) = node["$ref"].as_str() else {
            return node;
        };
        let pointer = reference.strip_prefix('#').expect("a place in this file");
        self.0
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference} is not there"))
    }

    /// Asserts that `value`, which is found `at`, is as `schema` says.
    #[track_caller]
    pub(crate) fn check(&self, schema: &Value, value: &Value, at: &str) {
        if let Some(broken) = self.broken(schema, value, at) {
            panic!("{broken}");
        }
    }

    /// What is wrong with `value`.
    fn broken(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        let schema = self.resolved(schema);
        let words = schema.as_object().expect("a schema");
        words.iter().find_map(|(word, argument)| {
            let is_right = match word.as_str() {
                "type" => types(argument).any(|name| is_of_type(value, name)),
                "enum" => argument.as_array()?.contains(value),
                "minimum" => value
                    .as_f64()
                    .is_none_or(|number| number >= argument.as_f64().unwrap_or(f64::NAN)),
                "minLength" => value
                    .as_str()
                    .is_none_or(|text| text.len() as u64 >= argument.as_u64().unwrap_or(u64::MAX)),
                "pattern" => {
                    assert_eq!(argument, "^/.", "the only one that is known here");
                    value
                        .as_str()
                        .is_none_or(|text| text.len() > 1 && text.starts_with('/'))
                }
                "oneOf" => {
                    let schemas = argument.as_array().expect("schemas");
                    let fits = |schema: &&Value| self.broken(schema, value, at).is_none();
                    schemas.iter().filter(fits).count() == 1
                }
                "required" => {
                    let mut names = argument.as_array().expect("names").iter();
                    names.all(|name| {
                        !value.is_object() || value.get(name.as_str().unwrap_or_default()).is_some()
                    })
                }
                "items" => {
                    let items = value.as_array()?.iter();
                    return items
                        .enumerate()
                        .find_map(|(n, item)| self.broken(argument, item, &format!("{at}[{n}]")));
                }
                "properties" | "additionalProperties" => {
                    return self.broken_member(schema, value, at);
                }
                "description" | "examples" | "default" => true,
                _ => panic!("{word} is not known here"),
            };
            (!is_right).then(|| format!("{at} breaks {word} {argument}: {value}"))
        })
    }

    fn broken_member(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        value.as_object()?.iter().find_map(|(name, member)| {
            let at = format!("{at}.{name}");
            match (
                schema["properties"].get(name),
                &schema["additionalProperties"],
            ) {
                (Some(schema), _) => self.broken(schema, member, &at),
                (None, Value::Null | Value::Bool(true)) => None,
                (None, Value::Bool(false)) => Some(format!("{at} is not described")),
                (None, schema) => self.broken(schema, member, &at),
            }
        })
    }
}

impl<'d> Operation<'d> {
    /// The statuses that it is described to answer with.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let responses = self.node["responses"].as_object().expect("responses");
        let statuses = responses.keys().map(|status| status.parse());
        statuses.collect::<Result<_, _>>().expect("numbers")
    }

    /// Whether it wants a key.
    pub(crate) fn wants_key(&self) -> bool {
        self.node["security"].is_null()
    }

    /// Asserts that a response with that status may look so.
    #[track_caller]
    pub(crate) fn check(&self, status: u16, header: impl Fn(&str) -> Option<String>, body: &Value) {
        let at = format!("{} {} {status}", self.method, self.path);
        let response = &self.node["responses"][status.to_string()];
        assert!(!response.is_null(), "{at} is not described: {body}");
        let response = self.description.resolved(response);
        let schema = &response["content"]["application/json"]["schema"];
        self.description.check(schema, body, &at);
        for name in response["headers"].as_object().into_iter().flatten() {
            assert!(header(name.0).is_some(), "{at} has no {}", name.0);
        }
    }
}

/// What is below a list of paths.
trait Paths<'d>: Iterator<Item = (&'d String, &'d Value)> + Sized + 'd {
    fn flatten_paths(self, description: &'d Description) -> impl Iterator<Item = Operation<'d>> {
        self.flat_map(move |(path, item)| {
            let methods = item.as_object().expect("methods").iter();
            methods.map(move |(method, node)| Operation {
                method: method.to_uppercase(),
                path,
                description,
                node,
            })
        })
    }
}

impl<'d, I: Iterator<Item = (&'d String, &'d Value)> + 'd> Paths<'d> for I {}

fn types(argument: &Value) -> impl Iterator<Item = &str> {
    let several = argument.as_array().into_iter().flatten();
    several.chain([argument]).filter_map(Value::as_str)
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("{name} is not known here"),
    }
}
