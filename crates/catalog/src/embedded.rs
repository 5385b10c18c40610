//! The built-in catalog: the files of `catalog/`, in the binary.

/// Name and text of each file.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("cloud.yaml", include_str!("../../../catalog/cloud.yaml")),
    ("databases.yaml", include_str!("../../../catalog/databases.yaml")),
    ("docker.yaml", include_str!("../../../catalog/docker.yaml")),
    ("files.yaml", include_str!("../../../catalog/files.yaml")),
    ("git.yaml", include_str!("../../../catalog/git.yaml")),
    ("helm.yaml", include_str!("../../../catalog/helm.yaml")),
    ("http.yaml", include_str!("../../../catalog/http.yaml")),
    ("kubectl.yaml", include_str!("../../../catalog/kubectl.yaml")),
    ("others.yaml", include_str!("../../../catalog/others.yaml")),
    ("packages.yaml", include_str!("../../../catalog/packages.yaml")),
    ("system.yaml", include_str!("../../../catalog/system.yaml")),
];
