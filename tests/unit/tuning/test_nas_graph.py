"""The graph of what a search built, against cases drawn by hand from what upstream's images build."""

from __future__ import annotations

import pytest

from sampan.components.tuning.engine.nas_graph import Edge, Node, cell_graph, dot, layers_graph

_ARCHITECTURE = "[[1], [0, 1], [2, 0, 1]]"
_NN_CONFIG = (
    "{'num_layers': 3, 'input_sizes': [8, 8, 1], 'output_sizes': [10], 'embedding': {"
    "'0': {'opt_id': 0, 'opt_type': 'convolution', 'opt_params': {'filter_size': '3', 'num_filter': '32'}},"
    "'1': {'opt_id': 1, 'opt_type': 'depthwise_convolution', 'opt_params': {'filter_size': '5'}},"
    "'2': {'opt_id': 2, 'opt_type': 'reduction', 'opt_params': {'reduction_type': 'avg_pooling', 'pool_size': 3}}}}"
)


def test_layers_and_what_passes_them_by() -> None:
    graph = layers_graph(_ARCHITECTURE, _NN_CONFIG)

    assert [node.label for node in graph.nodes] == [
        "Input",
        "5x5 depth_conv",
        "3x3 conv\n32 channels",
        "3x3 avg_pooling",
        "GlobalAvgPool",
        "FullConnect\nSoftmax",
        "Output",
    ]
    assert graph.nodes[2] == Node(
        2, "3x3 conv\n32 channels", "convolution", {"filter_size": "3", "num_filter": "32"}
    )
    assert [(each.source, each.target) for each in graph.edges if not each.skip] == [
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
    ]
    # Layer 2 reads the input too, layer 3 what layer 1 made.
    assert [(each.source, each.target) for each in graph.edges if each.skip] == [(0, 2), (1, 3)]


def test_as_graphviz_reads_it() -> None:
    text = dot(layers_graph("[[0]]", _NN_CONFIG.replace("'", '"')))

    assert text == (
        "digraph G {\n\t0->1;\n\t1->2;\n\t2->3;\n\t3->4;\n"
        '\t0 [ label="Input" ];\n\t1 [ label="3x3 conv\\n32 channels" ];\n\t2 [ label="GlobalAvgPool" ];\n'
        '\t3 [ label="FullConnect\\nSoftmax" ];\n\t4 [ label="Output" ];\n}\n'
    )


@pytest.mark.parametrize(
    ("architecture", "nn_config", "words"),
    [
        ("[[0", _NN_CONFIG, "architecture: is no JSON"),
        ("[]", _NN_CONFIG, "architecture: must be a list"),
        ("[[0, 1]]", _NN_CONFIG, "architecture: layer 0 must be"),
        ("[['0']]", _NN_CONFIG, "architecture: layer 0 must be"),
        ("[[true]]", _NN_CONFIG, "architecture: layer 0 must be"),
        ("[[7]]", _NN_CONFIG, "no operation 7"),
        ("[[0]]", "{}", "nn_config: has no embedding"),
        ("[" * 100_000, _NN_CONFIG, "architecture: is no JSON"),
    ],
)
def test_what_is_no_architecture_is_said(architecture: str, nn_config: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        layers_graph(architecture, nn_config)


def test_an_operation_of_ones_own_is_called_by_its_name() -> None:
    graph = layers_graph("[[0]]", '{"embedding": {"0": {"opt_type": "gated", "opt_params": {"units": 4}}}}')

    assert graph.nodes[1] == Node(1, "gated", "gated", {"units": "4"})


def test_a_cell_of_darts() -> None:
    genotype = (
        "Genotype(normal=[[('separable_convolution_3x3',0),('skip_connection',1)],[('max_pooling_3x3',2),('skip_connection',0)]],"
        "normal_concat=range(2,4),reduce=[],reduce_concat=range(2,4))"
    )

    graph = cell_graph(genotype)

    assert [node.label for node in graph.nodes] == ["c_{k-2}", "c_{k-1}", "0", "1", "c_{k}"]
    assert graph.edges == (
        Edge(0, 2, "separable_convolution_3x3"),
        Edge(1, 2, "skip_connection"),
        Edge(2, 3, "max_pooling_3x3"),
        Edge(0, 3, "skip_connection"),
        Edge(2, 4),
        Edge(3, 4),
    )
    assert cell_graph(genotype, "reduce").edges == ()


@pytest.mark.parametrize(
    "genotype",
    [
        "",
        "Genotype(",
        "7",
        "Genotype(normal=[[('a', 9)]])",
        "Genotype(normal=[['a']])",
        "Genotype(normal=f())",
    ],
)
def test_what_is_no_genotype_is_said(genotype: str) -> None:
    with pytest.raises(ValueError, match="genotype"):
        cell_graph(genotype)
