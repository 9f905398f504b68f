//! Turns answers into PHP values without a copy in between, because answers of large projects have
//! a hundred thousand texts.

use std::fmt::Display;

use allegro_base::error::{Error, Result};
use ext_php_rs::boxed::ZBox;
use ext_php_rs::types::{ZendHashTable, Zval};
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Returns a value as PHP has it, in the shape of its JSON. Objects become arrays with text keys.
pub fn to_zval(value: &(impl Serialize + ?Sized)) -> Result<Zval> {
    value
        .serialize(ToZval)
        .map_err(|Failed(text)| Error::Internal(text))
}

/// The reason why a value can't be made.
#[derive(Debug)]
struct Failed(String);

impl Display for Failed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl serde::ser::Error for Failed {
    fn custom<T: Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

impl From<ext_php_rs::error::Error> for Failed {
    fn from(error: ext_php_rs::error::Error) -> Self {
        Self(error.to_string())
    }
}

struct ToZval;

/// An array under way, and the name of the variant that has it as content.
struct Table {
    array: ZBox<ZendHashTable>,
    key: String,
    variant: Option<&'static str>,
}

fn table(len: Option<usize>, variant: Option<&'static str>) -> Result<Table, Failed> {
    let len = u32::try_from(len.unwrap_or(0)).unwrap_or(u32::MAX);
    Ok(Table {
        array: ZendHashTable::with_capacity(len),
        key: String::new(),
        variant,
    })
}

fn zval(set: impl FnOnce(&mut Zval)) -> Result<Zval, Failed> {
    let mut zval = Zval::new();
    set(&mut zval);
    Ok(zval)
}

impl Table {
    fn push(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Failed> {
        Ok(self.array.push(value.serialize(ToZval)?)?)
    }

    fn insert(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Failed> {
        Ok(self.array.insert(key, value.serialize(ToZval)?)?)
    }

    fn finish(self) -> Result<Zval, Failed> {
        let content = zval(|zval| zval.set_hashtable(self.array))?;
        match self.variant {
            Some(variant) => tagged(variant, content),
            None => Ok(content),
        }
    }
}

fn tagged(variant: &'static str, content: Zval) -> Result<Zval, Failed> {
    let mut array = ZendHashTable::with_capacity(1);
    array.insert(variant, content)?;
    zval(|zval| zval.set_hashtable(array))
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, value: $type) -> Result<Zval, Failed> {
            zval(|zval| match i64::try_from(value) {
                Ok(value) => zval.set_long(value),
                // PHP reads such numbers in JSON as floats, too.
                #[allow(clippy::cast_precision_loss, clippy::cast_lossless)]
                Err(_) => zval.set_double(value as f64),
            })
        })*
    };
}

impl Serializer for ToZval {
    type Ok = Zval;
    type Error = Failed;
    type SerializeSeq = Table;
    type SerializeTuple = Table;
    type SerializeTupleStruct = Table;
    type SerializeTupleVariant = Table;
    type SerializeMap = Table;
    type SerializeStruct = Table;
    type SerializeStructVariant = Table;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    }

    fn serialize_bool(self, value: bool) -> Result<Zval, Failed> {
        zval(|zval| zval.set_bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Zval, Failed> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Zval, Failed> {
        zval(|zval| zval.set_double(value))
    }

    fn serialize_char(self, value: char) -> Result<Zval, Failed> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Zval, Failed> {
        let mut zval = Zval::new();
        zval.set_string(value, false)?;
        Ok(zval)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Zval, Failed> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<Zval, Failed> {
        zval(Zval::set_null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Zval, Failed> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Zval, Failed> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Zval, Failed> {
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Zval, Failed> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Zval, Failed> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Zval, Failed> {
        tagged(variant, value.serialize(self)?)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Table, Failed> {
        table(len, None)
    }

    fn serialize_tuple(self, len: usize) -> Result<Table, Failed> {
        table(Some(len), None)
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<Table, Failed> {
        table(Some(len), None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Table, Failed> {
        table(Some(len), Some(variant))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Table, Failed> {
        table(len, None)
    }

    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<Table, Failed> {
        table(Some(len), None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Table, Failed> {
        table(Some(len), Some(variant))
    }
}

impl SerializeMap for Table {
    type Ok = Zval;
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        let key = key.serialize(ToZval)?;
        self.key = match key.str() {
            Some(text) => text.to_owned(),
            None => key
                .long()
                .map(|number| number.to_string())
                .ok_or_else(|| Failed("a key is neither text nor number".to_owned()))?,
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let key = std::mem::take(&mut self.key);
        self.insert(&key, value)
    }

    fn end(self) -> Result<Zval, Failed> {
        self.finish()
    }
}

/// Implements the traits of sequences, which differ only in the names of their methods. `structs`
/// does the same for structs with named fields.
macro_rules! lists {
    ($($list:ident::$method:ident),*) => {
        $(impl $list for Table {
            type Ok = Zval;
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.push(value)
            }

            fn end(self) -> Result<Zval, Failed> {
                self.finish()
            }
        })*
    };
}

macro_rules! structs {
    ($($fields:ident),*) => {
        $(impl $fields for Table {
            type Ok = Zval;
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Failed> {
                self.insert(key, value)
            }

            fn end(self) -> Result<Zval, Failed> {
                self.finish()
            }
        })*
    };
}

lists! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}
structs! { SerializeStruct, SerializeStructVariant }
