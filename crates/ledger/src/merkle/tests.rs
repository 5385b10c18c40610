use super::*;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|index| leaf_hash(format!("entry {index}").as_bytes()))
        .collect()
}

/// MTH, word for word from RFC 6962 section 2.1.
fn tree_hash(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&tree_hash(&leaves[..k]), &tree_hash(&leaves[k..]))
        }
    }
}

fn proof(ranges: &[(u64, u64)], leaves: &[Hash]) -> Vec<Hash> {
    let mut collector = Collector::new(ranges);
    for (index, leaf) in leaves.iter().enumerate() {
        collector.add(index as u64, *leaf);
    }
    collector.finish().unwrap()
}

#[test]
fn the_compact_form_has_the_root_of_the_definition() {
    let all = leaves(300);
    let mut compact = Compact::default();
    for size in 0..=300 {
        assert_eq!(compact.root(), tree_hash(&all[..size]), "{size}");
        assert_eq!(
            Compact::from_nodes(size as u64, compact.nodes().to_vec()).as_ref(),
            Some(&compact)
        );
        if let Some(leaf) = all.get(size) {
            compact.push(*leaf);
        }
    }
}

#[test]
fn roots_of_the_published_test_vectors() {
    // The eight leaves and roots of the certificate-transparency reference tests.
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    };
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut compact = Compact::default();
    for (input, root) in inputs.iter().zip(roots) {
        compact.push(leaf_hash(&hex(input)));
        assert_eq!(compact.root().to_vec(), hex(root));
    }
}

#[test]
fn every_inclusion_proof_verifies_and_no_other_does() {
    let all = leaves(70);
    for size in 1..=70_u64 {
        let tree = &all[..size as usize];
        let root = tree_hash(tree);
        for index in 0..size {
            let path = proof(&inclusion_ranges(index, size), tree);
            let leaf = all[index as usize];
            assert!(verify_inclusion(leaf, index, size, &path, &root));
            assert!(!verify_inclusion(leaf, index + 1, size, &path, &root));
            assert!(!verify_inclusion(leaf_hash(b"other"), index, size, &path, &root));
            let mut longer = path.clone();
            longer.push(root);
            assert!(!verify_inclusion(leaf, index, size, &longer, &root));
            if !path.is_empty() {
                assert!(!verify_inclusion(leaf, index, size, &path[1..], &root));
            }
        }
    }
}

#[test]
fn every_consistency_proof_verifies_and_no_other_does() {
    let all = leaves(70);
    for new in 1..=70_u64 {
        let new_root = tree_hash(&all[..new as usize]);
        for old in 0..=new {
            let old_root = tree_hash(&all[..old as usize]);
            let path = proof(&consistency_ranges(old, new), &all[..new as usize]);
            assert!(
                verify_consistency(old, new, &path, &old_root, &new_root),
                "{old} {new}"
            );
            if old > 0 && old < new {
                assert!(!verify_consistency(old, new, &path, &new_root, &new_root));
                assert!(!verify_consistency(old, new, &path, &old_root, &old_root));
                assert!(!verify_consistency(
                    old,
                    new,
                    &path[..path.len() - 1],
                    &old_root,
                    &new_root
                ));
            }
        }
    }
}
