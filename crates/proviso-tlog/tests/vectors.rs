//! Published vectors: the trees of RFC 6962 implementations, C2SP paths and notes.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "helpers of tests may fail loudly")]

use proviso_tlog::hash::{empty_root, leaf_hash};
use proviso_tlog::note::{ed25519_key_id, ed25519_verifier_key, parse_ed25519_verifier_key};
use proviso_tlog::proof::{TileReader, verify_consistency, verify_inclusion};
use proviso_tlog::{Checkpoint, Hash, SignedNote, TileId, Tree};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn hash(text: &str) -> Hash {
    hex(text).try_into().unwrap()
}

/// The eight leaves that certificate-transparency implementations share as test input.
fn leaves() -> [Vec<u8>; 8] {
    [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .map(hex)
}

/// The roots over the first one to eight of them.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn tree_of(count: usize) -> (Tree, Vec<Hash>) {
    let hashes: Vec<Hash> = leaves().iter().take(count).map(|leaf| leaf_hash(leaf)).collect();
    let mut tree = Tree::new();
    for hash in &hashes {
        tree.append(*hash, |_, _| ());
    }
    (tree, hashes)
}

// Covers: RFC 6962 §2.1
#[test]
fn roots_are_the_published_ones() {
    assert_eq!(
        empty_root(),
        hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
    assert_eq!(Tree::new().root(), empty_root());
    for (count, root) in (1..).zip(ROOTS) {
        assert_eq!(tree_of(count).0.root(), hash(root), "{count} leaves");
    }
}

// Covers: RFC 6962 §2.1.1
#[test]
fn inclusion_proofs_are_the_published_ones() {
    let cases: [(u64, u64, &[&str]); 4] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ];
    for (index, size, expected) in cases {
        let (tree, hashes) = tree_of(usize::try_from(size).unwrap());
        let mut reader = TileReader::new(size, |_| Some(hashes.clone()));
        let path = reader.inclusion(index, size).unwrap();
        assert_eq!(path, expected.iter().map(|text| hash(text)).collect::<Vec<_>>());
        let leaf = hashes[usize::try_from(index).unwrap()];
        assert!(verify_inclusion(&leaf, index, size, &path, &tree.root()));
    }
}

// Covers: RFC 6962 §2.1.2
#[test]
fn consistency_proofs_are_the_published_ones() {
    let cases: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    let root = |size: u64| hash(ROOTS[usize::try_from(size).unwrap() - 1]);
    for (old, new, expected) in cases {
        let (_, hashes) = tree_of(usize::try_from(new).unwrap());
        let mut reader = TileReader::new(new, |_| Some(hashes.clone()));
        let path = reader.consistency(old, new).unwrap();
        assert_eq!(path, expected.iter().map(|text| hash(text)).collect::<Vec<_>>());
        assert!(verify_consistency(old, new, &path, &root(old), &root(new)));
    }
}

// Covers: C2SP tlog-tiles "Merkle Tree"
#[test]
fn tile_paths_are_those_of_the_specification() {
    let check = |level, index, width, path: &str| {
        let tile = TileId { level, index, width };
        assert_eq!(tile.path(), path);
        assert_eq!(TileId::parse(path), Some(tile));
    };
    check(0, 1_234_067, 256, "tile/0/x001/x234/067");
    check(0, 0, 256, "tile/0/000");
    check(1, 999, 1, "tile/1/999.p/1");
    check(2, 1000, 255, "tile/2/x001/000.p/255");
    for bad in [
        "tile/0/1",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x000/001",
        "tile/00/001",
        "tile/8/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/+01",
        "tile/0/x001/x234/067/",
    ] {
        assert_eq!(TileId::parse(bad), None, "{bad}");
    }
}

/// The example key of the C2SP signed-note specification's reference implementation.
const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\
                    \n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

// Covers: C2SP signed-note "Verifier keys", "Signature types"
#[test]
fn the_published_note_is_read_and_its_key_is_recognised() {
    let (name, key) = parse_ed25519_verifier_key(VERIFIER).unwrap();
    assert_eq!(name, "PeterNeumann");
    assert_eq!(ed25519_key_id(&name, &key), [0xc7, 0x4f, 0x20, 0xa3]);
    assert_eq!(ed25519_verifier_key(&name, &key), VERIFIER);
    let note = SignedNote::parse(NOTE).unwrap();
    assert_eq!(note.to_text(), NOTE);
    note.verify_ed25519(&name, &key, |text, signature| {
        assert!(text.ends_with(b"your problem is.\n"));
        signature.len() == 64
    })
    .unwrap();
    assert!(note.verify_ed25519(&name, &key, |_, _| false).is_err());
    assert!(note.verify_ed25519("Somebody", &key, |_, _| true).is_err());
    assert!(parse_ed25519_verifier_key(&VERIFIER.replace("c74f20a3", "c74f20a4")).is_none());
}

#[test]
fn what_is_no_note_is_refused() {
    for bad in [
        "",
        "text\n",
        "text\n\n",
        "text\n\nno dash\n",
        "text\n\n\u{2014} name AAAA\n",
        "text\n\n\u{2014} na+me AAAAAAAA\n",
        "text\n\n\u{2014} name AAAAAAAA",
        "te\u{1}xt\n\n\u{2014} name AAAAAAAA\n",
    ] {
        assert!(SignedNote::parse(bad).is_err(), "{bad:?}");
    }
    let sign = |text: &str, name: &str| {
        SignedNote::sign_ed25519(text, name, &[1; 32], |_| Some([0; 64])).map(|note| note.to_text())
    };
    assert!(sign("text\n", "two words").is_err());
    assert!(sign("no line end", "name").is_err());
    let note = sign("text\n\nmore\n", "name").unwrap();
    assert_eq!(SignedNote::parse(&note).unwrap().text, "text\n\nmore\n");
}

// Covers: C2SP tlog-checkpoint "Note text"
#[test]
fn a_checkpoint_has_one_spelling() {
    let text =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint = Checkpoint::parse(text).unwrap();
    assert_eq!(
        (checkpoint.origin.as_str(), checkpoint.size),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    assert_eq!(checkpoint.to_text(), text);
    for bad in [
        text.replace("20852163", "020852163"),
        text.replace("20852163", "-1"),
        text.replace("20852163", "+1"),
        text.replace("CsUY", "CsU"),
        text.replace("example.com/behind-the-sofa", ""),
        text.trim_end().to_owned(),
        format!("{text}\n"),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
}

// Covers: C2SP tlog-tiles "Log Entries"
#[test]
fn an_entry_bundle_names_the_length_of_each_leaf() {
    let bundle = proviso_tlog::tile::bundle_bytes(&[b"one".as_slice(), b"", &[7; 300]]).unwrap();
    assert_eq!(bundle.get(..8), Some(b"\0\x03one\0\0\x01".as_slice()));
    assert_eq!(bundle.len(), 2 + 3 + 2 + 2 + 300);
    assert!(proviso_tlog::tile::bundle_bytes(&[vec![0; 65_536]]).is_none());
}
