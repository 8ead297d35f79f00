"""Where artifacts lie, behind one small protocol: folders, S3 and its kin, anything that fsspec knows, the web.

    protocol    `ArtifactStore`, what its methods promise, and its errors
    uris        from a URI to a scheme, a bucket and a key; which names of objects may become files
    measuring   the digest of a file or folder, and the mark by which a change is noticed cheaply

Components use stores; nothing here knows what an artifact is for, and nothing here touches SQL.
"""
