//! Turns PHP values into JSON values. The types of the protocol do the checking.

use allegro_base::error::{Error, Result};
use ext_php_rs::types::{ZendHashTable, Zval};
use serde_json::{Map, Number, Value};

/// The greatest nesting depth, which no request comes near.
const MAX_DEPTH: usize = 32;

/// Returns a PHP array as JSON: a list if its keys are 0, 1, 2, …, else an object.
pub fn to_json(array: &ZendHashTable) -> Result<Value> {
    array_to_json(array, 0)
}

fn array_to_json(array: &ZendHashTable, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(Error::Input("a request is nested too deeply".to_owned()));
    }
    if array.has_sequential_keys() {
        return array
            .values()
            .map(|value| value_to_json(value, depth))
            .collect::<Result<Vec<_>>>()
            .map(Value::Array);
    }
    let mut map = Map::with_capacity(array.len());
    // The loop doesn't use an `Iterator`, which panics at a key that isn't UTF-8.
    let mut items = array.iter();
    while let Some((key, value)) = items.next_zval() {
        let key = match key.long() {
            Some(index) => index.to_string(),
            None => key
                .str()
                .map(str::to_owned)
                .ok_or_else(|| Error::Input("a key of a request is not valid UTF-8".to_owned()))?,
        };
        map.insert(key, value_to_json(value, depth)?);
    }
    Ok(Value::Object(map))
}

fn value_to_json(value: &Zval, depth: usize) -> Result<Value> {
    let value = value.dereference();
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Some(flag) = value.bool() {
        return Ok(Value::Bool(flag));
    }
    if let Some(number) = value.long() {
        return Ok(Value::Number(number.into()));
    }
    if let Some(number) = value.double() {
        return Ok(Number::from_f64(number).map_or(Value::Null, Value::Number));
    }
    if let Some(array) = value.array() {
        return array_to_json(array, depth + 1);
    }
    if value.is_string() {
        return value
            .str()
            .map(Value::from)
            .ok_or_else(|| Error::Input("a text of a request is not valid UTF-8".to_owned()));
    }
    Err(Error::Input(format!(
        "a request can't hold a value of type {}",
        value.get_type()
    )))
}
