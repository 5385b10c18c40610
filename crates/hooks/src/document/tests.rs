use super::Document;
use proptest::prelude::*;
use serde_json::{Value, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\/{}\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{1,2}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_put_in_is_there_and_comes_out_without_a_trace(
        members in prop::collection::btree_map("[a-f]{1,3}", value(), 0..4), pretty: bool, new in value()
    ) {
        let whole = json!(members);
        let text = if pretty { serde_json::to_string_pretty(&whole).unwrap() } else { whole.to_string() };
        let with = Document::parse(&text).unwrap().appended(&["hooks", "E"], &new).unwrap();
        let mut expected = whole.clone();
        expected["hooks"] = json!({"E": [new.clone()]});
        prop_assert_eq!(serde_json::from_str::<Value>(with.text()).unwrap(), expected);
        let back = with.without(&["hooks", "E"], |element| *element == new).unwrap();
        prop_assert_eq!(back.text(), text);
    }

    #[test]
    fn no_text_makes_it_fall_over(text in "[\\[\\]{}\",:/* \n1a]{0,30}") {
        let _either = Document::parse(&text);
    }
}
