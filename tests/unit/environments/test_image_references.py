"""Image references are split as the container world splits them."""

import pytest

from sampan.cluster.node.environments import InvalidImageNameError
from sampan.cluster.node.environments.image import ImageReference, parse_image

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("python", ImageReference("docker.io", "library/python")),
        ("python:3.11-slim", ImageReference("docker.io", "library/python", "3.11-slim")),
        ("library/python", ImageReference("docker.io", "library/python")),
        ("docker.io/python:3", ImageReference("docker.io", "library/python", "3")),
        ("index.docker.io/library/python", ImageReference("docker.io", "library/python")),
        ("pytorch/pytorch:2.4.0-cuda12.1", ImageReference("docker.io", "pytorch/pytorch", "2.4.0-cuda12.1")),
        (f"python@{DIGEST}", ImageReference("docker.io", "library/python", "", DIGEST)),
        (f"python:3.11@{DIGEST}", ImageReference("docker.io", "library/python", "3.11", DIGEST)),
        ("localhost/app", ImageReference("localhost", "app")),
        ("localhost:5000/team/app:v1", ImageReference("localhost:5000", "team/app", "v1")),
        ("registry.example:443/a/b/c", ImageReference("registry.example:443", "a/b/c")),
        ("Registry/app", ImageReference("Registry", "app")),
        ("[::1]:5000/app", ImageReference("[::1]:5000", "app")),
        ("ghcr.io/astral-sh/uv", ImageReference("ghcr.io", "astral-sh/uv")),
        ("a__b/c-d.e", ImageReference("docker.io", "a__b/c-d.e")),
    ],
)
def test_parts(image: str, reference: ImageReference) -> None:
    assert parse_image(image) == reference


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("", "empty"),
        ("Python:3", "lower case"),
        ("python:", 'the tag ""'),
        ("python:a b", "tag"),
        ("python:" + "x" * 129, "tag"),
        ("python@sha256:12", "digest"),
        ("python@", "digest"),
        ("a" * 64, "image id"),
        ("a//b", "repository"),
        ("/python", "repository"),
        ("python/", "repository"),
        ("../../etc/passwd", "not a"),
        ("-python", "repository"),
        ("bad_host!.io/app", "registry"),
        ("python\n", "repository"),
        ("a/" + "b" * 256, "255"),
    ],
)
def test_what_is_wrong_is_named(image: str, says: str) -> None:
    with pytest.raises(InvalidImageNameError) as caught:
        parse_image(image)
    assert says in caught.value.message
    assert caught.value.reason == "InvalidImageName"


@pytest.mark.parametrize(
    "image", ["python:3.11", "ghcr.io/a/b@" + DIGEST, "localhost:5000/x:y", "pytorch/pytorch"]
)
def test_text_form_is_as_people_write_it(image: str) -> None:
    assert str(parse_image(image)) == image
